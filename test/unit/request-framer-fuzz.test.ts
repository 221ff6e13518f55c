import assert from 'node:assert/strict';
import {
  byteByByte,
  cutAtRandom,
  everySplit,
  integerBelow,
  mutated,
  property,
  randomBytes,
  randomTokens,
  type Random,
} from '../helpers/fuzz.js';
import { MIXED_TRAFFIC } from '../helpers/request-corpus.js';
import { modelRequests, type RequestLimits } from '../helpers/request-model.js';
import { readRequests } from '../helpers/request-reader.js';

/** Limits small enough to be met by chance. */
function randomLimits(random: Random): RequestLimits {
  return {
    maxBulkBytes: integerBelow(random, 2) === 0 ? 65_536 : 536_870_912,
    authenticated: integerBelow(random, 2) === 0,
  };
}

/** The framer reads `bytes` as Redis does, wherever they are cut. */
function readsLikeRedis(random: Random, bytes: Buffer, splits: Iterable<Buffer[]>): void {
  const limits = randomLimits(random);
  const expected = modelRequests(bytes, limits);
  const context = JSON.stringify(bytes.toString('latin1'));
  for (const chunks of splits) {
    for (const keeping of ['collect', 'pass-on'] as const) {
      const { frames, error } = readRequests(chunks, limits, keeping);
      assert.deepEqual(
        { frames, error },
        { frames: expected.frames, error: expected.error },
        context,
      );
    }
  }
  const { errorAt } = readRequests(byteByByte(bytes), limits);
  assert.equal(errorAt, expected.errorAt, context);
}

property('mutated traffic is read as Redis reads it, at every split', 150, (random) => {
  const bytes = mutated(random, MIXED_TRAFFIC);
  readsLikeRedis(random, bytes, everySplit(bytes));
});

property('mutated traffic is read as Redis reads it, in many chunks', 3000, (random) => {
  const bytes = mutated(random, MIXED_TRAFFIC);
  readsLikeRedis(random, bytes, [[bytes], cutAtRandom(random, bytes), cutAtRandom(random, bytes)]);
});

property(
  'the parts of the protocol in random order are read as Redis reads them',
  3000,
  (random) => {
    const bytes = randomTokens(random, 1 + integerBelow(random, 30));
    readsLikeRedis(random, bytes, [[bytes], cutAtRandom(random, bytes)]);
  },
);

property('random bytes are read as Redis reads them', 2000, (random) => {
  const bytes = randomBytes(random, integerBelow(random, 200));
  readsLikeRedis(random, bytes, [[bytes], cutAtRandom(random, bytes)]);
});

property(
  'random bytes behind the beginning of a command are read as Redis reads them',
  2000,
  (random) => {
    const begin = Buffer.from('*3\r\n$3\r\nSET\r\n');
    const bytes = Buffer.concat([begin, randomBytes(random, integerBelow(random, 200))]);
    readsLikeRedis(random, bytes, [[bytes], cutAtRandom(random, bytes)]);
  },
);
