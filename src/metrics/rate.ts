/** How fast a total grows, over the last few looks at it. */
interface Look {
  readonly atMs: number;
  readonly total: number;
}

/** With a look a second: calm enough to be read, and soon true again. */
const LOOKS = 4;

export class Rate {
  private looks: readonly Look[] = [];

  /** The total is this at this moment of the monotonic clock. */
  note(total: number, atMs: number): void {
    this.looks = [...this.looks, { total, atMs }].slice(-LOOKS);
  }

  /** 0 until there were two looks. */
  get perSecond(): number {
    const [first, last] = [this.looks[0], this.looks.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return ((last.total - first.total) * 1000) / (last.atMs - first.atMs);
  }
}
