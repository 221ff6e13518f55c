/**
 * The conformance runs by hand, while looking for a difference:
 *
 *     node build/test/conformance/run.js sidecar single 2 zadd xadd
 *
 * target (`sidecar`, `plain`), way (`single`, `transaction`, `pipeline`, `cuts`, `sessions`, `crowds`, `scenarios`),
 * protocol version, and parts of the names of commands or scenarios (without: all).
 */
import { caseGroups, type CaseGroup } from './cases.js';
import { runCuts } from './cuts.js';
import { readCommandTable } from './command-table.js';
import { runPipelines, runSingle, runTransactions } from './generated-runs.js';
import { readDumps, startPair, type Pair, type Protocol, type Target } from './lock-step.js';
import { seededRandom } from './random.js';
import { report, type Difference } from './report.js';
import { SCENARIOS } from './scenarios/all.js';
import { runCrowds, runSessions } from './session-fuzz.js';
import { runScenarios } from './stage.js';
import { plainForwarder, sidecar } from './targets.js';

const RUNS: Readonly<Record<string, Run>> = {
  single: runSingle,
  transaction: runTransactions,
  pipeline: (pair, groups) =>
    runPipelines(pair, groups, { count: 100, depth: 100, random: seededRandom(1) }),
  cuts: (pair) => runCuts(pair),
  sessions: (pair) => runSessions(pair, { count: 300, length: 40, random: seededRandom(1) }),
  crowds: (pair) =>
    runCrowds(pair, { count: 30, length: 60, random: seededRandom(1), members: 20 }),
  scenarios: (pair) =>
    runScenarios(
      pair,
      SCENARIOS.filter(({ title }) => isNamed(title)),
    ),
};

type Run = (pair: Pair, groups: readonly CaseGroup[]) => Promise<Difference[]>;

const TARGETS: Readonly<Record<string, Target>> = { sidecar, plain: plainForwarder };

const [targetName = 'sidecar', way = 'single', version = '2', ...names] = process.argv.slice(2);

const cleanups: (() => Promise<void> | void)[] = [];
const cleanup = { after: (fn: () => Promise<void> | void) => void cleanups.unshift(fn) };
try {
  const [target, run] = [TARGETS[targetName], RUNS[way]];
  if (target === undefined || run === undefined) throw new Error(`what is ${targetName} ${way}?`);
  const pair = (await startPair(cleanup, target)).speaking(Number(version) as Protocol);
  const table = await readCommandTable(pair.direct.server.port);
  const groups = caseGroups(table, await readDumps(pair.direct));
  const startedAt = performance.now();
  const chosen = groups.filter(({ entry }) => isNamed(entry.name));
  console.log(report(await run(pair, chosen)));
  console.log(`${Math.round(performance.now() - startedAt)} ms`);
} finally {
  for (const fn of cleanups) await fn();
}

function isNamed(name: string): boolean {
  return names.length === 0 || names.some((part) => name.includes(part));
}
