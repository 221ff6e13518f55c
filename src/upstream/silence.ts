/**
 * Why an upstream may rightly be silent: one script or one CLIENT PAUSE silences every connection, so all connections of
 * an upstream share one of these. While it holds, silence means nothing and waiting is bounded by `slowTimeoutMs` only.
 */
export class Silence {
  /** Slow commands in flight, on whichever connection. */
  slowCommands = 0;
  private pausedUntil = 0;

  /** Something was said that silences the upstream until `untilMs`, on the monotonic clock. */
  pauseUntil(untilMs: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, untilMs);
  }

  /** A client ended the pause. */
  unpause(): void {
    this.pausedUntil = 0;
  }

  isExplained(nowMs: number): boolean {
    return this.slowCommands > 0 || nowMs < this.pausedUntil;
  }
}
