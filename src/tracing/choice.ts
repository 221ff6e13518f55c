/**
 * Which commands are looked at: the slow ones, or a random share of all. A choice is asked how many replies may pass
 * before the next one that it takes, so that what it does not take costs it a subtraction per run.
 */

export interface Choice {
  /** As in `ReplyWatch.unseen`. */
  unseen(servedMs: number): number;
  /** So many were not taken. */
  passed(count: number): void;
  /** Whether it takes the one that somebody looks at now. Asked once for each. */
  takes(servedMs: number): boolean;
}

/** Those that took their upstream `thresholdMs` or longer; what they waited for others' replies is not theirs. */
export class SlowOnes implements Choice {
  constructor(private readonly thresholdMs: number) {}

  unseen(servedMs: number): number {
    return this.takes(servedMs) ? 0 : Infinity;
  }

  passed(): void {}

  takes(servedMs: number): boolean {
    return servedMs >= this.thresholdMs;
  }
}

/** Each with the probability `ratio`, which is above 0 and at most 1; chance is asked once per command that is taken. */
export class Sample implements Choice {
  /** To pass before the next one that is taken. */
  private left: number;

  constructor(
    private readonly ratio: number,
    /** Uniform in [0, 1). */
    private readonly random: () => number,
  ) {
    this.left = this.draw();
  }

  unseen(): number {
    return this.left;
  }

  passed(count: number): void {
    this.left -= count;
  }

  takes(): boolean {
    // Below 0: runs on several connections were counted on at the same time.
    const isTaken = this.left <= 0;
    this.left = isTaken ? this.draw() : this.left - 1;
    return isTaken;
  }

  /** How many tails come before the first head, for a coin that shows its head with the probability `ratio`. */
  private draw(): number {
    if (this.ratio >= 1) return 0;
    return Math.floor(Math.log(1 - this.random()) / Math.log(1 - this.ratio));
  }
}
