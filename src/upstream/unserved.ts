/**
 * Errors by which a server says that it cannot serve now, whatever the command: seen on their way by their first word,
 * so that whoever sent the command may try it again instead of passing them on. Any other error passes as it came.
 */
import type { ErrorJudge } from '../resp/reply-framer.js';

/** Said by a server that is loading, has lost its primary or its slots, or does not take writes. */
export const CANNOT_SERVE: readonly string[] = [
  'LOADING',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'READONLY',
  'MISCONF',
];

/** Said by a server that runs a script, of whatever it was asked; EXECABORT is how EXEC says it. */
export const BUSY_WORDS: readonly string[] = ['BUSY', 'EXECABORT'];

/** Said of a script that the server does not know (any more). */
export const NO_SCRIPT = 'NOSCRIPT';

const SPACE = 32;
const CR = 13;

/** Stops before an error whose first word is one of `words`, or may yet become one: too little of it is there. */
export function beginsWithOneOf(words: readonly string[]): ErrorJudge {
  const known = new Set(words);
  const longest = Math.max(0, ...words.map((word) => word.length));
  return (buffer, pos, end) => {
    const limit = Math.min(end, pos + longest + 2);
    let at = pos + 1;
    while (at < limit && buffer[at] !== SPACE && buffer[at] !== CR) at += 1;
    const word = buffer.toString('latin1', pos + 1, at);
    return at < end ? known.has(word) : words.some((one) => one.startsWith(word));
  };
}

/** The first word of an error's text. */
export function firstWord(text: string): string {
  return /^\S*/.exec(text)![0];
}
