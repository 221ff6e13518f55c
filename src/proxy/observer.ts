/**
 * What the hot path counts, in typed arrays: an addition per command and nothing else. `metrics/` reads these arrays
 * when Prometheus scrapes; nobody allocates, formats or looks up a label while a command is on its way.
 */
import { COMMAND_NAMES } from '../command/table.js';

/** Where a command was sent. The labels of `respool_commands_total{route}`. */
export const ROUTES = ['shared', 'pinned', 'local', 'refused'] as const;
export type RouteName = (typeof ROUTES)[number];

/** Upper bounds of the latency buckets, in seconds. */
export const DURATION_BOUNDS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
] as const;

/** Counts per bucket (the last one is +Inf) and the sum, as Prometheus wants them; cumulated only when scraped. */
export class Histogram {
  readonly buckets = new Float64Array(DURATION_BOUNDS_SECONDS.length + 1);
  sumSeconds = 0;

  /** Records `count` commands that each took `milliseconds`. */
  record(milliseconds: number, count: number): void {
    const seconds = milliseconds / 1000;
    let bucket = 0;
    while (bucket < DURATION_BOUNDS_SECONDS.length && seconds > DURATION_BOUNDS_SECONDS[bucket]!)
      bucket += 1;
    this.buckets[bucket]! += count;
    this.sumSeconds += seconds * count;
  }
}

export class Observer {
  /** Index: command id × ROUTES.length + route index. Command ids are positions in COMMAND_NAMES; 0 is `other`. */
  readonly commands = new Float64Array(COMMAND_NAMES.length * ROUTES.length);
  /** From sending a command upstream to its whole reply, by the kind of connection it was sent on. */
  readonly duration = { shared: new Histogram(), pinned: new Histogram() };
  readonly upstreamDuration = new Histogram();
  readonly upstreamFailures = new Map<string, number>();
  protocolErrors = 0;
  connectionsAccepted = 0;
  connectionsRefused = 0;
  clientsClosedForOutput = 0;
  downstreamBytesIn = 0;
  downstreamBytesOut = 0;
  upstreamBytesIn = 0;
  upstreamBytesOut = 0;

  /** `count` replies came `milliseconds` after their commands were sent over a connection of this kind. */
  replied(kind: 'shared' | 'pinned', milliseconds: number, count: number): void {
    this.duration[kind].record(milliseconds, count);
    this.upstreamDuration.record(milliseconds, count);
  }

  /** Counts a failure of the upstream. `reason` is one of a fixed, small set of words. */
  upstreamFailed(reason: string): void {
    this.upstreamFailures.set(reason, (this.upstreamFailures.get(reason) ?? 0) + 1);
  }
}
