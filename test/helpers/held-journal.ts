/**
 * A journal that holds its records in an array: what the replayer and the outage store see of one, for tests that are
 * about them. Records settle at once unless told otherwise; nothing is thrown away before the journal is empty.
 */
import type { DeadLetter, NewDeadLetter } from '../../src/journal/dead-letters.js';
import type { JournalRecord } from '../../src/journal/record.js';
import { encodeCommand, type Argument } from '../../src/resp/encoder.js';

/** A command as its words; a transaction is several. */
export type Words = readonly Argument[];

export class HeldLetters {
  readonly letters: DeadLetter[] = [];
  /** Set: nothing can be written down, for this reason. */
  problem: Error | null = null;

  add(letter: NewDeadLetter): Promise<void> {
    if (this.problem !== null) return Promise.reject(this.problem);
    this.letters.push({ ...letter, id: this.letters.length + 1, diedWallMs: letter.wallMs });
    return Promise.resolve();
  }
  list(limit: number): DeadLetter[] {
    return this.letters.slice(0, limit);
  }
  /** `<seq>: <reason>`, oldest first. */
  get reasons(): string[] {
    return this.letters.map(({ seq, reason }) => `${seq}: ${reason}`);
  }
}

export class HeldJournal {
  records: JournalRecord[] = [];
  readonly deadLetters = new HeldLetters();
  releasedSeq: number;
  lastSeq: number;
  /** The newest record is on its way to the disk. */
  isSettling = false;

  /** `lastSeq`: what an earlier run came to. */
  constructor(lastSeq = 0) {
    this.lastSeq = this.releasedSeq = lastSeq;
  }

  get settledSeq(): number {
    return this.isSettling ? this.lastSeq - 1 : this.lastSeq;
  }
  get pendingRecords(): number {
    return this.lastSeq - this.releasedSeq;
  }
  get isEmpty(): boolean {
    return this.records.length === 0;
  }

  /** One command in database `db`. */
  add(db: number, ...words: Argument[]): number {
    return this.addTransaction(db, words);
  }
  /** One record of several commands. */
  addTransaction(db: number, ...commands: Words[]): number {
    this.lastSeq += 1;
    this.records.push({
      seq: this.lastSeq,
      wallMs: 1_700_000_000_000 + this.lastSeq,
      db,
      flags: commands.length > 1 ? 1 : 0,
      commands: commands.length,
      bytes: Buffer.concat(commands.map((words) => encodeCommand(words))),
    });
    return this.lastSeq;
  }

  read(afterSeq: number, maxCommands: number, maxBytes: number): JournalRecord[] {
    const first = this.records[0]?.seq ?? 0;
    let [commands, bytes] = [0, 0];
    const read: JournalRecord[] = [];
    for (let at = Math.max(0, afterSeq + 1 - first); at < this.records.length; at += 1) {
      const record = this.records[at]!;
      if (record.seq > this.settledSeq) break;
      commands += record.commands;
      bytes += record.bytes.length;
      if (read.length > 0 && (commands > maxCommands || bytes > maxBytes)) break;
      read.push(record);
    }
    return read;
  }

  release(throughSeq: number): void {
    this.releasedSeq = Math.max(this.releasedSeq, throughSeq);
  }
  empty(): Promise<boolean> {
    if (this.pendingRecords > 0) return Promise.resolve(false);
    this.records = [];
    return Promise.resolve(true);
  }
}
