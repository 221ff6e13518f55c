/** Every command of the upstream's table, one by one, through the sidecar and not: the same bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ONLY_BY_HAND } from './only-by-hand.js';
import { expectNone, prepare } from './expectations.js';
import { runSingle } from './generated-runs.js';
import { SCENARIOS } from './scenarios/all.js';
import { sidecar } from './targets.js';

test('every command answers the same through the sidecar, called alone', async (t) => {
  const { pair, groups } = await prepare(t, sidecar);
  t.diagnostic(`${groups.length} commands, ${groups.flatMap(({ cases }) => cases).length} cases`);

  await t.test('no command of the upstream is left out', () => {
    const names = groups.map(({ entry }) => entry.name);
    const without = groups.filter(({ cases }) => cases.length === 0);
    assert.deepEqual(
      without.map(({ entry }) => entry.name),
      [],
    );
    const unknown = Object.keys(ONLY_BY_HAND).filter((name) => !names.includes(name));
    assert.deepEqual(unknown, [], 'called by hand, but not in the table');
  });

  await t.test('what is said to be scripted is scripted', () => {
    const scripted = new Set(SCENARIOS.flatMap(({ covers }) => covers ?? []));
    const promised = Object.entries(ONLY_BY_HAND).filter(([, { why }]) => why.includes('scripted'));
    assert.deepEqual(
      promised.map(([name]) => name).filter((name) => !scripted.has(name)),
      [],
    );
  });

  for (const protocol of [2, 3] as const) {
    await t.test(`RESP${protocol}`, async (t) => {
      expectNone(t, await runSingle(pair.speaking(protocol), groups));
    });
  }
});
