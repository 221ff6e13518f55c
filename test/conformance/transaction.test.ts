/** Every command of the upstream's table inside MULTI … EXEC: what is queued, refused, executed. */
import { test } from 'node:test';
import { expectNone, prepare } from './expectations.js';
import { runTransactions } from './generated-runs.js';
import { sidecar } from './targets.js';

test('every command answers the same through the sidecar, in a transaction', async (t) => {
  const { pair, groups } = await prepare(t, sidecar);
  for (const protocol of [2, 3] as const) {
    await t.test(`RESP${protocol}`, async (t) => {
      expectNone(t, await runTransactions(pair.speaking(protocol), groups));
    });
  }
});
