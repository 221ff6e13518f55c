/**
 * When an upstream that is away is asked again: the first time soon, then ever more rarely. One that comes and goes does
 * not begin anew each time: the first pause of each outage is longer than the one before, until it has been steady.
 *
 *   one outage       open 250 ── 375 ── 562 ── 844 … ≤ longest, each ±25 %
 *   flapping         open 250 closed open 375 closed open 562 … ≤ 2 s
 */
import { Backoff } from '../base/backoff.js';

export interface ProbeScheduleOptions {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

const FACTOR = 1.5;
const JITTER = 0.25;
/** Closed for this long, an upstream has been steady. */
const STEADY_MS = 10_000;
/** Longest first pause of one that is not: it may be steady from now on, and then nobody should have to wait. */
const LONGEST_FIRST_PAUSE_MS = 2000;

export class ProbeSchedule {
  private firstPauseMs: number;
  private closedAtMs: number | null = null;
  private backoff: Backoff;

  constructor(private readonly options: ProbeScheduleOptions) {
    this.firstPauseMs = options.firstPauseMs;
    this.backoff = this.newBackoff();
  }

  /** An outage begins. */
  opened(nowMs: number): void {
    const { firstPauseMs, longestPauseMs } = this.options;
    const isFlapping = this.closedAtMs !== null && nowMs - this.closedAtMs < STEADY_MS;
    const longest = Math.min(LONGEST_FIRST_PAUSE_MS, longestPauseMs);
    this.firstPauseMs = isFlapping
      ? Math.max(firstPauseMs, Math.min(longest, this.firstPauseMs * FACTOR))
      : firstPauseMs;
    this.backoff = this.newBackoff();
  }

  closed(nowMs: number): void {
    this.closedAtMs = nowMs;
  }

  /** The pause before the next probe, in milliseconds. */
  next(): number {
    return this.backoff.next();
  }

  private newBackoff(): Backoff {
    const { random, longestPauseMs } = this.options;
    const { firstPauseMs: firstMs } = this;
    const maxMs = Math.max(firstMs, longestPauseMs);
    return new Backoff({ firstMs, maxMs, factor: FACTOR, jitter: JITTER, random });
  }
}
