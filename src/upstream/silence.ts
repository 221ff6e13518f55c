/**
 * Why an upstream may rightly be silent: one script or one CLIENT PAUSE silences every connection, so all connections of
 * an upstream share one of these. While it holds, silence means nothing and waiting is bounded by `slowTimeoutMs` only.
 */
import type { Clock } from '../base/clock.js';

export class Silence {
  /** Slow commands in flight, on whichever connection. */
  slowCommands = 0;
  /** On the monotonic clock; 0 when there is no pause. */
  private pausedUntilMs = 0;

  constructor(private readonly clock: Clock) {}

  /** Some commands are held back upstream: whoever shares a connection with one waits with it. */
  get isPaused(): boolean {
    if (this.pausedUntilMs === 0) return false;
    if (this.clock.now() >= this.pausedUntilMs) this.pausedUntilMs = 0;
    return this.pausedUntilMs > 0;
  }

  get isExplained(): boolean {
    return this.slowCommands > 0 || this.isPaused;
  }

  /** Something was said that silences the upstream for `pauseMs`. */
  pauseFor(pauseMs: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.clock.now() + pauseMs);
  }

  /** A client ended the pause. */
  unpause(): void {
    this.pausedUntilMs = 0;
  }
}
