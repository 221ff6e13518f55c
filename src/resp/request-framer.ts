/**
 * Finds where each request of a client begins and ends, and nothing more: no argument is decoded, nothing is copied.
 * It stands first in a byte's path and is the wall against hostile input: Redis' limits, Redis' error texts
 * (`processMultibulkBuffer` and `processInlineBuffer` in networking.c), and a declared size that allocates nothing.
 *
 * The framer holds positions only. The caller owns the bytes and, when told NEED_MORE, calls again with a buffer that
 * still begins with the unfinished frame (or tells `dropped` how much of its head it has passed on); scanning resumes
 * where it stopped, so that no byte is looked at twice whatever the chunks are.
 *
 *   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPI…
 *   └ next() → COMMAND, frameEnd ─┘└ next() → NEED_MORE, scannedBytes = 8
 */
import {
  MAX_LINE_BYTES,
  MAX_MULTIBULK_LENGTH,
  MAX_UNAUTHENTICATED_BULK_BYTES,
  MAX_UNAUTHENTICATED_MULTIBULK_LENGTH,
} from './limits.js';

/** The frame is not complete in this buffer. */
export const NEED_MORE = 0;
/** An array of bulk strings from `pos` to `frameEnd`; its first argument is at `nameStart`, `nameBytes` long. */
export const COMMAND = 1;
/** A line from `pos` to `frameEnd`, to be split by `splitInline`. */
export const INLINE = 2;
/** `*0`, `*-1` or the like: Redis skips it without a reply. Ends at `frameEnd`. */
export const EMPTY = 3;
/** The stream cannot be understood any more; `error` is Redis' text. Reply and close. */
export const PROTOCOL_ERROR = 4;

const STAR = 42;
const DOLLAR = 36;
const MINUS = 45;
const CR = 13;
const LF = 10;
const NUL = 0;
const ZERO = 48;
const NINE = 57;

/** Results of reading a `*n` or `$n` line. */
const LINE_INCOMPLETE = -1;
const LINE_INVALID = -2;
const LINE_TOO_LONG = -3;
/** What string2ll can read, as digits. */
const MOST_POSITIVE = '9223372036854775807';
const MOST_NEGATIVE = '9223372036854775808';

export class RequestFramer {
  /** End of the frame last found. */
  frameEnd = 0;
  nameStart = 0;
  nameBytes = 0;
  /** Of the frame, the name included. */
  argumentCount = 0;
  /** Redis' words, to be sent as `-ERR Protocol error: <error>`. */
  error = '';
  /** False puts the small limits in force that Redis has before authentication. */
  authenticated = true;

  /** How many bytes of the unfinished frame have been understood; everything up to here may be passed on. */
  scannedBytes = 0;
  private argumentsLeft = 0;
  private inFrame = false;
  private nameKnown = false;
  private nameOffset = 0;
  private headerEnd = 0;
  private headerValue = 0;

  /** `maxBulkBytes`: the longest argument accepted, like Redis' `proto-max-bulk-len`. */
  constructor(private readonly maxBulkBytes: number) {}

  /** The command's name is known, although the frame is unfinished. */
  get nameIsKnown(): boolean {
    return this.nameKnown;
  }

  /** The unfinished frame is an array (an unfinished line has no scanned bytes to pass on). */
  get isInFrame(): boolean {
    return this.inFrame;
  }

  /** The caller has passed on the first `bytes` of the unfinished frame; its next buffer begins behind them. */
  dropped(bytes: number): void {
    this.scannedBytes -= bytes;
  }

  /** Forgets the unfinished frame: its bytes will be given again from their beginning. */
  restart(): void {
    this.inFrame = false;
    this.scannedBytes = 0;
    this.argumentsLeft = 0;
  }

  /** Looks for the end of the frame that begins at `pos` (or goes on, after NEED_MORE) in `buffer[pos, end)`. */
  next(buffer: Buffer, pos: number, end: number): number {
    let at = pos + this.scannedBytes;
    if (!this.inFrame) {
      if (buffer[pos] !== STAR) return this.nextInline(buffer, pos, end);
      const outcome = this.readHeader(buffer, pos, end, 'mbulk');
      if (outcome !== COMMAND) return outcome;
      const length = this.headerValue;
      if (length > MAX_MULTIBULK_LENGTH) return this.fail('invalid multibulk length');
      if (length > MAX_UNAUTHENTICATED_MULTIBULK_LENGTH && !this.authenticated) {
        return this.fail('unauthenticated multibulk length');
      }
      at = this.headerEnd;
      if (length <= 0) {
        this.frameEnd = at;
        return EMPTY;
      }
      this.inFrame = true;
      this.nameKnown = false;
      this.argumentsLeft = this.argumentCount = length;
    }
    return this.scanArguments(buffer, pos, at, end);
  }

