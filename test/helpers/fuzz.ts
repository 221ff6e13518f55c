/**
 * Property tests with seeded chance: the same run every time, another one with RESPOOL_FUZZ_SEED=<number>. A failure
 * names the seed and the round, so that it can be had again.
 */
import { test } from 'node:test';
import { chooseFrom, seededRandom, type Random } from '../conformance/random.js';

export { chooseFrom, type Random };

/** Fixed, so that a red run is red again; the environment is read here and nowhere else. */
export const FUZZ_SEED = Number(process.env.RESPOOL_FUZZ_SEED ?? 20_261_121);

/** A test that holds `rounds` times; each round has chance of its own. */
export function property(name: string, rounds: number, holds: (random: Random) => void): void {
  test(name, () => {
    for (let round = 0; round < rounds; round += 1) {
      try {
        holds(seededRandom(FUZZ_SEED + round * 7919));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`RESPOOL_FUZZ_SEED=${FUZZ_SEED}, round ${round}: ${reason}`, {
          cause: error,
        });
      }
    }
  });
}

/** A whole number in [0, below). */
export function integerBelow(random: Random, below: number): number {
  return Math.floor(random() * below);
}

export function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => integerBelow(random, 256)));
}

/** Bytes that look like RESP most of the time: the parts of the protocol in random order. */
export function randomTokens(random: Random, count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, () => Buffer.from(chooseFrom(random, TOKENS), 'latin1')),
  );
}

/** `bytes` with one to four small accidents. */
export function mutated(random: Random, bytes: Buffer): Buffer {
  let result = bytes;
  for (let left = 1 + integerBelow(random, 4); left > 0; left -= 1) result = mutate(random, result);
  return result;
}

function mutate(random: Random, bytes: Buffer): Buffer {
  const at = integerBelow(random, bytes.length + 1);
  const until = Math.min(bytes.length, at + 1 + integerBelow(random, 4));
  const before = bytes.subarray(0, at);
  switch (integerBelow(random, 6)) {
    case 0:
      return Buffer.concat([before, bytes.subarray(until)]);
    case 1:
      return Buffer.concat([before, bytes.subarray(at, until), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([before, randomBytes(random, 1), bytes.subarray(at + 1)]);
    case 3:
      return Buffer.concat([before, randomTokens(random, 1), bytes.subarray(until)]);
    case 4:
      return Buffer.concat([before, randomTokens(random, 1), bytes.subarray(at)]);
    default:
      return integerBelow(random, 4) === 0 ? Buffer.from(before) : bytes;
  }
}

const TOKENS = [
  ...['*', '$', '+', '-', ':', '_', '#', ',', '(', '!', '=', '~', '%', '|', '>', '?', 'PING', 'k'],
  ...['\r\n', '\r\n', '\r\n', '\r', '\n', '\0', ' ', '\t', '\v', '"', "'", '\\', '\\x41', '\xff'],
  ...['0', '1', '2', '3', '4', '11', '-1', '-0', '01', '16385', '536870912', '536870913'],
  ...[
    '*1\r\n',
    '*2\r\n',
    '$4\r\nPING\r\n',
    '$0\r\n\r\n',
    '$1\r\nk\r\n',
    '2147483647',
    '2147483648',
  ],
  ...[
    '9223372036854775807',
    '-9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
  ],
];

/** `bytes` in chunks of random lengths. */
export function cutAtRandom(random: Random, bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  const longest = 1 + integerBelow(random, 20);
  for (let at = 0; at < bytes.length;) {
    const length = 1 + integerBelow(random, longest);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}

/** Whole, byte by byte, and every split in two. */
export function* everySplit(bytes: Buffer): Generator<Buffer[]> {
  yield [bytes];
  yield byteByByte(bytes);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    yield [bytes.subarray(0, cut), bytes.subarray(cut)];
  }
}
