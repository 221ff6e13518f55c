/**
 * A journal with a ledger of what it promised: which records were acknowledged, refused or left unknown, in order. Its
 * clock is real where a test waits for a disk, and a fake one where it waits for timers.
 */
import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import { systemClock, type Clock } from '../../src/base/clock.js';
import { createLogger, type Logger } from '../../src/base/logger.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import type { JournalFiles } from '../../src/journal/files.js';
import { Journal, type JournalOptions } from '../../src/journal/journal.js';
import { memoryFiles } from '../../src/journal/memory-files.js';
import type { JournalProblem } from '../../src/journal/problem.js';
import type { JournalRecord } from '../../src/journal/record.js';
import { seededRandom } from '../conformance/random.js';

/** What became of one record. */
export type Fate = 'waiting' | 'acknowledged' | 'refused' | 'unknown';

export interface Entry {
  readonly seq: number;
  readonly bytes: Buffer;
  fate: Fate;
}

export type TestJournalOptions = Partial<Omit<JournalOptions, 'onSettled'>>;

/** Lets everything happen that needs no timer. */
export async function turns(count = 20): Promise<void> {
  for (let left = count; left > 0; left -= 1) await tick();
}

/** A record as it is usually used in tests: one SET. */
export function setCommand(key: string, value = 'v'): Buffer {
  return encodeCommand(['SET', key, value]);
}

export class TestJournal {
  journal!: Journal;
  readonly ledger: Entry[] = [];
  readonly settlements: { throughSeq: number; problem: JournalProblem | null }[] = [];
  readonly log: string[] = [];
  private settledCount = 0;

  private constructor(readonly files: JournalFiles) {}

  static async open(options: TestJournalOptions = {}): Promise<TestJournal> {
    const made = new TestJournal(options.files ?? memoryFiles());
    const clock: Clock = options.clock ?? systemClock;
    made.journal = await Journal.open({
      fsync: 'always',
      maxBytes: 16 * 1024 * 1024,
      segmentBytes: 64 * 1024,
      random: seededRandom(7),
      logger: made.logger(clock),
      ...options,
      ...{ clock, files: made.files },
      onSettled: (throughSeq, problem) => made.settled(throughSeq, problem),
    });
    return made;
  }

  /** Appends one command and enters it in the ledger. Throws when the journal refuses. */
  append(bytes: Buffer, { db = 0, flags = 0, commands = 1 } = {}): number {
    const seq = this.journal.append(db, flags, commands, bytes);
    this.ledger.push({ seq, bytes: Buffer.from(bytes), fate: 'waiting' });
    return seq;
  }

  /** Appends and waits until it has settled; resolves with what became of it. */
  async appended(bytes: Buffer, more?: Parameters<TestJournal['append']>[1]): Promise<Fate> {
    this.append(bytes, more);
    return this.allSettled();
  }

  /** Resolves with the fate of the newest record when nothing waits any more. */
  async allSettled(): Promise<Fate> {
    while (this.settledCount < this.ledger.length) await tick();
    return this.ledger.at(-1)?.fate ?? 'waiting';
  }

  withFate(...fates: Fate[]): Entry[] {
    return this.ledger.filter(({ fate }) => fates.includes(fate));
  }

  /** All records that can be read, in small bites. */
  readAll(afterSeq = 0): JournalRecord[] {
    const records: JournalRecord[] = [];
    for (let seq = afterSeq; ;) {
      const bite = this.journal.read(seq, 7, 4096);
      const last = bite.at(-1);
      if (last === undefined) return records;
      records.push(...bite);
      seq = last.seq;
    }
  }

  private logger(clock: Clock): Logger {
    const write = (line: string): void => void this.log.push(line);
    return createLogger({ level: 'debug', format: 'pretty', write, wallMs: () => clock.wallMs() });
  }

  private settled(throughSeq: number, problem: JournalProblem | null): void {
    this.settlements.push({ throughSeq, problem });
    let entry = this.ledger[this.settledCount];
    assert.ok(entry !== undefined && entry.seq <= throughSeq, 'each settlement is news');
    for (; entry !== undefined && entry.seq <= throughSeq; entry = this.ledger[this.settledCount]) {
      entry.fate = problem === null ? 'acknowledged' : problem.outcome;
      this.settledCount += 1;
    }
  }
}

/**
 * What reads back is what was promised: every acknowledged record once and in order, no refused one. Unknown ones, and
 * those that had not settled when the process died, may be there.
 */
export function assertLedger(
  ledger: readonly Entry[],
  found: readonly JournalRecord[],
  what: string,
): void {
  const bySeq = new Map(ledger.map((entry) => [entry.seq, entry]));
  let before = 0;
  const there = new Set<number>();
  for (const { seq, bytes } of found) {
    assert.ok(seq > before, `${what}: ${seq} after ${before}`);
    before = seq;
    const entry = bySeq.get(seq);
    assert.ok(entry !== undefined, `${what}: nobody appended ${seq}`);
    assert.notEqual(entry.fate, 'refused', `${what}: ${seq} was refused and is there`);
    assert.ok(entry.bytes.equals(bytes), `${what}: ${seq} has other bytes`);
    there.add(seq);
  }
  const lost = ledger.filter(({ seq, fate }) => fate === 'acknowledged' && !there.has(seq));
  assert.deepEqual(
    lost.map(({ seq }) => seq),
    [],
    `${what}: acknowledged and lost`,
  );
}
