/**
 * Where replay stands: what the upstream's cursor said last, what was sent, what is applied, and what a new word of the
 * cursor means for that. A cursor covers records only up to what can have been replayed: those of earlier runs, and those
 * that this process has sent. One beyond both was set before the journal lost its end (a power cut with `everysec`), and
 * says nothing about the records of now.
 */
import type { Journal } from '../../journal/journal.js';

export class ReplayPosition {
  /** Everything up to here is known to be applied. Falls when the upstream has come back with older data. */
  appliedSeq: number;
  /** The journal's last record when it was opened. */
  private readonly openedAtSeq: number;
  private sentSeq = 0;
  /** The cursor as it was left on this connection; null: nothing has been heard on it. */
  private heard: { readonly cursor: number | null } | null = null;

  constructor(private readonly journal: Pick<Journal, 'lastSeq' | 'releasedSeq' | 'read'>) {
    this.openedAtSeq = journal.lastSeq;
    this.appliedSeq = journal.releasedSeq;
  }

  /** A new connection: whatever may have happened to the upstream meanwhile. */
  forgetCursor(): void {
    this.heard = null;
  }

  /** Records up to here are on their way. */
  sent(throughSeq: number): void {
    this.sentSeq = Math.max(this.sentSeq, throughSeq);
  }

  /** The upstream has applied what was sent, and moved the cursor there. */
  applied(throughSeq: number): void {
    this.heard = { cursor: throughSeq };
    this.appliedSeq = throughSeq;
  }

  /**
   * The cursor was read; null is absent. `same`: as it was left. `ahead`: at least what was known is applied (a lost
   * reply, an earlier run). `behind`: the upstream has lost what it had, and `appliedSeq` has fallen to what the journal
   * can still make good.
   */
  read(cursor: number | null): 'same' | 'ahead' | 'behind' {
    if (this.heard !== null && this.heard.cursor === cursor) return 'same';
    const covered = this.coveredBy(cursor);
    this.heard = { cursor };
    // A cursor that was deleted in good order has left nothing in the journal that it covered.
    const first = this.journal.read(covered, 1, 1)[0];
    if (first !== undefined && first.seq <= this.appliedSeq) {
      this.appliedSeq = first.seq - 1;
      return 'behind';
    }
    this.appliedSeq = Math.max(covered, this.appliedSeq);
    return 'ahead';
  }

  private coveredBy(cursor: number | null): number {
    // Flushed, evicted or deleted while we were connected: what was applied before belongs to what was flushed. On a new
    // connection it is an upstream that came back empty, which gets whatever the journal still has.
    if (cursor === null) return this.heard === null ? 0 : this.appliedSeq;
    if (cursor <= Math.max(this.openedAtSeq, this.sentSeq)) return cursor;
    return Math.max(this.openedAtSeq, this.appliedSeq);
  }
}
