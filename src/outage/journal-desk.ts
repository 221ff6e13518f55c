/**
 * The one counter at which writes are handed in while the upstream is away: it keeps the books between the outage store,
 * which has answered, and the journal, which must have it before the client hears of it (I3). Knows how many writes are
 * on their way, so that the change-over can tell when none is left (I4).
 *
 *   client ─► enter ─► outage store ─reply─► append ─► journal ─(durable)─► settled ─► the reply goes out
 *                          └─ error reply ─► leave
 */
import type { Clock } from '../base/clock.js';
import type { Journal } from '../journal/journal.js';
import type { JournalProblem } from '../journal/problem.js';
import type { PendingKeys } from './pending-keys.js';

/** Who handed writes in. Told of each append, in the order of the appends. */
export interface Depositor {
  /** The journal has the next `count` as durably as configured; or, with a problem, has not and never will. */
  settled(count: number, problem: Error | null): void;
  /** All that this commit settled has been said: the moment to answer. */
  release(): void;
}

export interface JournalDeskOptions {
  readonly clock: Clock;
  readonly pendingKeys: PendingKeys;
  /** No write is on its way any more. */
  readonly onIdle: () => void;
  /** New records can be replayed. */
  readonly onSettled: () => void;
  /** The store has applied what the journal does not have. */
  readonly onStoreAhead: () => void;
  /** Replies have been released: the moment to write them. */
  readonly onReleased: () => void;
}

/** Keys that a record touches; null when they cannot be told. */
export type Keys = readonly Buffer[] | null;

/** A write of one key that is journaled as it came: `bytes[start, end)`, its key `bytes[keyStart, keyEnd)`. */
export interface PlainWrite {
  readonly db: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly keyStart: number;
  readonly keyEnd: number;
}

/** Appends of one depositor that stand together: the last `count` numbers up to `lastSeq`. */
interface Waiting {
  readonly depositor: Depositor;
  lastSeq: number;
  count: number;
}

/** A record's header, and what the journal's form of a command is longer than the client's (an expiry, an id). */
const MARGIN_BYTES = 128;

/** What must be free in the journal before the store may run it: a record that did not fit would cost the store. */
export function roomFor(bytes: number, commands: number): number {
  return bytes + commands * MARGIN_BYTES;
}

export class JournalDesk {
  private journal!: Journal;
  private writesOnTheWay = 0;
  private bytesOnTheWay = 0;
  private isAhead = false;
  private waiting: Waiting[] = [];

  constructor(private readonly options: JournalDeskOptions) {}

  /** The journal tells `settled` of this desk. */
  serve(journal: Journal): void {
    this.journal = journal;
  }

  /** No write is between a client and the journal. */
  get isIdle(): boolean {
    return this.writesOnTheWay === 0;
  }

  /** Why a write of so many bytes cannot be accepted now, or null. */
  refusal(bytes: number): JournalProblem | null {
    return this.journal.refusal(this.bytesOnTheWay + bytes);
  }

  /** Writes of so many bytes together can be accepted now. */
  hasRoomFor(bytes: number): boolean {
    return this.journal.hasRoomFor(this.bytesOnTheWay + bytes);
  }

  /** Writes are on their way to the store. */
  enter(bytes: number, writes = 1): void {
    this.writesOnTheWay += writes;
    this.bytesOnTheWay += bytes;
  }

  /** It will not be journaled: the store refused it, or nobody ran it. */
  leave(bytes: number): void {
    this.bytesOnTheWay -= bytes;
    this.oneLess(1);
  }

  /** The store has applied it. Throws an Error for people when the journal cannot take it. */
  append(
    depositor: Depositor,
    entered: number,
    record: { db: number; flags: number; commands: number; bytes: Buffer },
    keys: Keys,
  ): void {
    const { db, flags, commands, bytes } = record;
    const { pendingKeys } = this.options;
    const seq = this.handIn(depositor, entered, db, flags, commands, bytes, 0, bytes.length);
    if (keys === null) pendingKeys.noteAll(seq);
    else for (const key of keys) pendingKeys.note(db, key, seq);
  }

  /** The same for a plain write, of which nobody has made an object. */
  appendPlain(depositor: Depositor, entered: number, write: PlainWrite): void {
    const { db, bytes, start, end, keyStart, keyEnd } = write;
    const seq = this.handIn(depositor, entered, db, 0, 1, bytes, start, end);
    this.options.pendingKeys.note(db, bytes, seq, keyStart, keyEnd);
  }

  /** The journal's word on every record up to and with `throughSeq` that it had not spoken of. */
  settled(throughSeq: number, problem: Error | null): void {
    const { waiting } = this;
    const touched = new Set<Depositor>();
    let whole = 0;
    let count = 0;
    for (const one of waiting) {
      const { depositor, lastSeq } = one;
      const done = Math.min(one.count, throughSeq - lastSeq + one.count);
      if (done <= 0) break;
      depositor.settled(done, problem);
      touched.add(depositor);
      count += done;
      one.count -= done;
      if (one.count > 0) break;
      whole += 1;
    }
    if (count === 0) return;
    this.waiting = waiting.slice(whole);
    for (const depositor of touched) depositor.release();
    if (problem === null) this.options.onSettled();
    else this.storeIsAhead();
    this.options.onReleased();
    this.oneLess(count);
  }

  private handIn(
    depositor: Depositor,
    entered: number,
    db: number,
    flags: number,
    commands: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): number {
    this.bytesOnTheWay -= entered;
    let seq: number;
    try {
      seq = this.journal.append(db, flags, commands, bytes, start, end);
    } catch (problem) {
      this.oneLess(1);
      this.storeIsAhead();
      throw problem;
    }
    const last = this.waiting.at(-1);
    if (last !== undefined && last.depositor === depositor && last.lastSeq === seq - 1) {
      last.lastSeq = seq;
      last.count += 1;
    } else this.waiting.push({ depositor, lastSeq: seq, count: 1 });
    return seq;
  }

  // Both at the end of the tick: they may end the store, in the midst of whose replies we are.

  private oneLess(writes: number): void {
    this.writesOnTheWay -= writes;
    if (this.isIdle) this.options.clock.endOfTick(() => this.isIdle && this.options.onIdle());
  }

  private storeIsAhead(): void {
    if (this.isAhead) return;
    this.isAhead = true;
    this.options.clock.endOfTick(() => {
      this.isAhead = false;
      this.options.onStoreAhead();
    });
  }
}
