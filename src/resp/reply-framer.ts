/**
 * Finds where each reply of an upstream ends, in RESP2 and RESP3, without decoding or collecting it: a reply of any size
 * and depth streams through in constant memory, because an aggregate only adds to the number of elements still to come.
 * State survives between chunks byte by byte, so any split of the bytes gives the same result.
 *
 * Redis never sends the streamed types (`$?`, `*?`); they are treated like any other byte that cannot be a reply.
 */

/** Thrown when the bytes cannot be RESP; the connection they came from is of no more use. */
export class ReplyProtocolError extends Error {}

/** Type bytes. `line` types end with their line, `bulk` types carry bytes, the others carry elements. */
const LINE = 1;
const BULK = 2;
const ARRAY = 3;
const MAP = 4;
const ATTRIBUTE = 5;

export const PUSH_TYPE = 62; // '>'
export const ERROR_TYPE = 45; // '-'
export const INTEGER_TYPE = 58; // ':'

const KIND = new Uint8Array(256);
for (const type of '+-:_#,(') KIND[type.charCodeAt(0)] = LINE;
for (const type of '$=!') KIND[type.charCodeAt(0)] = BULK;
for (const type of '*~>') KIND[type.charCodeAt(0)] = ARRAY;
KIND['%'.charCodeAt(0)] = MAP;
KIND['|'.charCodeAt(0)] = ATTRIBUTE;

const LF = 10;
const CR = 13;
const MINUS = 45;
/** A length line of more digits than this cannot be true (Redis allows at most 4 GB and 2^32 elements). */
const MAX_LENGTH_DIGITS = 12;

/** Whether to stop before the error at `pos`; `end` is where the bytes at hand end, maybe in its middle. */
export type ErrorJudge = (buffer: Buffer, pos: number, end: number) => boolean;

export class ReplyFramer {
  /** Replies that ended in the last `scan`. Pushes are not replies and are not counted. */
  completed = 0;
  /** The last `scan` stopped before an error that `stopBefore` wants to see; the next one would stop there again. */
  isStopped = false;
  /** Asked about each reply that is an error, as it begins. Errors inside aggregates are only elements. */
  stopBefore: ErrorJudge | null = null;
  /** Type byte of the frame that is being read, or of the last one read. */
  frameType = 0;
  /** Bytes of the unfinished frame seen so far (0 between frames). */
  unfinishedBytes = 0;

  private elementsLeft = 0;
  private payloadLeft = 0;
  private lineType = 0;
  private lineDigits = 0;
  private lineValue = 0;
  private lineNegative = false;

  /** The last byte scanned stands inside a frame. */
  get isInFrame(): boolean {
    return this.elementsLeft > 0;
  }

  /**
   * Reads on at `pos` and returns where it stopped: behind the `limit`-th reply, before an error that `stopBefore` wants,
   * or at `end`. Throws ReplyProtocolError when the bytes are not RESP.
   */
  scan(buffer: Buffer, start: number, end: number, limit: number): number {
    let pos = start;
    let frameStart = start;
    this.completed = 0;
    this.isStopped = false;
    while (pos < end) {
      if (this.elementsLeft === 0) {
        const type = buffer[pos]!;
        if (type === ERROR_TYPE && this.stopBefore?.(buffer, pos, end) === true) {
          this.isStopped = true;
          return pos;
        }
        this.elementsLeft = 1;
        this.frameType = type;
        this.unfinishedBytes = 0;
        frameStart = pos;
      }
      pos = this.scanElement(buffer, pos, end);
      if (this.elementsLeft === 0) {
        this.unfinishedBytes = 0;
        if (this.frameType !== PUSH_TYPE) {
          this.completed += 1;
          if (this.completed === limit) return pos;
        }
      }
    }
    if (this.elementsLeft > 0) this.unfinishedBytes += end - frameStart;
    return pos;
  }

  /** Like `scan`, but stops behind the first frame of any kind, push or reply; `isInFrame` tells whether it ended. */
  scanFrame(buffer: Buffer, start: number, end: number): number {
    if (this.elementsLeft === 0) {
      this.elementsLeft = 1;
      this.frameType = buffer[start]!;
    }
    let pos = start;
    while (pos < end && this.elementsLeft > 0) pos = this.scanElement(buffer, pos, end);
    return pos;
  }

  /** Reads one element, or what there is of it, and keeps `elementsLeft`. */
  private scanElement(buffer: Buffer, start: number, end: number): number {
    let pos = start;
    if (this.payloadLeft > 0) return this.scanPayload(pos, end);
    if (this.lineType === 0) {
      const type = buffer[pos]!;
      if (KIND[type] === 0) {
        throw new ReplyProtocolError(
          `the upstream sent a byte that begins no reply: 0x${type.toString(16)}`,
        );
      }
      this.lineType = type;
      this.lineValue = 0;
      this.lineDigits = 0;
      this.lineNegative = false;
      pos += 1;
    }
    if (KIND[this.lineType] === LINE) {
      while (pos < end && buffer[pos] !== LF) pos += 1;
      if (pos >= end) return end;
      this.lineType = 0;
      this.elementsLeft -= 1;
      return pos + 1;
    }
    return this.scanLength(buffer, pos, end);
  }

  private scanPayload(pos: number, end: number): number {
    const bytes = Math.min(this.payloadLeft, end - pos);
    this.payloadLeft -= bytes;
    if (this.payloadLeft === 0) this.elementsLeft -= 1;
    return pos + bytes;
  }

  private scanLength(buffer: Buffer, start: number, end: number): number {
    let pos = start;
    let value = this.lineValue;
    for (; pos < end; pos += 1) {
      const byte = buffer[pos]!;
      const digit = byte - 48;
      if (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        this.lineDigits += 1;
        if (this.lineDigits > MAX_LENGTH_DIGITS) break;
      } else if (byte === LF) {
        this.applyLength(this.lineNegative ? -1 : value);
        return this.payloadLeft > 0 ? this.scanPayload(pos + 1, end) : pos + 1;
      } else if (byte === MINUS && this.lineDigits === 0) {
        this.lineNegative = true;
      } else if (byte !== CR) {
        break;
      }
    }
    if (pos < end) throw new ReplyProtocolError('the upstream sent a length that is not a number');
    this.lineValue = value;
    return end;
  }

  /** `length` is -1 for a null. */
  private applyLength(length: number): void {
    const kind = KIND[this.lineType];
    this.lineType = 0;
    if (kind === BULK) {
      if (length >= 0) this.payloadLeft = length + 2;
      else this.elementsLeft -= 1;
    } else if (kind === ARRAY) {
      this.elementsLeft += Math.max(length, 0) - 1;
    } else if (kind === MAP) {
      this.elementsLeft += Math.max(length, 0) * 2 - 1;
    } else {
      // An attribute stands before the element it describes and does not count as one.
      this.elementsLeft += Math.max(length, 0) * 2;
    }
  }
}
