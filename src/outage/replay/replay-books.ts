/** Keeps the journal, and whoever asks, informed of how far replay is, and counts what it has done. */
import type { DeadLetterBox } from './dead-letter-box.js';
import type { ReplayedJournal } from './replay-options.js';

export class ReplayBooks {
  /** Records that were replayed: by this process, or, as the first reading shows, by an earlier one. */
  replayedTotal = 0;
  private toldSeq = -1;

  constructor(
    private readonly journal: ReplayedJournal,
    private readonly letters: DeadLetterBox,
    private readonly onApplied: (throughSeq: number) => void,
  ) {}

  /** Everything up to `appliedSeq` is applied, or a dead letter. */
  tell(appliedSeq: number): void {
    if (this.toldSeq === appliedSeq) return;
    this.toldSeq = appliedSeq;
    const { pendingRecords } = this.journal;
    this.journal.release(appliedSeq);
    const dead = this.letters.countThrough(appliedSeq);
    this.replayedTotal += pendingRecords - this.journal.pendingRecords - dead;
    this.onApplied(appliedSeq);
  }
}
