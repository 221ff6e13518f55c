/**
 * Loads side by side: every target takes its turn with every load in each round. The scenarios that compare rates are
 * made of this; they differ in who takes part, in the loads and in what is asked of the result.
 */
import { measure, put, type Load, type LoadSample } from './load.js';
import type { Target, TargetName } from './peers.js';
import { scaled, type Goal, type Scenario, type Settings } from './scenario.js';
import { format, table } from './table.js';
import { Results } from './turns.js';

/** A load and what tables call it. */
export interface NamedLoad extends Load {
  readonly label: string;
}

/** Who takes part, running. */
export interface Participants {
  readonly targets: readonly Target[];
  /** The Redis behind all the others; null where nothing is behind them. */
  readonly direct: Target | null;
  /** Takes a measurement with what has to be done before it and seen to afterwards, outside of its time. */
  around?(target: Target, load: Load, take: () => Promise<LoadSample>): Promise<LoadSample>;
  /** Ends all of it; resolves when nothing is left. */
  stop(): Promise<void>;
}

/** A scenario that compares rates. */
export interface Comparison {
  readonly name: string;
  readonly title: string;
  readonly needsOtherBuild?: true;
  /** What a reader must know besides, in the method's paragraph. */
  readonly note?: string;
  readonly start: (settings: Settings) => Promise<Participants>;
  readonly loads: readonly NamedLoad[];
  /** What is asked of one load's results. */
  readonly goals: (results: Results<LoadSample>, label: string) => Goal[];
}

const HEADER = ['', 'commands/s', 'p50 ms', 'p99 ms', 'CPU µs/command'];
const HEADER_BEHIND = 'of Redis behind it';

/** Makes the scenario. */
export function comparison(what: Comparison): Scenario {
  const { goals, note, start, loads: fullLoads, ...names } = what;
  return {
    ...names,
    async run(settings) {
      const loads = fullLoads.map((load) => ({
        ...load,
        requests: scaled(settings, load.requests, load.clients * load.pipeline),
        keys: scaled(settings, load.keys),
      }));
      const field = await start(settings);
      try {
        const results = await takeTurns(settings.rounds, field, loads);
        return {
          method: [methodOf(loads, settings.rounds), note].join(' ').trim(),
          table: table(
            field.direct === null ? HEADER : [...HEADER, HEADER_BEHIND],
            rowsOf(results, field, loads),
          ),
          goals: loads.flatMap(({ label }) => goals(results, label)),
        };
      } finally {
        await field.stop();
      }
    },
  };
}

/** A value of the sidecar's over the same of a peer's, in the same round; the median of the rounds. */
export function over(
  results: Results<LoadSample>,
  [ours, theirs]: readonly [TargetName, TargetName],
  label: string,
  value: 'perSecond' | 'cpuMicros',
): number {
  return results.medianOfRounds([ours, theirs], label, (one, other) => one[value] / other[value]);
}

async function takeTurns(
  rounds: number,
  field: Participants,
  loads: readonly NamedLoad[],
): Promise<Results<LoadSample>> {
  const { targets, direct } = field;
  for (const target of targets) for (const load of loads) await warmUp(target, load);
  const labels = loads.map(({ label }) => label);
  return Results.of(rounds, targets, labels, (target, label) => {
    const load = loads.find((one) => one.label === label);
    if (load === undefined) throw new Error(`unreachable: the loads are named, and not ${label}`);
    const take = (): Promise<LoadSample> => measure(target, direct, load);
    return field.around?.(target, load, take) ?? take();
  });
}

/** A sidecar runs for weeks: what compiles itself while it runs gets the time to. Also fills the key space. */
async function warmUp(target: Target, load: NamedLoad): Promise<void> {
  await put(target.port, { ...load, requests: Math.max(load.requests / 2, load.keys * 5) });
}

function methodOf(loads: readonly NamedLoad[], rounds: number): string {
  const counts = [...new Set(loads.map(({ requests }) => format(requests)))].join(' or ');
  return (
    `Medians of ${rounds} rounds. In each, every row is one run of redis-benchmark with ${counts} commands; ` +
    'all were warmed up before. CPU is that of the process itself, threads included.'
  );
}

function rowsOf(
  results: Results<LoadSample>,
  { targets, direct }: Participants,
  loads: readonly NamedLoad[],
): string[][] {
  return loads.flatMap(({ label }) =>
    targets.map(({ name: target }) => {
      const cell = (key: keyof LoadSample, digits: number): string =>
        format(
          results.median(target, label, (sample) => sample[key]),
          digits,
        );
      return [
        `${label} ${target}`,
        cell('perSecond', 0),
        cell('p50Ms', 2),
        cell('p99Ms', 2),
        cell('cpuMicros', 2),
        ...(direct === null ? [] : [cell('redisCpuMicros', 2)]),
      ];
    }),
  );
}
