/** An upstream that demands a password, which the sidecar does not have but its clients do. */
import { test } from 'node:test';
import { expectNone } from './expectations.js';
import { startPair } from './lock-step.js';
import { PASSWORD, passwordScenarios } from './scenarios/password.js';
import { runScenarios } from './stage.js';
import { sidecar } from './targets.js';

test('clients authenticate through the sidecar as they do without it', async (t) => {
  const pair = await startPair(t, sidecar, PASSWORD);
  for (const scenario of passwordScenarios) {
    await t.test(scenario.title, async (t) => {
      expectNone(t, await runScenarios(pair, [scenario]));
    });
  }
});
