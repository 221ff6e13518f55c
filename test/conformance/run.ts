/**
 * The conformance runs by hand, while looking for a difference:
 *
 *     node build/test/conformance/run.js sidecar single 2 zadd xadd
 *
 * target, way, protocol version, and the commands to look at (all without).
 */
import { caseGroups } from './cases.js';
import { readCommandTable } from './command-table.js';
import { runPipelines, runSingle, runTransactions } from './generated-runs.js';
import { readDumps, startPair, type Protocol, type Target } from './lock-step.js';
import { seededRandom } from './random.js';
import { report } from './report.js';
import { plainForwarder, sidecar } from './targets.js';

const [targetName = 'sidecar', way = 'single', version = '2', ...names] = process.argv.slice(2);
const targets: Readonly<Record<string, Target>> = {
  sidecar,
  plain: plainForwarder,
};

const cleanups: (() => Promise<void> | void)[] = [];
const cleanup = { after: (fn: () => Promise<void> | void) => void cleanups.unshift(fn) };
try {
  const target = targets[targetName];
  if (target === undefined) throw new Error(`no target ${targetName}`);
  const pair = (await startPair(cleanup, target)).speaking(Number(version) as Protocol);
  const table = await readCommandTable(pair.direct.server.port);
  const groups = caseGroups(table, await readDumps(pair.direct)).filter(
    ({ entry }) => names.length === 0 || names.includes(entry.name),
  );
  const cases = groups.reduce((sum, group) => sum + group.cases.length, 0);
  const start = performance.now();
  const differences =
    way === 'single'
      ? await runSingle(pair, groups)
      : way === 'transaction'
        ? await runTransactions(pair, groups)
        : await runPipelines(pair, groups, { count: 100, depth: 100, random: seededRandom(1) });
  console.log(report(differences));
  console.log([...(globalThis as any).used??[]].join(' '));
  console.log(`${groups.length} commands, ${cases} cases, ${Math.round(performance.now() - start)} ms`);
} finally {
  for (const fn of cleanups) await fn();
}
