/**
 * FAULTS.md, the last row: all of it mixed, seeded, then a quiet phase in which everything must drain. This is the smoke
 * size; `npm run test:faults -- --minutes 15` is the same for longer, and docs/reliability.md has a recorded run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FUZZ_SEED } from '../helpers/fuzz.js';
import { describeTotals, randomRun } from '../helpers/random-run.js';

const KILLS = 35;
const ACKNOWLEDGED = 50_000;

test(`${KILLS} kills and ${ACKNOWLEDGED} acknowledged writes of chance: nothing lost, doubled, reordered or false`, async (t) => {
  const lines: string[] = [];
  const totals = await randomRun(t, {
    seed: FUZZ_SEED,
    isEnough: ({ kills, acknowledged }) => kills >= KILLS && acknowledged >= ACKNOWLEDGED,
    faultsPerRound: 14,
    perSecond: 5_000,
    sequential: 60,
    pipelined: 40,
    progress: (line) => lines.push(line),
  });
  t.diagnostic(describeTotals(totals));
  const found = Object.values(totals.found).reduce((sum, count) => sum + count, 0);
  assert.equal(found, 0, `RESPOOL_FUZZ_SEED=${FUZZ_SEED}\n${lines.join('\n')}`);
});
