/**
 * A counter for each label of a fixed set, so that no input can make up series (I6). What is not in the set counts as
 * `other`.
 */
export class Tally {
  private readonly counts: Map<string, number>;

  constructor(labels: readonly string[]) {
    this.counts = new Map(labels.map((label) => [label, 0]));
  }

  add(label: string, count = 1): void {
    const known = this.counts.has(label) ? label : 'other';
    this.counts.set(known, (this.counts.get(known) ?? 0) + count);
  }

  /** All labels of the set in its order, also those never counted; `other` once it was needed. */
  entries(): readonly (readonly [label: string, count: number])[] {
    return [...this.counts];
  }
}
