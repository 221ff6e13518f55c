/** What the conformance tests expect of a run: no difference but the accepted ones. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { unexpected } from './accepted-differences.js';
import { caseGroups, type CaseGroup } from './cases.js';
import { readCommandTable } from './command-table.js';
import { readDumps, startPair, type Pair, type Target } from './lock-step.js';
import { report, type Difference } from './report.js';

/** A pair of servers with `target` in front of the second one, and every generated case. */
export async function prepare(
  t: TestContext,
  target: Target,
): Promise<{ pair: Pair; groups: CaseGroup[] }> {
  const pair = await startPair(t, target);
  const table = await readCommandTable(pair.direct.server.port);
  return { pair, groups: caseGroups(table, await readDumps(pair.direct)) };
}

/** Fails with all of `differences` that are not accepted; says how many are. */
export function expectNone(t: TestContext, differences: readonly Difference[]): void {
  const wrong = unexpected(differences);
  const accepted = differences.length - wrong.length;
  if (accepted > 0) t.diagnostic(`${accepted} accepted differences`);
  assert.equal(wrong.length, 0, report(wrong));
}

/** Every `n`-th case of each group. */
export function everyNth(groups: readonly CaseGroup[], n: number): CaseGroup[] {
  return groups.map((group) => ({ ...group, cases: group.cases.filter((_, i) => i % n === 0) }));
}
