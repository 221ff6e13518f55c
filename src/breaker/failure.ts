/**
 * What speaks against the upstream and what only against a command: which of its error replies say that it cannot serve.
 * Everything else is the client's business and passes. Lost connections are judged where they are lost
 * (`upstream/failure`).
 */

/** First words of replies that say: not now, whatever the command, or no writes at all. */
const CANNOT_SERVE: ReadonlySet<string> = new Set([
  'LOADING',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'MISCONF',
  'NOREPLICAS',
]);

/** Said to whoever connects, in place of the first reply. */
const TOO_MANY_CLIENTS = 'ERR max number of clients';

/**
 * Whether an error reply (its text, without the minus) says that the server cannot serve. `wasWritable`: READONLY comes
 * from what has been a primary; from a replica that is meant to be one it is an answer. Not failures: WRONGTYPE, OOM,
 * NOPERM, NOSCRIPT, BUSY, TRYAGAIN, MOVED, what scripts say, and NOAUTH, which is about who asks.
 */
export function isFailureReply(text: string, wasWritable: boolean): boolean {
  const word = /^\S*/.exec(text)![0];
  if (word === 'READONLY') return wasWritable;
  return CANNOT_SERVE.has(word) || text.startsWith(TOO_MANY_CLIENTS);
}
