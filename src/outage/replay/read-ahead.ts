/**
 * Reads the journal for the replayer, and the next batch's records already while a batch is in flight: reading and
 * checking them takes as long as the upstream takes to apply them.
 */
import type { Journal } from '../../journal/journal.js';
import type { JournalRecord } from '../../journal/record.js';
import { MAX_BATCH_BYTES, MAX_BATCH_COMMANDS } from './batch.js';

/** Fewer records read ahead are not worth it: by then there may be more. */
const WORTH_COMMANDS = MAX_BATCH_COMMANDS / 2;

export class ReadAhead {
  private afterSeq = -1;
  private records: JournalRecord[] = [];

  constructor(private readonly journal: Pick<Journal, 'read'>) {}

  /** As `Journal.read`, for one batch. */
  take(afterSeq: number, maxCommands: number): JournalRecord[] {
    const { records } = this;
    this.records = [];
    if (this.afterSeq === afterSeq && records.length > 0 && maxCommands === MAX_BATCH_COMMANDS)
      return records;
    return this.journal.read(afterSeq, maxCommands, MAX_BATCH_BYTES);
  }

  /** Reads, and returns, what `take` will be asked for next: nothing where there is little. What goes wrong `take` will say. */
  prefetch(afterSeq: number): readonly JournalRecord[] {
    this.afterSeq = afterSeq;
    try {
      const read = this.journal.read(afterSeq, MAX_BATCH_COMMANDS, MAX_BATCH_BYTES);
      const commands = read.reduce((sum, record) => sum + record.commands, 0);
      this.records = commands >= WORTH_COMMANDS ? read : [];
    } catch {
      this.records = [];
    }
    return this.records;
  }
}
