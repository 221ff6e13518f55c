/**
 * The randomised run: rounds of faults in random order under load, each round followed by a quiet phase in which
 * everything must drain, and by the ledger's comparison with Redis. Small in `npm test`
 * (`faults/outage-random.test.ts`), long with `npm run test:faults -- --minutes N` (`scripts/faults.mjs`).
 *
 * Chance is seeded: the same seed makes the same faults in the same order; what is in flight then is up to the machine.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { chooseFrom, seededRandom, type Random } from '../conformance/random.js';
import { ChaosForwarder } from './chaos-forwarder.js';
import type { Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import { checkLedger, type Fault, type Verdict } from './ledger-check.js';
import { LedgerLoad } from './ledger-load.js';
import { Ledger } from './ledger.js';
import { OutageRedis } from './outage-redis.js';
import { ANSWER_WITHIN_MS, OutageSidecar } from './outage-sidecar.js';
import { PROMPT, assertBalanced } from './outage-stage.js';
import { FAULT_MIX, RANDOM_FAULTS, type Victims } from './random-faults.js';

export interface RandomRunOptions {
  readonly seed: number;
  /** Whether it has done enough; asked before each round. */
  readonly isEnough: (totals: Totals) => boolean;
  readonly faultsPerRound: number;
  readonly perSecond: number;
  readonly sequential: number;
  readonly pipelined: number;
  /** A line for people after each round. */
  readonly progress?: (line: string) => void;
}

/** What was done and what was found, of all rounds. */
export interface Totals {
  seconds: number;
  rounds: number;
  /** Processes killed with SIGKILL: upstreams and sidecars. */
  kills: number;
  /** All faults, kills included. */
  faults: number;
  acknowledged: number;
  refused: number;
  /** Writes whose clients were told that the outcome is unknown, or lost their socket. */
  ambiguous: number;
  ambiguousPresent: number;
  /** Writes that had no answer at the moment of a fault, however it turned out. */
  inFlightAtFaults: number;
  straggling: number;
  slowestMs: number;
  found: Record<Fault, number>;
}

/** The pipelines of clients: deep enough that much is in flight. */
const DEPTH = 16;
/**
 * Answers may take longer than in the rows of the matrix: here three busy processes share the machine with several
 * hundred clients, and sidecars start in between.
 */
const SLACK_MS = 1_500;
/** One round in so many has scripts among its commands; silence is explained then, and nothing is ambiguous for long. */
const SCRIPTS_IN_ONE_OF = 6;

