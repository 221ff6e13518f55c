/**
 * What clients do under a storm of SCRIPT FLUSH: rounds of six commands, two of them scripts, made so that every reply
 * and every element of the list tells its place. A command that overtakes, is lost or runs twice makes a wrong reply.
 *
 *   RPUSH log i:a │ step → n=i, log i:s │ GET n → i │ SET seen i │ look → i, i, 3i-1 │ RPUSH log i:b → 3i
 *
 * The steps are templates ({p} the prefix of the keys, {i} the number of the round, from 1), so that a client in
 * another language does the same without saying it again. Knows no client.
 */

/** The scripts, and how many of their arguments are keys. */
export const SCRIPTS = {
  step: {
    lua: `
local n = redis.call('INCR', KEYS[1])
return {n, redis.call('RPUSH', KEYS[2], ARGV[1]), ARGV[1]}`,
    keys: 2,
  },
  look: {
    lua: `
return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('LLEN', KEYS[3])}`,
    keys: 3,
  },
} as const;

export type ScriptName = keyof typeof SCRIPTS;

/** A script with its keys and arguments, or a command. */
export interface Step {
  readonly script: ScriptName | null;
  readonly args: readonly string[];
}

/** One round as a template. */
export const ROUND: readonly Step[] = [
  { script: null, args: ['RPUSH', '{p}:log', '{i}:a'] },
  { script: 'step', args: ['{p}:n', '{p}:log', '{i}:s'] },
  { script: null, args: ['GET', '{p}:n'] },
  { script: null, args: ['SET', '{p}:seen', '{i}'] },
  { script: 'look', args: ['{p}:n', '{p}:seen', '{p}:log'] },
  { script: null, args: ['RPUSH', '{p}:log', '{i}:b'] },
];

export const SCRIPTS_PER_ROUND = ROUND.filter(({ script }) => script !== null).length;

/** Round `i` with keys that begin with `prefix`. */
export function stepsOf(prefix: string, i: number): Step[] {
  const filled = (text: string): string => text.replace('{p}', prefix).replace('{i}', String(i));
  return ROUND.map(({ script, args }) => ({ script, args: args.map(filled) }));
}

/** The only right replies of round `i`, if all rounds before it have run. */
export function repliesOf(i: number): unknown[] {
  const length = (i - 1) * MARKS;
  const [n, written] = [String(i), length + 2];
  return [length + 1, [i, written, `${i}:s`], n, 'OK', [n, n, written], length + MARKS];
}

/** The list that rounds write to. */
export function logOf(prefix: string): string {
  return `${prefix}:log`;
}

const MARKS = 3;

/** What is wrong with the list after `rounds` whole rounds and perhaps a part of the next one; null if nothing is. */
export function problemIn(log: readonly string[], rounds: number): string | null {
  const marksOf = (i: number): string[] => [`${i}:a`, `${i}:s`, `${i}:b`];
  const whole = Array.from({ length: rounds }, (_, index) => marksOf(index + 1)).flat();
  const wrongAt = whole.findIndex((mark, index) => log[index] !== mark);
  if (wrongAt >= 0) return `at ${wrongAt} stands ${log[wrongAt]} instead of ${whole[wrongAt]}`;
  const rest = log.slice(whole.length);
  const places = rest.map((mark) => marksOf(rounds + 1).indexOf(mark));
  const isInOrder = places.every((place, index) => place > (places[index - 1] ?? -1));
  return isInOrder ? null : `after ${rounds} rounds stand ${rest.join(' ')}`;
}
