/**
 * When to connect again. A connection that had been good is made again at once, for most losses are no outage; one that
 * could not be made is tried with growing pauses, short enough that five refusals (the breaker's limit) pass within
 * 100 ms. However soon connections are lost again, there is a least period between them.
 *
 *   lost ─0…3─► refused ─10─► refused ─15─► refused ─22─► refused ─34─► refused …      (milliseconds, ± 10 %)
 */
import { Backoff } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';

const PAUSES = { firstMs: 10, factor: 1.5, jitter: 0.1 };
const LONGEST_PAUSE_MS = 500;
/** Part of the hold that a pause may take, so that a command held from its beginning still sees an attempt. */
const PAUSE_SHARE_OF_HOLD = 0.4;
/** All connections may be lost at once (CLIENT KILL TYPE normal): a fleet shall not knock in step. */
const JITTER_MS = 3;
export interface KnockingOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** How long commands wait for a connection. */
  readonly holdMs: number;
  /** From a connection's becoming ready to the one after it. */
  readonly leastPeriodMs: number;
}

export class Knocking {
  private readonly backoff: Backoff;
  private notBeforeMs = 0;

  constructor(private readonly options: KnockingOptions) {
    const { holdMs, random } = options;
    const maxMs = Math.max(
      PAUSES.firstMs,
      Math.min(LONGEST_PAUSE_MS, holdMs * PAUSE_SHARE_OF_HOLD),
    );
    this.backoff = new Backoff({ ...PAUSES, maxMs, random });
  }

  /** How long from now the next attempt is to wait. */
  get pauseMs(): number {
    return Math.max(0, this.notBeforeMs - this.options.clock.now());
  }

  /** A connection is lost; `readySinceMs` null: it was never made. */
  lost(readySinceMs: number | null): void {
    const { clock, random, leastPeriodMs } = this.options;
    const now = clock.now();
    if (readySinceMs === null) {
      this.notBeforeMs = Math.max(this.notBeforeMs, now + this.backoff.next());
      return;
    }
    this.backoff.reset();
    this.notBeforeMs = Math.max(now + JITTER_MS * random(), readySinceMs + leastPeriodMs);
  }

  /** There is reason to try at once. */
  reset(): void {
    this.backoff.reset();
    this.notBeforeMs = 0;
  }
}
