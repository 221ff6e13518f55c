/** What a metric is: its name, type, labels and meaning, and how its samples are read. Knows neither prom-client nor HTTP. */
import type { BreakerState } from '../breaker/breaker.js';
import type { Histogram, Observer } from '../proxy/observer.js';
import type { Condition } from '../proxy/status.js';

/** How breaker, journal and replay stand. */
export interface OutageGauges {
  readonly breakerState: BreakerState;
  /** Records not yet replayed, and their bytes. */
  readonly journalRecords: number;
  readonly journalBytes: number;
  /** Of all its files. */
  readonly journalUsedBytes: number;
  readonly journalLimitBytes: number;
  /** Age of the oldest record that waits; 0 when none does. */
  readonly journalOldestSeconds: number;
  /** How many waited when the process began. */
  readonly journalRecoveredRecords: number;
  /** Since the process began, as the next two. */
  readonly journalAppendedTotal: number;
  readonly replayedTotal: number;
  readonly renamedEntriesTotal: number;
  /** Kept at this moment. */
  readonly deadLetters: number;
}

/** Of a sidecar whose upstream lives in the same process. */
export const NEVER_AWAY_GAUGES: OutageGauges = {
  breakerState: 'closed',
  journalRecords: 0,
  journalBytes: 0,
  journalUsedBytes: 0,
  journalLimitBytes: 0,
  journalOldestSeconds: 0,
  journalRecoveredRecords: 0,
  journalAppendedTotal: 0,
  replayedTotal: 0,
  renamedEntriesTotal: 0,
  deadLetters: 0,
};

/** Values that are kept elsewhere, read when Prometheus scrapes. */
export interface Gauges {
  readonly condition: Condition;
  /** Whether the upstream answered last time it was asked. */
  readonly upstreamUp: boolean;
  readonly downstreamConnections: number;
  readonly downstreamConnectionsLimit: number;
  /** Replies that clients have not read yet, over all clients. */
  readonly downstreamPendingBytes: number;
  readonly sharedConnections: number;
  /** Upstream connections that belong to a client at this moment. */
  readonly pinnedConnections: number;
  /** Clean connections that wait to be pinned again. */
  readonly idleConnections: number;
  readonly pinnedConnectionsLimit: number;
  /** Requests that the upstream has not taken yet, over all its connections. */
  readonly upstreamPendingBytes: number;
  /** Commands sent upstream whose reply has not come. */
  readonly inFlightCommands: number;
  /** Commands that wait for a connection to be made. */
  readonly waitingCommands: number;
  readonly outage: OutageGauges;
  /** What the sidecar knows of scripts. */
  readonly scripts: ScriptGauges;
  /** A script keeps the upstream from serving. */
  readonly isBusy: boolean;
}

/** The registry of scripts. */
export interface ScriptGauges {
  readonly count: number;
  /** Bookkeeping included. */
  readonly bytes: number;
}

/** Of a sidecar that lets scripts pass as they come. */
export const NO_SCRIPTS: ScriptGauges = { count: 0, bytes: 0 };

/** Where the samples come from. */
export interface MetricsSource {
  readonly version: string;
  readonly observer: Observer;
  readonly gauges: () => Gauges;
}

/** One line of the exposition. `suffix` is `_bucket`, `_sum` or `_count` for histograms and empty otherwise. */
export interface Sample {
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Label names and the values they can have, for the documentation. */
  readonly labels: Readonly<Record<string, string>>;
  readonly help: string;
  readonly read: (source: MetricsSource) => readonly Sample[];
}

export type Labels = Sample['labels'];

/** The only sample of a label set. */
export function sample(value: number, labels: Labels = {}): Sample {
  return { suffix: '', labels, value };
}

/** The samples of a histogram. The hot path counts each bucket by itself; Prometheus wants each to include those below. */
export function readHistogram(histogram: Histogram, labels: Labels): Sample[] {
  const samples: Sample[] = [];
  let total = 0;
  histogram.buckets.forEach((value, index) => {
    total += value;
    const le = histogram.boundsSeconds[index] ?? '+Inf';
    samples.push({ suffix: '_bucket', labels: { ...labels, le }, value: total });
  });
  samples.push({ suffix: '_sum', labels, value: histogram.sumSeconds });
  samples.push({ suffix: '_count', labels, value: total });
  return samples;
}

/** A counter without labels. */
export function count(
  name: string,
  help: string,
  read: (observer: Observer) => number,
): MetricDefinition {
  return {
    name,
    type: 'counter',
    labels: {},
    help,
    read: ({ observer }) => [sample(read(observer))],
  };
}

/** A gauge without labels. */
export function level(
  name: string,
  help: string,
  read: (gauges: Gauges) => number,
): MetricDefinition {
  return { name, type: 'gauge', labels: {}, help, read: ({ gauges }) => [sample(read(gauges()))] };
}

/** A counter that somebody else keeps. */
export function total(
  name: string,
  help: string,
  read: (gauges: Gauges) => number,
): MetricDefinition {
  const { labels, read: readLevel } = level(name, help, read);
  return { name, type: 'counter', labels, help, read: readLevel };
}

/** A counter with one label. */
export function tally(
  name: string,
  label: string,
  values: readonly string[],
  help: string,
  read: (observer: Observer) => Iterable<readonly [string, number]>,
): MetricDefinition {
  return {
    name,
    type: 'counter',
    labels: { [label]: values.map((value) => `\`${value}\``).join(', ') },
    help,
    read: ({ observer }) =>
      Array.from(read(observer), ([value, times]) => sample(times, { [label]: value })),
  };
}
