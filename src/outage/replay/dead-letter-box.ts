/**
 * Records that the upstream will not take, on their way to the journal's dead letters: each once, with the upstream's own
 * words. What is put in here and could not be written down stays, and replay must not go on until it has been. Remembers
 * which records are dead, so that none of them is sent again, by this process or by the next one.
 */
import type { Logger } from '../../base/logger.js';
import type { DeadLetters, NewDeadLetter } from '../../journal/dead-letters.js';
import type { JournalRecord } from '../../journal/record.js';
import { cutRequests } from '../../resp/cut-requests.js';
import { deadLetterLabel } from './refusal.js';
import type { Failed } from './verdict.js';

export interface DeadLetterBoxOptions {
  readonly deadLetters: Pick<DeadLetters, 'add' | 'list'>;
  readonly logger: Logger;
  readonly onDeadLetter: (label: string) => void;
}

export class DeadLetterBox {
  /** How many commands of a record are dead. */
  private readonly deadCommands = new Map<number, number>();
  private unwritten: NewDeadLetter[] = [];
  /** Records that no `countThrough` has counted. */
  private readonly uncounted = new Set<number>();
  private isLoaded = false;
  private writing: Promise<void> | null = null;

  constructor(private readonly options: DeadLetterBoxOptions) {}

  /** Everything that was put in is as durable as the journal. */
  get isWritten(): boolean {
    return this.unwritten.length === 0;
  }

  /** Looks up, once, what earlier processes have put there; of these, records after `pendingAfterSeq` count yet. */
  load(pendingAfterSeq: number): void {
    if (this.isLoaded) return;
    this.isLoaded = true;
    for (const { seq, commands } of this.options.deadLetters.list(Infinity)) {
      this.deadCommands.set(seq, commands);
      if (seq > pendingAfterSeq) this.uncounted.add(seq);
    }
  }

  /** Nothing of the record is to be sent. */
  holds(record: JournalRecord): boolean {
    return this.deadCommands.get(record.seq) === record.commands;
  }

  /** Records up to `throughSeq` that are in here, whole or in part, and were not counted before. */
  countThrough(throughSeq: number): number {
    let count = 0;
    for (const seq of this.uncounted)
      if (seq <= throughSeq && this.uncounted.delete(seq)) count += 1;
    return count;
  }

  /** The journal has been emptied: no record can come again. */
  forget(): void {
    this.deadCommands.clear();
  }

  putAll(letters: readonly Failed[]): void {
    for (const letter of letters) this.put(letter);
  }

  /** Each record once. */
  private put({ record, commands, reason }: Failed): void {
    const { seq, wallMs, db } = record;
    if (this.deadCommands.has(seq)) return;
    const isWhole = commands === null || commands.length === record.commands;
    const part = isWhole ? record : partOf(record, commands);
    const { flags, bytes } = part;
    this.deadCommands.set(seq, part.commands);
    this.uncounted.add(seq);
    this.unwritten.push({ seq, wallMs, db, flags, commands: part.commands, reason, bytes });
  }

  /** Writes down what was put in. Rejects when that cannot be done; it can be tried again then. */
  write(): Promise<void> {
    this.writing ??= this.writeAll().finally(() => (this.writing = null));
    return this.writing;
  }

  /** All at once: the journal syncs them together. */
  private async writeAll(): Promise<void> {
    const letters = this.unwritten;
    const results = await Promise.allSettled(
      letters.map((letter) => this.options.deadLetters.add(letter)),
    );
    this.unwritten = this.unwritten.filter((_, at) => results[at]?.status !== 'fulfilled');
    this.report(letters.filter((_, at) => results[at]!.status === 'fulfilled'));
    for (const result of results) if (result.status === 'rejected') throw result.reason as Error;
  }

  /** One line for all of a kind: a right that was taken away may make dead letters of a whole journal. */
  private report(letters: readonly NewDeadLetter[]): void {
    const firsts = new Map<string, { seq: number; reason: string; count: number }>();
    for (const { seq, reason } of letters) {
      const label = deadLetterLabel(reason);
      this.options.onDeadLetter(label);
      const first = firsts.get(label);
      if (first === undefined) firsts.set(label, { seq, reason, count: 1 });
      else first.count += 1;
    }
    for (const { seq, reason, count } of firsts.values())
      this.options.logger.warn('buffered writes became dead letters', { count, seq, reason });
  }
}

/** The commands at these positions: single ones, for the rest of their transaction has run. */
function partOf(record: JournalRecord, positions: readonly number[]): JournalRecord {
  const frames = cutRequests(record.bytes);
  const bytes = Buffer.concat(positions.map((at) => frames[at]!));
  return { ...record, flags: 0, commands: positions.length, bytes };
}
