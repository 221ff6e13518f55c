/**
 * Random pipelines of scripts and what stands around them, for `script-twins.ts`: every kind of answer, calls that Redis
 * refuses for any reason, and transactions. What two servers may rightly answer differently is not among them.
 */
import { chooseFrom, integerBelow, type Random } from './fuzz.js';
import { shaOf } from './script-stage.js';

export type Sentence = readonly string[];

/** A user who may not touch every key, nor say every command. */
export const LIMITED_USER: Sentence = ['bob', 'on', '>pw', '~ours:*', '+@all', '-hset'];

export const SOURCES: readonly string[] = [
  "return redis.call('INCR', KEYS[1])",
  "return redis.call('GET', KEYS[1])",
  "return {redis.call('RPUSH', KEYS[1] .. ':list', 'x'), 'y'}",
  "return redis.error_reply('MINE is an error')",
  "error('thrown')",
  "return string.rep('z', 30000)",
  "return {1, {2, {3, 'x'}}, false, redis.status_reply('FINE')}",
  "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])",
  "return redis.pcall('LPUSH', KEYS[1], 'x')",
  "redis.setresp(3) return redis.call('HGETALL', KEYS[1] .. ':hash')",
];

/** Of a pipeline in a storm: anything, in any order. */
export function anySentences(random: Random): Sentence[] {
  return Array.from({ length: 5 + integerBelow(random, 60) }, () => anySentence(random));
}

/**
 * Of a pipeline in episodes of BUSY: what Redis runs, or refuses, while it is busy would overtake what it does not, so all
 * of it is valid and transactions are whole.
 */
export function validSentences(random: Random): Sentence[] {
  const sentences: Sentence[] = [];
  for (let left = 5 + integerBelow(random, 40); left > 0; left -= 1) {
    if (random() < 0.75) sentences.push(validSentence(random));
    else {
      const queued = Array.from({ length: 1 + integerBelow(random, 6) }, () =>
        random() < 0.1 ? ['SELECT', String(integerBelow(random, 2))] : validSentence(random),
      );
      sentences.push(['MULTI'], ...queued, [random() < 0.85 ? 'EXEC' : 'DISCARD']);
    }
  }
  return sentences;
}

function anySentence(random: Random): Sentence {
  const chance = random();
  if (chance < 0.65) return validSentence(random);
  if (chance < 0.7) return brokenCall(random);
  if (chance < 0.78) return ['MULTI'];
  if (chance < 0.9) return ['EXEC'];
  const others = [
    'DISCARD',
    'WATCH ours:a',
    'UNWATCH',
    'SELECT 1',
    'SELECT 0',
    'HELLO 2',
    'HELLO 3',
  ];
  others.push('CLIENT TRACKING OFF', 'NOSUCHCOMMAND x', 'HSET ours:a:hash f v', 'SET theirs 5');
  return chooseFrom(random, others).split(' ');
}

function validSentence(random: Random): Sentence {
  const key = chooseFrom(random, ['ours:a', 'ours:b', 'ours:a', 'ours:b', 'theirs']);
  const source = chooseFrom(random, SOURCES);
  const chance = random();
  if (chance < 0.65) {
    const name = random() < 0.15 ? 'EVALSHA_RO' : 'evalsha';
    const sha = random() < 0.2 ? shaOf(source).toUpperCase() : shaOf(source);
    return [name, sha, '1', key];
  }
  if (chance < 0.69) return ['EVAL', source, '1', key];
  if (chance < 0.72) return ['SCRIPT', 'LOAD', source];
  const others = [['GET', key], ['INCR', key], ['SET', key, '5'], ['PING']];
  return chooseFrom(random, [...others, ['BLPOP', 'ours:a:list', '0.01']]);
}

function brokenCall(random: Random): Sentence {
  const sha = shaOf(chooseFrom(random, SOURCES));
  return chooseFrom(random, [
    ['EVALSHA', sha],
    ['EVALSHA', sha, 'x', 'ours:a'],
    ['EVALSHA', sha, '9', 'ours:a'],
    ['EVALSHA', 'short', '0'],
  ]);
}
