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

/** Who handed a write in. Told once per append, in the order of the appends. */
export interface Depositor {
  /** The journal has it as durably as configured; or, with a problem, has not and never will. */
  settled(problem: Error | null): void;
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

export class JournalDesk {
  private journal!: Journal;
  private writesOnTheWay = 0;
  private bytesOnTheWay = 0;
  private isAhead = false;
  private waiting: Depositor[] = [];
  private waitingSeqs: number[] = [];

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

  /** A write is on its way to the store. */
  enter(bytes: number): void {
    this.writesOnTheWay += 1;
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
    this.bytesOnTheWay -= entered;
    const { db, flags, commands, bytes } = record;
    let seq: number;
    try {
      seq = this.journal.append(db, flags, commands, bytes);
    } catch (problem) {
      this.oneLess(1);
      this.storeIsAhead();
      throw problem;
    }
    if (keys === null) this.options.pendingKeys.noteAll(seq);
    else for (const key of keys) this.options.pendingKeys.note(db, key, seq);
    this.waiting.push(depositor);
    this.waitingSeqs.push(seq);
  }

  /** The journal's word on every record up to and with `throughSeq` that it had not spoken of. */
  settled(throughSeq: number, problem: Error | null): void {
    const { waiting, waitingSeqs } = this;
    let count = 0;
    const touched = new Set<Depositor>();
    while (count < waiting.length && waitingSeqs[count]! <= throughSeq) {
      waiting[count]!.settled(problem);
      touched.add(waiting[count]!);
      count += 1;
    }
    if (count === 0) return;
    this.waiting = waiting.slice(count);
    this.waitingSeqs = waitingSeqs.slice(count);
    for (const depositor of touched) depositor.release();
    if (problem === null) this.options.onSettled();
    else this.storeIsAhead();
    this.options.onReleased();
    this.oneLess(count);
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
