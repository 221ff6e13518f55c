/** Commands in bulk and in pieces: 100 in one write, and one write in two at every byte. */
import { test } from 'node:test';
import { runCuts } from './cuts.js';
import { expectNone, prepare } from './expectations.js';
import { runPipelines } from './generated-runs.js';
import { seededRandom } from './random.js';
import { sidecar } from './targets.js';

const PIPELINES = 150;
const DEPTH = 100;
const SEED = 20_240_229;

test('pipelines answer the same through the sidecar', async (t) => {
  const { pair, groups } = await prepare(t, sidecar);
  for (const protocol of [2, 3] as const) {
    await t.test(`${PIPELINES} of ${DEPTH} commands, RESP${protocol}`, async (t) => {
      t.diagnostic(`seed ${SEED}`);
      const options = { count: PIPELINES, depth: DEPTH, random: seededRandom(SEED + protocol) };
      expectNone(t, await runPipelines(pair.speaking(protocol), groups, options));
    });
    await t.test(`cut at every byte, RESP${protocol}`, async (t) => {
      expectNone(t, await runCuts(pair.speaking(protocol)));
    });
  }
});
