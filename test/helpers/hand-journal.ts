/**
 * A journal whose disk is the test: what is appended stands in an array, and is durable, or lost, when the test says so.
 * What the desk and the condition of the whole see of a journal, for tests that are about them.
 */
import { JournalProblem } from '../../src/journal/problem.js';
import type { JournalRecord } from '../../src/journal/record.js';
import { commandsIn } from './fake-transport.js';

export class HandJournal {
  /** Taken and not lost; oldest first. */
  records: JournalRecord[] = [];
  lastSeq = 0;
  settledSeq = 0;
  releasedSeq = 0;
  /** Why nothing is taken; null: everything is. */
  refusesBecause: string | null = null;
  /** Thrown by the next `append`. */
  problem: Error | null = null;
  /** What `refusal` was asked about. */
  askedBytes = 0;
  /** Told what has settled; the desk's, usually. */
  onSettled: (throughSeq: number, problem: Error | null) => void = () => undefined;

  get pendingRecords(): number {
    return this.lastSeq - this.releasedSeq;
  }

  /** The records as `db: COMMAND …`, a transaction as `db: [COMMAND …, COMMAND …]`. */
  get contents(): string[] {
    return this.records.map(({ db, flags, bytes }) => {
      const commands = commandsIn(bytes).join(', ');
      return flags === 0 ? `${db}: ${commands}` : `${db}: [${commands}]`;
    });
  }

  refusal(bytes: number): JournalProblem | null {
    this.askedBytes = bytes;
    const { refusesBecause } = this;
    return refusesBecause === null ? null : new JournalProblem('full', refusesBecause);
  }

  hasRoomFor(bytes: number): boolean {
    return this.refusal(bytes) === null;
  }

  append(
    db: number,
    flags: number,
    commands: number,
    bytes: Buffer,
    start = 0,
    end = bytes.length,
  ): number {
    const { problem } = this;
    this.problem = null;
    if (problem !== null) throw problem;
    this.lastSeq += 1;
    const seq = this.lastSeq;
    this.records.push({
      seq,
      wallMs: 0,
      db,
      flags,
      commands,
      bytes: Buffer.from(bytes.subarray(start, end)),
    });
    return seq;
  }

  /** The oldest `count` records that have not settled are durable; all of them without a number. */
  settle(count = Infinity): void {
    this.settledSeq = Math.min(this.lastSeq, this.settledSeq + count);
    this.onSettled(this.settledSeq, null);
  }

  /** None of the records that have not settled is in the journal, nor ever will be. */
  fail(problem: Error): void {
    const through = this.lastSeq;
    this.records = this.records.filter(({ seq }) => seq <= this.settledSeq);
    this.lastSeq = this.settledSeq;
    this.onSettled(through, problem);
  }
}
