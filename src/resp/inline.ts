/** Inline commands: a line of words with Redis' quoting (`sdssplitargs` in sds.c), as typed into netcat or telnet. */

/** What may stand between words (`isspace`). */
const WHITE = new Set([9, 10, 11, 12, 13, 32]);
/** What ends a word that is not quoted; sds.c does not ask `isspace` here. */
const WORD_ENDS = new Set([9, 10, 13, 32]);
const BACKSLASH = 0x5c;
const DOUBLE = 0x22;
const SINGLE = 0x27;
const ESCAPES = new Map([
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['b', 8],
  ['a', 7],
]);

/**
 * Splits a line (without its line feed; a carriage return before it counts as white space; the framer lets no NUL
 * through) into arguments. Returns null when quotes are unbalanced or a closing quote is not followed by white space.
 */
export function splitInline(text: Buffer): Buffer[] | null {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && WHITE.has(text[at]!)) at += 1;
    if (at >= text.length) return words;
    const word = readWord(text, at);
    if (word === null) return null;
    words.push(word.bytes);
    at = word.end;
  }
}

interface Word {
  readonly bytes: Buffer;
  readonly end: number;
}

function readWord(text: Buffer, start: number): Word | null {
  const bytes: number[] = [];
  let at = start;
  while (at < text.length && !WORD_ENDS.has(text[at]!)) {
    const byte = text[at]!;
    if (byte === DOUBLE || byte === SINGLE) {
      const end = readQuoted(text, at, bytes);
      if (end === -1) return null;
      if (end < text.length && !WHITE.has(text[end]!)) return null;
      return { bytes: Buffer.from(bytes), end };
    }
    bytes.push(byte);
    at += 1;
  }
  return { bytes: Buffer.from(bytes), end: at };
}

/** Reads from the opening quote at `open` and returns the position behind the closing one, or -1. */
function readQuoted(text: Buffer, open: number, into: number[]): number {
  const quote = text[open]!;
  let at = open + 1;
  while (at < text.length) {
    const byte = text[at]!;
    if (byte === quote) return at + 1;
    if (byte === BACKSLASH && quote === SINGLE && text[at + 1] === SINGLE) {
      into.push(SINGLE);
      at += 2;
    } else if (byte === BACKSLASH && quote === DOUBLE && at + 1 < text.length) {
      at = readEscape(text, at, into);
    } else {
      into.push(byte);
      at += 1;
    }
  }
  return -1;
}

function readEscape(text: Buffer, at: number, into: number[]): number {
  const hex = text.toString('latin1', at + 2, at + 4);
  if (text[at + 1] === 0x78 && /^[0-9a-fA-F]{2}$/.test(hex)) {
    into.push(Number.parseInt(hex, 16));
    return at + 4;
  }
  const letter = String.fromCharCode(text[at + 1]!);
  into.push(ESCAPES.get(letter) ?? text[at + 1]!);
  return at + 2;
}