  /** `at` stands at a `$n` line, or beyond `end` when an argument's bytes have not all arrived. */
  private scanArguments(buffer: Buffer, pos: number, start: number, end: number): number {
    let at = start;
    let left = this.argumentsLeft;
    while (left > 0 && at < end) {
      // The common header is `$`, one to four digits, CR LF: read it without a call.
      let value = buffer[at + 1]! - ZERO;
      let digitsEnd = at + 2;
      if (value > 0 && value <= 9 && buffer[at] === DOLLAR) {
        let digit = buffer[digitsEnd]!;
        while (digit >= ZERO && digit <= NINE && digitsEnd - at < 5) {
          value = value * 10 + (digit - ZERO);
          digitsEnd += 1;
          digit = buffer[digitsEnd]!;
        }
        if (digit !== CR || digitsEnd + 1 >= end) value = LINE_INCOMPLETE;
      } else {
        value = LINE_INCOMPLETE;
      }
      if (value === LINE_INCOMPLETE) {
        const outcome = this.readHeader(buffer, at, end, 'bulk');
        if (outcome === NEED_MORE) break;
        if (outcome !== COMMAND) return outcome;
        value = this.headerValue;
        digitsEnd = this.headerEnd - 2;
        if (value > this.maxBulkBytes) return this.fail('invalid bulk length');
      }
      if (value > MAX_UNAUTHENTICATED_BULK_BYTES && !this.authenticated) {
        return this.fail('unauthenticated bulk length');
      }
      if (!this.nameKnown) {
        if (digitsEnd + 2 + value > end) break;
        this.nameOffset = digitsEnd + 2 - pos;
        this.nameBytes = value;
        this.nameKnown = true;
      }
      at = digitsEnd + value + 4;
      left -= 1;
    }
    this.nameStart = pos + this.nameOffset;
    if (left === 0 && at <= end) {
      this.inFrame = false;
      this.scannedBytes = 0;
      this.argumentsLeft = 0;
      this.frameEnd = at;
      return COMMAND;
    }
    this.argumentsLeft = left;
    this.scannedBytes = at - pos;
    return NEED_MORE;
  }

  /** Reads `*n\r\n` or `$n\r\n` at `at` into headerValue and headerEnd. COMMAND means: read. */
  private readHeader(buffer: Buffer, at: number, end: number, what: 'mbulk' | 'bulk'): number {
    const line = this.parseLine(buffer, at, end);
    if (line === LINE_INCOMPLETE) return NEED_MORE;
    if (line === LINE_TOO_LONG) return this.fail(`too big ${what} count string`);
    // Redis looks at the first byte only when the line is complete.
    if (what === 'bulk' && buffer[at] !== DOLLAR) return this.failExpectedDollar(buffer[at]!);
    const invalid = line === LINE_INVALID || (what === 'bulk' && this.headerValue < 0);
    return invalid
      ? this.fail(what === 'mbulk' ? 'invalid multibulk length' : 'invalid bulk length')
      : COMMAND;
  }

  /** Like Redis' string2ll: digits with at most one minus, no leading zero. Does not check the byte behind the CR. */
  private parseLine(buffer: Buffer, at: number, end: number): number {
    const limit = Math.min(end, at + MAX_LINE_BYTES + 1);
    let cr = at;
    while (cr < limit && buffer[cr] !== CR && buffer[cr] !== NUL) cr += 1;
    // Redis looks for the CR with strchr: it sees nothing beyond a NUL, however much comes.
    if (cr >= limit || buffer[cr] === NUL)
      return end - at > MAX_LINE_BYTES ? LINE_TOO_LONG : LINE_INCOMPLETE;
    if (cr + 1 >= end) return LINE_INCOMPLETE;
    this.headerEnd = cr + 2;
    const negative = buffer[at + 1] === MINUS;
    const first = negative ? at + 2 : at + 1;
    const digits = cr - first;
    if (digits < 1 || digits > MOST_POSITIVE.length) return LINE_INVALID;
    if (buffer[first] === ZERO && (digits > 1 || negative)) return LINE_INVALID;
    let value = 0;
    for (let index = first; index < cr; index += 1) {
      const digit = buffer[index]! - ZERO;
      if (digit < 0 || digit > 9) return LINE_INVALID;
      value = value * 10 + digit;
    }
    const most = negative ? MOST_NEGATIVE : MOST_POSITIVE;
    if (digits === most.length && buffer.toString('latin1', first, cr) > most) return LINE_INVALID;
    this.headerValue = negative ? -value : value;
    return 0;
  }

  private nextInline(buffer: Buffer, pos: number, end: number): number {
    const from = pos + this.scannedBytes;
    const newline = buffer.indexOf(LF, from);
    const lineEnd = newline === -1 || newline >= end ? end : newline;
    // Redis looks for the line feed with strchr: it sees nothing beyond a NUL, however much comes.
    const nul = buffer.subarray(from, lineEnd).indexOf(NUL);
    if (nul === -1 && lineEnd < end && lineEnd - pos <= MAX_LINE_BYTES) {
      this.scannedBytes = 0;
      this.frameEnd = lineEnd + 1;
      return INLINE;
    }
    if (end - pos > MAX_LINE_BYTES) return this.fail('too big inline request');
    this.scannedBytes = (nul === -1 ? lineEnd : from + nul) - pos;
    return NEED_MORE;
  }

  /** As networking.c prints the byte with %c; CR and LF never reach an error line. */
  private failExpectedDollar(byte: number): number {
    const shown = byte === CR || byte === LF ? ' ' : String.fromCharCode(byte);
    return this.fail(`expected '$', got '${shown}'`);
  }

  private fail(text: string): number {
    this.error = text;
    return PROTOCOL_ERROR;
  }
}
