/**
 * The fault runs that `npm test` has in small, as long as wanted.
 *
 *   npm run test:faults                              randomised, one minute
 *   npm run test:faults -- --minutes 15 --seed 7     longer, and other chance
 *   npm run test:faults -- scripts --count 50000     so many scripts in a storm of SCRIPT FLUSH
 *   npm run test:faults -- busy --seconds 1,5,20     scripts of so many seconds that keep Redis busy
 *   npm run test:faults -- twins --minutes 5         random pipelines of scripts in both, compared with bare Redis
 *
 * Randomised: kills, freezes, partitions and resets in random order under load, with one ledger that says what was lost,
 * doubled, reordered or false (FAULTS.md, "The checker"); a line after each round and the totals in the end. The exit code
 * is 1 as soon as something is found.
 */
import { parseArgs } from 'node:util';
import { prepareOrExit } from './prepare.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '20261121' },
    count: { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '1,5,20' },
  },
});
const numbers = {
  minutes: Number(values.minutes),
  seed: Number(values.seed),
  count: Number(values.count),
  seconds: values.seconds.split(',').map(Number),
};
const RUNS = { random, scripts, busy, twins };
const [name = 'random', ...more] = positionals;
const isUnderstood =
  name in RUNS &&
  more.length === 0 &&
  [numbers.minutes, numbers.count, ...numbers.seconds].every((number) => number > 0) &&
  Number.isInteger(numbers.seed);
if (!isUnderstood) {
  const usage =
    '[random | twins] [--minutes N] [--seed N] | scripts [--count N] | busy [--seconds N,N]';
  process.stderr.write(`usage: npm run test:faults -- ${usage}\n`);
  process.exit(2);
}

prepareOrExit({ forTests: true });
const { Cleanups } = await import('../build/test/helpers/cleanups.js');
const cleanups = new Cleanups();
try {
  await RUNS[name](cleanups, numbers);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
} finally {
  await cleanups.run();
}

async function random(t, { minutes, seed }) {
  const { describeTotals, randomRun } = await import('../build/test/helpers/random-run.js');
  say(`${minutes} minutes, seed ${seed}`);
  const totals = await randomRun(t, {
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
}

async function scripts(t, { count }) {
  const { stormRun } = await import('../build/test/helpers/script-storm.js');
  say(await stormRun(t, count));
}

async function busy(t, { seconds }) {
  const { busyRun } = await import('../build/test/helpers/busy-run.js');
  for (const sent of ['directly', 'through the sidecar']) say(await busyRun(t, seconds, sent));
}

async function twins(t, { minutes, seed }) {
  const { compareTwins } = await import('../build/test/helpers/script-twins.js');
  for (const plague of ['flush', 'busy']) {
    const deadline = performance.now() + minutes * 30_000;
    const isEnough = () => performance.now() > deadline;
    say(`${plague}: ${await compareTwins(t, { plague, seed, isEnough })}`);
  }
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
