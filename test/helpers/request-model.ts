/**
 * Redis' own reading of requests (`processMultibulkBuffer` and `processInlineBuffer` in networking.c), written down as
 * plainly as possible: all bytes at hand, no speed, no state. What the framer is measured against.
 */

/** PROTO_INLINE_MAX_SIZE */
const MAX_LINE_BYTES = 65_536;

export interface RequestLimits {
  readonly maxBulkBytes: number;
  readonly authenticated: boolean;
}

export interface RequestFrame {
  readonly kind: 'command' | 'inline' | 'empty';
  /** Offset behind the frame. */
  readonly end: number;
  /** First argument of a command. */
  readonly name: string;
}

export interface RequestReading {
  readonly frames: readonly RequestFrame[];
  readonly error: string | null;
  /** How many bytes must have come before the error is known; 0 without one. */
  readonly errorAt: number;
}

class Refused extends Error {
  constructor(
    text: string,
    readonly at: number,
  ) {
    super(text);
  }
}

/** Thrown where Redis would wait for more. */
class Waiting extends Error {}

/** Reads all frames up to the first that is unfinished or wrong. */
export function modelRequests(bytes: Buffer, limits: RequestLimits): RequestReading {
  const frames: RequestFrame[] = [];
  try {
    for (let at = 0; at < bytes.length;) {
      const frame = bytes[at] === STAR ? arrayFrame(bytes, at, limits) : inlineFrame(bytes, at);
      frames.push(frame);
      at = frame.end;
    }
  } catch (reason) {
    if (reason instanceof Refused) return { frames, error: reason.message, errorAt: reason.at };
    if (!(reason instanceof Waiting)) throw reason;
  }
  return { frames, error: null, errorAt: 0 };
}

const STAR = 0x2a;
const DOLLAR = 0x24;

/** strchr: the offset of `wanted` from `from` on, unless a NUL or the end comes first. */
function find(bytes: Buffer, wanted: string, from: number, tooLong: string): number {
  const limit = from + MAX_LINE_BYTES;
  for (let at = from; at <= limit; at += 1) {
    if (at >= bytes.length) throw new Waiting();
    if (bytes[at] === wanted.charCodeAt(0)) return at;
    if (bytes[at] === 0) break;
  }
  if (bytes.length > limit) throw new Refused(tooLong, limit + 1);
  throw new Waiting();
}

function inlineFrame(bytes: Buffer, at: number): RequestFrame {
  const newline = find(bytes, '\n', at, 'too big inline request');
  return { kind: 'inline', end: newline + 1, name: '' };
}

function arrayFrame(bytes: Buffer, start: number, limits: RequestLimits): RequestFrame {
  let at = start;
  /** The text between the type byte and CR; `at` is then behind the line. */
  const line = (what: string): string => {
    const cr = find(bytes, '\r', at, `too big ${what} count string`);
    if (cr + 1 >= bytes.length) throw new Waiting();
    const text = bytes.toString('latin1', at + 1, cr);
    at = cr + 2;
    return text;
  };
  const count = string2ll(line('mbulk'));
  if (count === null || count > 2_147_483_647n) throw new Refused('invalid multibulk length', at);
  if (count > 10n && !limits.authenticated)
    throw new Refused('unauthenticated multibulk length', at);
  if (count <= 0n) return { kind: 'empty', end: at, name: '' };
  let name = '';
  for (let index = 0n; index < count; index += 1n) {
    const first = bytes[at] ?? 0;
    const text = line('bulk');
    if (first !== DOLLAR) {
      const shown = String.fromCharCode(first).replace(/[\r\n]/, ' ');
      throw new Refused(`expected '$', got '${shown}'`, at);
    }
    const length = string2ll(text);
    if (length === null || length < 0n || length > limits.maxBulkBytes) {
      throw new Refused('invalid bulk length', at);
    }
    if (length > 16_384n && !limits.authenticated) {
      throw new Refused('unauthenticated bulk length', at);
    }
    const end = at + Number(length);
    if (end + 2 > bytes.length) throw new Waiting();
    if (index === 0n) name = bytes.toString('latin1', at, end);
    at = end + 2;
  }
  return { kind: 'command', end: at, name };
}

/** util.c: a 64-bit integer in its one way of writing, or null. */
function string2ll(text: string): bigint | null {
  if (!/^(0|-?[1-9]\d*)$/.test(text) || text.length > 20) return null;
  const value = BigInt(text);
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : null;
}