/** Runs until it is enough, or until the first round in which something was found. `t` ends what is left running. */
export async function randomRun(t: Cleanup, options: RandomRunOptions): Promise<Totals> {
  const random = seededRandom(options.seed);
  const redis = await OutageRedis.start(t);
  const network = await ChaosForwarder.start(t, redis.port);
  const sidecar = await OutageSidecar.start(t, network.port);
  const startedAt = performance.now();
  const totals = nothingYet();
  while (!options.isEnough(totals)) {
    const victims = { redis, network, sidecar, random };
    const { verdict, inFlight, slowestMs, history } = await round(
      t,
      victims,
      options,
      totals.rounds,
    );
    totals.rounds += 1;
    totals.seconds = (performance.now() - startedAt) / 1_000;
    totals.kills = redis.kills + sidecar.kills;
    totals.faults += history.length;
    totals.acknowledged += verdict.acknowledged;
    totals.refused += verdict.refused;
    totals.ambiguous += verdict.ambiguous;
    totals.ambiguousPresent += verdict.ambiguousPresent;
    totals.straggling += verdict.straggling;
    totals.inFlightAtFaults += inFlight;
    totals.slowestMs = Math.max(totals.slowestMs, slowestMs);
    for (const fault of faultNames(verdict)) totals.found[fault] += verdict.faults[fault];
    options.progress?.(describeTotals(totals));
    if (faultNames(verdict).some((fault) => verdict.faults[fault] > 0)) {
      options.progress?.(`seed ${options.seed}, round ${totals.rounds}: ${history.join(', ')}`);
      options.progress?.(verdict.report);
      break;
    }
    await redis.ask('FLUSHALL');
    await redis.ask('BGREWRITEAOF');
    await eventually('the append-only file is small again', async () =>
      (await redis.ask('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'),
    );
  }
  return totals;
}

/** One line. */
export function describeTotals(totals: Totals): string {
  const { lost, doubled, reordered, phantom, split, hung, late, stale, wrongType } = totals.found;
  return [
    `${Math.round(totals.seconds)} s, ${totals.rounds} rounds`,
    `${totals.faults} faults, ${totals.kills} kills`,
    `${totals.acknowledged} acknowledged, ${totals.refused} refused`,
    `${totals.ambiguous} ambiguous (${totals.ambiguousPresent} took effect)`,
    `${totals.inFlightAtFaults} in flight at faults`,
    `lost ${lost} doubled ${doubled} reordered ${reordered} phantom ${phantom} split ${split}`,
    `hung ${hung} late ${late} stale ${stale} wrong type ${wrongType}`,
    `slowest ${Math.round(totals.slowestMs)} ms`,
  ].join(' · ');
}

async function round(
  t: Cleanup,
  victims: Omit<Victims, 'onStrike'>,
  options: RandomRunOptions,
  number: number,
): Promise<{ verdict: Verdict; inFlight: number; slowestMs: number; history: string[] }> {
  const { redis, network, sidecar, random } = victims;
  const ledger = new Ledger();
  const hasScripts = number % SCRIPTS_IN_ONE_OF === SCRIPTS_IN_ONE_OF - 1;
  const load = new LedgerLoad(ledger, {
    port: sidecar.port,
    sequential: options.sequential,
    pipelined: options.pipelined,
    depth: DEPTH,
    perSecond: options.perSecond,
    isVaried: true,
    assertAlive: () => sidecar.assertAlive(),
    seed: options.seed + number,
    deeds: hasScripts ? [...PROMPT, 'script'] : PROMPT,
    ...(hasScripts ? {} : { answerWithinMs: ANSWER_WITHIN_MS + SLACK_MS }),
  });
  t?.after(() => load.close());
  let inFlight = 0;
  const onStrike = (): void => void (inFlight += load.inFlight);
  const history: string[] = [];
  await load.untilMore(200);
  while (history.length < options.faultsPerRound) {
    const name = chooseFrom(random, FAULT_MIX);
    history.push(name);
    await RANDOM_FAULTS[name]?.({ ...victims, onStrike });
    await pause(betweenFaultsMs(random));
  }
  // The quiet phase: nothing goes wrong any more, so everything must come to rest by itself.
  network.heal();
  redis.thaw();
  await load.finish();
  await sidecar.untilDrained();
  await assertBalanced(sidecar);
  await eventually('nothing of ours is left in the upstream', async () => {
    return (await redis.ask('KEYS', 'respool:*')) === '*0\r\n';
  });
  const verdict = await checkLedger(ledger, redis.port);
  return { verdict, inFlight, slowestMs: ledger.slowestMs, history };
}

/** Sometimes the next fault comes before the last one is over, sometimes when all is well again. */
function betweenFaultsMs(random: Random): number {
  return random() < 0.5 ? random() * 150 : 150 + random() * 700;
}

function faultNames({ faults }: Verdict): Fault[] {
  return Object.keys(faults) as Fault[];
}

function nothingYet(): Totals {
  return {
    ...{ seconds: 0, rounds: 0, kills: 0, faults: 0, acknowledged: 0, refused: 0, ambiguous: 0 },
    ...{ ambiguousPresent: 0, inFlightAtFaults: 0, straggling: 0, slowestMs: 0 },
    found: {
      ...{ lost: 0, doubled: 0, reordered: 0, phantom: 0, split: 0 },
      ...{ hung: 0, late: 0, stale: 0, wrongType: 0 },
    },
  };
}
