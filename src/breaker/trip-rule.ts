/**
 * When failures are too many: so many in a row, or, where a rate is set, too large a part of all calls in the last
 * while. Counts and answers; what follows is the breaker's business.
 */
import type { Clock } from '../base/clock.js';

/** Trips when `ratio` (0–1) of the calls of the last `windowMs` failed, once there were at least `minimumCalls`. */
export interface FailureRate {
  readonly windowMs: number;
  readonly minimumCalls: number;
  readonly ratio: number;
}

export interface TripRuleOptions {
  readonly clock: Clock;
  /** So many in a row. */
  readonly failures: number;
  readonly rate: FailureRate | null;
}

/** The window moves on in steps of a tenth, so that forgetting needs no list of calls. */
const SLICES = 10;

export class TripRule {
  consecutiveFailures = 0;
  private readonly window: SlidingWindow | null;

  constructor(private readonly options: TripRuleOptions) {
    const { clock, rate } = options;
    this.window = rate === null ? null : new SlidingWindow(clock, rate.windowMs / SLICES);
  }

  succeeded(calls: number): void {
    this.consecutiveFailures = 0;
    this.window?.add(calls, 0);
  }

  /** One call failed. True: that is too much. */
  failed(): boolean {
    this.consecutiveFailures += 1;
    this.window?.add(1, 1);
    return this.consecutiveFailures >= this.options.failures || this.isRatePassed;
  }

  /** Forgets everything. */
  reset(): void {
    this.consecutiveFailures = 0;
    this.window?.clear();
  }

  private get isRatePassed(): boolean {
    const { rate } = this.options;
    if (rate === null || this.window === null) return false;
    const { calls, failures } = this.window.sums();
    return calls >= rate.minimumCalls && failures >= rate.ratio * calls;
  }
}

/** A ring of slices of time, each with what happened in it. */
class SlidingWindow {
  private readonly calls = new Float64Array(SLICES);
  private readonly failures = new Float64Array(SLICES);
  /** Number of the newest slice since the clock began; its place in the ring is the remainder. */
  private newest = 0;

  constructor(
    private readonly clock: Clock,
    private readonly sliceMs: number,
  ) {}

  add(calls: number, failures: number): void {
    const place = this.moveOn() % SLICES;
    this.calls[place]! += calls;
    this.failures[place]! += failures;
  }

  sums(): { calls: number; failures: number } {
    this.moveOn();
    const sum = (slices: Float64Array): number => slices.reduce((total, one) => total + one, 0);
    return { calls: sum(this.calls), failures: sum(this.failures) };
  }

  clear(): void {
    this.calls.fill(0);
    this.failures.fill(0);
  }

  /** Empties the slices that time has passed by; returns the newest. */
  private moveOn(): number {
    const now = Math.floor(this.clock.now() / this.sliceMs);
    if (now - this.newest >= SLICES) this.clear();
    else {
      for (let slice = this.newest + 1; slice <= now; slice += 1) {
        this.calls[slice % SLICES] = 0;
        this.failures[slice % SLICES] = 0;
      }
    }
    this.newest = now;
    return now;
  }
}
