/**
 * The last hour in figures: a point each five seconds, made of what the observer has counted between two looks. The hot
 * path is not told of it. Bounded (I6): 720 points, a few hundred bytes each; gone with the process: what is to be kept
 * for longer is Prometheus' business.
 *
 *   counters ──look──► difference ──► point ──► │ 720 points, oldest leaves first │ ──► the status page
 */
import { DURATION_BOUNDS_SECONDS, ROUTES, type Observer } from '../proxy/observer.js';

/** What is looked at besides the observer. */
export interface Levels {
  readonly journalRecords: number;
  readonly clients: number;
}

/** Some seconds of the sidecar's life. */
export interface Point {
  /** When these seconds were over, in milliseconds since the epoch. */
  readonly wallMs: number;
  /** Commands a second, in the order of `ROUTES`. */
  readonly rates: readonly number[];
  /** Milliseconds from sending to the reply on shared connections, where nothing blocks; null when there was none. */
  readonly median: number | null;
  readonly slowest: number | null;
  readonly journalRecords: number;
  readonly clients: number;
}

/** Between two points. */
export const POINT_PERIOD_MS = 5000;
const MOST_POINTS = 720;
/** `slowest` is what one in a hundred took, or longer. */
const SLOWEST_QUANTILE = 0.99;

/** Counters at one moment. */
interface Look {
  readonly atMs: number;
  readonly totals: readonly number[];
  readonly buckets: Float64Array;
}

export class History {
  private last: Look | null = null;
  private kept: Point[] = [];

  constructor(private readonly observer: Observer) {}

  /** Oldest first. */
  get points(): readonly Point[] {
    return this.kept;
  }

  /** Looks at the counters, at `atMs` of the monotonic clock. The first look makes no point. */
  look(atMs: number, wallMs: number, { journalRecords, clients }: Levels): void {
    const { last } = this;
    const now = this.counters(atMs);
    this.last = now;
    if (last === null || atMs <= last.atMs) return;
    const seconds = (atMs - last.atMs) / 1000;
    const took = now.buckets.map((count, bucket) => count - last.buckets[bucket]!);
    const rates = now.totals.map((total, route) => (total - last.totals[route]!) / seconds);
    const [median, slowest] = [quantileMs(took, 0.5), quantileMs(took, SLOWEST_QUANTILE)];
    if (this.kept.length === MOST_POINTS) this.kept.shift();
    this.kept.push({ wallMs, rates, median, slowest, journalRecords, clients });
  }

  private counters(atMs: number): Look {
    const { commands, duration } = this.observer;
    const totals = totalsByRoute(commands);
    return { atMs, totals, buckets: duration.shared.buckets.slice() };
  }
}

/** Commands since the process began, in the order of `ROUTES`. */
export function totalsByRoute(commands: Observer['commands']): readonly number[] {
  const totals = ROUTES.map(() => 0);
  commands.forEach((count, index) => (totals[index % ROUTES.length]! += count));
  return totals;
}

/**
 * The time that a share of the replies did not exceed, in milliseconds: as exact as the buckets, straight between their
 * bounds. Null when there were no replies; what is beyond the last bound counts as that bound.
 */
export function quantileMs(counts: Float64Array, share: number): number | null {
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  if (wanted <= 0) return null;
  let below = 0;
  for (const [bucket, upper] of DURATION_BOUNDS_SECONDS.entries()) {
    const count = counts[bucket]!;
    if (count > 0 && below + count >= wanted) {
      const lower = DURATION_BOUNDS_SECONDS[bucket - 1] ?? 0;
      return (lower + ((upper - lower) * (wanted - below)) / count) * 1000;
    }
    below += count;
  }
  return DURATION_BOUNDS_SECONDS.at(-1)! * 1000;
}
