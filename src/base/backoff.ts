/** Growing pauses between attempts, jittered so that a fleet does not knock in step. Owns no timer. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** A pause is drawn from `pause × (1 ± jitter)`. */
  readonly jitter: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export class Backoff {
  private pauseMs: number;

  constructor(private readonly options: BackoffOptions) {
    this.pauseMs = options.firstMs;
  }

  /** The pause before the next attempt; the one after it is longer. */
  next(): number {
    const { factor, jitter, maxMs, random } = this.options;
    const pause = this.pauseMs;
    this.pauseMs = Math.min(maxMs, pause * factor);
    return pause * (1 - jitter + 2 * jitter * random());
  }

  /** An attempt succeeded. */
  reset(): void {
    this.pauseMs = this.options.firstMs;
  }
}
