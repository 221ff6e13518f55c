/**
 * SEMANTICS §§5–6 by chance: random pipelines of scripts, behind a sidecar whose Redis forgets its scripts all the time or
 * is busy half of the time, are answered to the byte as by a Redis that is left in peace.
 * `npm run test:faults -- twins --minutes 5` is the same for longer.
 */
import { test } from 'node:test';
import { FUZZ_SEED } from '../helpers/fuzz.js';
import { compareTwins } from '../helpers/script-twins.js';

const PIPELINES = 40;

for (const [plague, what] of [
  ['flush', 'a storm of SCRIPT FLUSH'],
  ['busy', 'scripts that run too long'],
] as const) {
  test(`${PIPELINES} random pipelines in ${what}: each reply as by a Redis without`, async (t) => {
    const isEnough = (pipelines: number): boolean => pipelines >= PIPELINES;
    t.diagnostic(await compareTwins(t, { plague, seed: FUZZ_SEED, isEnough }));
  });
}
