/**
 * The benchmark: `npm run bench`. Runs the scenarios one after another, prints a table for each and, with `--write`,
 * puts the tables into bench/README.md. Nothing here knows how anything is measured.
 */
import { join, resolve } from 'node:path';
import { mainFile, projectRoot } from '../test/helpers/project.js';
import { parseArguments, USAGE, type BenchArguments } from './arguments.js';
import { machine, occasion, writeBlocks } from './readme.js';
import { goalsTable, type Goal, type Scenario } from './scenario.js';
import { interference } from './scenarios/interference.js';
import { latency } from './scenarios/latency.js';
import { memory } from './scenarios/memory.js';
import { outageReads, outageWrites } from './scenarios/outage-load.js';
import { replay } from './scenarios/replay.js';
import { scripts } from './scenarios/scripts.js';
import { switchOver } from './scenarios/switch.js';
import { embedded, idle, largeValues, oneByOne, pipelined } from './scenarios/throughput.js';

const SCENARIOS: readonly Scenario[] = [
  oneByOne,
  pipelined,
  latency,
  largeValues,
  memory,
  embedded,
  interference,
  scripts,
  outageWrites,
  outageReads,
  replay,
  switchOver,
  idle,
];

async function main(): Promise<number> {
  const args = parseArguments(process.argv.slice(2));
  if (args === null) {
    const lines = SCENARIOS.map(({ name, title }) => `  ${name.padEnd(14)} ${title}\n`);
    process.stdout.write(`${USAGE}\nscenarios:\n${lines.join('')}`);
    return 0;
  }
  const goals: Goal[] = [];
  for (const scenario of chosen(args)) goals.push(...(await runOne(scenario, args)));
  process.stdout.write(`\n## Goals\n\n${goalsTable(goals)}`);
  return 0;
}

async function runOne(scenario: Scenario, args: BenchArguments): Promise<readonly Goal[]> {
  const when = occasion();
  process.stderr.write(`${scenario.name} (${when})\n`);
  const { method, table, goals } = await scenario.run({
    rounds: args.rounds,
    scale: args.scale,
    mainFile: mainFile(),
    otherMainFile: args.compare === null ? null : resolve(args.compare),
  });
  process.stdout.write(`\n## ${scenario.title}\n\n${method}\n\n${table}`);
  if (args.write) {
    const body = `${method} ${when}.\n\n${table}\n${goalsTable(goals)}`;
    const blocks = new Map([
      ['machine', machine()],
      [scenario.name, body],
    ]);
    writeBlocks(join(projectRoot, 'bench', 'README.md'), blocks);
  }
  return goals;
}

function chosen({ only, compare }: BenchArguments): readonly Scenario[] {
  const unknown = only.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new Error(`there is no scenario called "${unknown}"`);
  const lacking = SCENARIOS.filter((scenario) => scenario.needsOtherBuild && compare === null);
  const named = lacking.find(({ name }) => only.includes(name));
  if (named !== undefined) throw new Error(`"${named.name}" compares two builds: --compare FILE`);
  if (only.length === 0) return SCENARIOS.filter((scenario) => !lacking.includes(scenario));
  return SCENARIOS.filter(({ name }) => only.includes(name));
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
