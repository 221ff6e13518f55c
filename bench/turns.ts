/**
 * Taking turns: in every round every target is measured once, so that a machine whose speed drifts treats all alike;
 * who was first is last in the next one. Ratios are formed within a round, and the median of the rounds counts.
 */
import type { Target, TargetName } from './peers.js';

/** The middle value; of an even number of them, the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = Math.floor(sorted.length / 2);
  const lower = Math.ceil(sorted.length / 2) - 1;
  return ((sorted[lower] ?? NaN) + (sorted[upper] ?? NaN)) / 2;
}

/** All samples of a scenario: by target, by what was done (`subject`, such as "GET"), by round. */
export class Results<Sample> {
  readonly #samples = new Map<string, Sample[]>();

  /** Measures every subject on every target, `rounds` times. */
  static async of<Sample, Subject extends string>(
    rounds: number,
    targets: readonly Target[],
    subjects: readonly Subject[],
    measureOne: (target: Target, subject: Subject) => Promise<Sample>,
  ): Promise<Results<Sample>> {
    const results = new Results<Sample>();
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`  round ${round} of ${rounds}\n`);
      const order = round % 2 === 1 ? targets : [...targets].reverse();
      for (const subject of subjects) {
        for (const target of order) {
          results.#at(target.name, subject).push(await measureOne(target, subject));
        }
      }
    }
    return results;
  }

  /** Whether the target took part. */
  has(target: TargetName, subject: string): boolean {
    return this.#at(target, subject).length > 0;
  }

  /** The median over the rounds of a sample's value. */
  median(target: TargetName, subject: string, value: (sample: Sample) => number): number {
    return median(this.#at(target, subject).map(value));
  }

  /** The median over the rounds of a value formed from the samples of several targets in one round. */
  medianOfRounds<Names extends readonly TargetName[]>(
    targets: Names,
    subject: string,
    value: (...samples: { [Index in keyof Names]: Sample }) => number,
  ): number {
    const columns = targets.map((target) => this.#at(target, subject));
    const rounds = Math.min(...columns.map((column) => column.length));
    const values = Array.from({ length: rounds }, (_, round) => {
      const samples = columns.map((column) => column[round]);
      return value(...(samples as { [Index in keyof Names]: Sample }));
    });
    return median(values);
  }

  #at(target: TargetName, subject: string): Sample[] {
    const key = `${target}/${subject}`;
    const samples = this.#samples.get(key) ?? [];
    this.#samples.set(key, samples);
    return samples;
  }
}
