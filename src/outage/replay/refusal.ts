/**
 * What an error reply to a replayed command means: the upstream cannot serve now, whatever it is asked (`server`), it has
 * no memory left (`memory`), or this one command is not to be had (`command`), now or ever.
 */

export type Fault = 'server' | 'memory' | 'command';

/** States of a server. They pass, and say nothing about the command. */
const STATES: ReadonlySet<string> = new Set([
  'LOADING',
  'READONLY',
  'MISCONF',
  'NOREPLICAS',
  'MASTERDOWN',
  'BUSY',
  'NOAUTH',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
]);

/** First words that Redis' command errors begin with: the labels of `respool_dead_letters_total`, besides `other`. */
export const DEAD_LETTER_LABELS: readonly string[] = [
  'ERR',
  'WRONGTYPE',
  'NOPERM',
  'OOM',
  'BUSYGROUP',
  'NOGROUP',
  'BUSYKEY',
  'NOSCRIPT',
  'CROSSSLOT',
  'EXECABORT',
  'LOST',
];

export function faultOf(text: string): Fault {
  const word = firstWord(text);
  if (STATES.has(word)) return 'server';
  return word === 'OOM' ? 'memory' : 'command';
}

/** `-EXECABORT Transaction discarded because of: OOM …` speaks of the whole; what stands behind the colon counts. */
export function causeOfAbort(text: string): string {
  const match = /because of: (.*)$/.exec(text);
  return match?.[1] ?? text;
}

/** The bounded label of a dead letter whose reason is `text`. */
export function deadLetterLabel(text: string): string {
  const word = firstWord(text);
  return DEAD_LETTER_LABELS.includes(word) ? word : 'other';
}

function firstWord(text: string): string {
  return text.split(' ', 1)[0] ?? '';
}
