/** How fast replay may go: a token bucket, filled by the clock, one token per command. */
import type { Clock, Timer } from '../../base/clock.js';

/** What may be sent at once after a pause: a tenth of a second's worth. */
const BURST_SECONDS = 0.1;
/** A fraction of a token that is missing is not worth a turn of its own. */
const LEAST_WAIT_MS = 1;

export class Pace {
  private tokens: number;
  private filledAtMs: number;
  private timer: Timer | null = null;

  /** `ratePerSecond` null: as fast as it goes. */
  constructor(
    private readonly ratePerSecond: number | null,
    private readonly clock: Clock,
  ) {
    this.tokens = this.burst;
    this.filledAtMs = clock.now();
  }

  get isLimited(): boolean {
    return this.ratePerSecond !== null;
  }

  /** How many commands may be sent now; 0 means `wait`. */
  get allowance(): number {
    if (this.ratePerSecond === null) return Infinity;
    const now = this.clock.now();
    const filled = this.tokens + ((now - this.filledAtMs) / 1000) * this.ratePerSecond;
    this.tokens = Math.min(this.burst, filled);
    this.filledAtMs = now;
    return Math.max(0, Math.floor(this.tokens));
  }

  /** Somebody waits for the next token. */
  get isAwaited(): boolean {
    return this.timer !== null;
  }

  /** Runs `task` when there is a token. One at a time. */
  wait(task: () => void): void {
    const delayMs = ((1 - this.tokens) / (this.ratePerSecond ?? Infinity)) * 1000;
    this.timer = this.clock.after(Math.max(LEAST_WAIT_MS, delayMs), () => {
      this.timer = null;
      task();
    });
  }

  /** Nobody waits any more. */
  cancel(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** `commands` were sent; a transaction may take more than was allowed, and is paid for afterwards. */
  take(commands: number): void {
    this.tokens -= commands;
  }

  private get burst(): number {
    return Math.max(1, (this.ratePerSecond ?? 0) * BURST_SECONDS);
  }
}
