/** Sessions, transactions, subscriptions, waiting, tracking, protocol errors: step by step the same. */
import { test } from 'node:test';
import { expectNone } from './expectations.js';
import { startPair } from './lock-step.js';
import { SCENARIOS } from './scenarios/all.js';
import { runScenarios } from './stage.js';
import { sidecar } from './targets.js';

test('scripted cases go the same way through the sidecar', async (t) => {
  const pair = await startPair(t, sidecar);
  for (const scenario of SCENARIOS) {
    await t.test(scenario.title, async (t) => {
      expectNone(t, await runScenarios(pair, [scenario]));
    });
  }
});
