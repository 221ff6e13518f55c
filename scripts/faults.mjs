/**
 * The randomised fault run, as long as wanted: kills, freezes, partitions and resets in random order under load, with
 * one ledger that says what was lost, doubled, reordered or false (FAULTS.md, "The checker").
 *
 *   npm run test:faults                              one minute
 *   npm run test:faults -- --minutes 15 --seed 7     longer, and other chance
 *
 * Prints a line after each round and the totals in the end; the exit code is 1 as soon as a round finds something.
 */
import { parseArgs } from 'node:util';
import { prepareOrExit } from './prepare.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '20261121' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  process.stderr.write('usage: npm run test:faults -- [--minutes N] [--seed N]\n');
  process.exit(2);
}

prepareOrExit({ forTests: true });
const { Cleanups } = await import('../build/test/helpers/cleanups.js');
const { describeTotals, randomRun } = await import('../build/test/helpers/random-run.js');

const cleanups = new Cleanups();
const say = (line) => process.stdout.write(`${line}\n`);
try {
  say(`${minutes} minutes, seed ${seed}`);
  const totals = await randomRun(cleanups, {
    seed,
    isEnough: ({ seconds }) => seconds >= minutes * 60,
    faultsPerRound: 30,
    perSecond: 7_000,
    sequential: 100,
    pipelined: 200,
    progress: say,
  });
  say(`\n${describeTotals(totals)}`);
  const isClean = Object.values(totals.found).every((count) => count === 0);
  process.exitCode = isClean ? 0 : 1;
} finally {
  await cleanups.run();
}
