/** Random sessions, alone and in crowds, answer the same through the sidecar, byte for byte. */
import { test } from 'node:test';
import { expectNone } from './expectations.js';
import { startPair } from './lock-step.js';
import { seededRandom } from './random.js';
import { runCrowds, runSessions } from './session-fuzz.js';
import { sidecar } from './targets.js';

const SEED = 20_261_121;

test('random sessions go the same way through the sidecar', async (t) => {
  const pair = await startPair(t, sidecar);
  t.diagnostic(`seed ${SEED}`);

  await t.test('one by one', async (t) => {
    const random = seededRandom(SEED);
    expectNone(t, await runSessions(pair, { count: 300, length: 40, random }));
  });

  await t.test('twenty at once, each with keys and channels of its own', async (t) => {
    const random = seededRandom(SEED + 1);
    expectNone(t, await runCrowds(pair, { count: 15, length: 60, random, members: 20 }));
  });
});
