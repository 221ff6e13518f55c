/**
 * Replay: puts the journal's records into the upstream, in order and exactly once. A batch runs as one transaction with
 * the cursor, and its EXEC is sent only when WATCH and GET of that cursor have been answered on the same connection; the
 * next batch's WATCH and GET travel behind it, so that a batch costs one round trip.
 *
 *   WATCH GET ──► what does the cursor cover? ──► next records ──► (preparation) ──► MULTI … SET cursor EXEC · WATCH GET
 *                       ▲                                                                 │
 *                       └────── dead letters, if any, are written down ◄── EXEC's reply ◄─┘
 *
 * A worked example. 41–43 are sent; the connection dies before EXEC is answered. On the next connection the cursor says
 * 43: they were applied, 44 is next. Or it says 40: they were not, and are sent again; should the old batch arrive only
 * now, its WATCH sees that the cursor has moved, and nothing of it runs. Whatever the upstream says to a record, it is
 * applied, or a dead letter with its reason, or still in the journal: `verdict` decides which.
 *
 * One window remains: of a batch that was applied and whose reply was lost nobody knows which commands failed. Their dead
 * letters are missing; the log says how many commands that may concern.
 */
import { BatchSender, type Load } from './batch-sender.js';
import { MAX_BATCH_COMMANDS, type Batch } from './batch.js';
import { CursorRemoval } from './cursor-removal.js';
import { Cursor } from './cursor.js';
import { DeadLetterBox } from './dead-letter-box.js';
import type { BatchOutcome, ExecReply } from './exec-reply.js';
import { Pace } from './pace.js';
import { ReadAhead } from './read-ahead.js';
import { ReplayBooks } from './replay-books.js';
import { ReplayLink } from './replay-link.js';
import { ReplayLog, type ReplayProgress } from './replay-log.js';
import type { ReplayerOptions } from './replay-options.js';
import { ReplayPosition } from './replay-position.js';
import { Setbacks } from './setbacks.js';
import { hangUpFor, judge } from './verdict.js';

/**
 * - `opening` the connection, and reading the cursor: nothing is sent before it is known
 * - `idle` all is applied, or it is paused, or waits for the rate limit
 * - `preparing` asking what a batch needs to know
 * - `sending` a batch is in flight, and the next reading of the cursor behind it
 * - `writing` dead letters are on their way to the disk
 */
type Phase = 'stopped' | 'opening' | 'idle' | 'preparing' | 'sending' | 'writing';

/** Construct it right after the journal was opened, before anything is appended. */
export class Replayer {
  /** XADDs that could not have the id that their client was told. */
  renamedEntriesTotal = 0;

  private phase: Phase = 'stopped';
  private link: ReplayLink | null = null;
  private sender: BatchSender | null = null;
  /** An operator has stopped it for now. */
  isPaused = false;
  /** In flight; or, when the connection was lost, what may have become of it. */
  private flight: { readonly batch: Batch; readonly reply: ExecReply } | null = null;
  /** A reading that arrived while dead letters were being written. */
  private postponedReading: Buffer | null = null;
  private readonly source: ReadAhead;
  private readonly position: ReplayPosition;
  private readonly cursor: Cursor;
  private readonly removal: CursorRemoval;
  private readonly pace: Pace;
  private readonly log: ReplayLog;
  private readonly letters: DeadLetterBox;
  private readonly books: ReplayBooks;
  private readonly setbacks: Setbacks;

  constructor(private readonly options: ReplayerOptions) {
    const { journal, clock, logger, cursorKey } = options;
    this.source = new ReadAhead(journal);
    this.position = new ReplayPosition(journal);
    this.cursor = new Cursor(cursorKey);
    this.pace = new Pace(options.ratePerSecond, clock);
    this.setbacks = new Setbacks(clock);
    this.letters = new DeadLetterBox({ ...options, deadLetters: journal.deadLetters });
    const onEmpty = (): void => this.letters.forget();
    this.removal = new CursorRemoval({ ...options, cursor: this.cursor, onEmpty });
    this.books = new ReplayBooks(journal, this.letters, options.onApplied);
    this.log = new ReplayLog(clock, logger, () => ({
      done: this.replayedTotal,
      left: journal.pendingRecords,
    }));
  }

  /** Records that were replayed: by this process, or, as the first reading shows, by an earlier one. */
  get replayedTotal(): number {
    return this.books.replayedTotal;
  }
  /** Of the replay that is under way, or null. */
  get progress(): ReplayProgress | null {
    return this.log.progress;
  }
  get isActive(): boolean {
    return this.phase !== 'stopped';
  }
  /** Everything up to here is known to be applied. Falls when the upstream has come back with older data. */
  get appliedSeq(): number {
    return this.position.appliedSeq;
  }

  /** Connects and replays whatever is there, until `stop` or `onFailed`. Does nothing when it is active. */
  start(): void {
    if (this.phase !== 'stopped') return;
    this.removal.cancel();
    this.letters.load(this.options.journal.releasedSeq);
    this.phase = 'opening';
    this.position.forgetCursor();
    this.postponedReading = null;
    this.link = new ReplayLink({
      ...this.options,
      onReady: () => this.writeLetters(() => this.readCursor('opening')),
      onLost: (cause) => this.fail(cause),
    });
    this.sender = new BatchSender(this.link, this.cursor, {
      onRefused: (letters) => {
        this.letters.putAll(letters);
        this.writeLetters(() => this.next());
      },
      onSent: (batch, reply) => this.sent(batch, reply),
      onAnswered: (batch, outcome, renamed) => this.answered(batch, outcome, renamed),
    });
  }

  /** Abandons the connection. What was in flight is found out about at the next start. */
  stop(): void {
    this.removal.cancel();
    this.halt();
  }

  /** New records have settled. */
  poke(): void {
    if (this.phase === 'idle' && !this.pace.isAwaited) this.next();
  }

  /** Sends nothing more until `resume`; what is in flight is finished. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.poke();
  }

  /** Removes the cursor, over a connection of its own, if the journal is empty; to be called after `stop`. */
  deleteCursor(): void {
    this.removal.begin();
  }

  // ── where are we? ────────────────────────────────────────────────────────────────────────────────

  private readCursor(phase: 'opening' | 'sending'): void {
    this.phase = phase;
    this.link!.ask(this.cursor.watchAndGet, 2, (replies) => this.cursorRead(replies));
  }

  private cursorRead(replies: Buffer): void {
    if (this.phase === 'writing') {
      this.postponedReading = replies;
      return;
    }
    const { appliedSeq } = this;
    try {
      const cursor = this.cursor.readingOf(replies);
      const event = 'the upstream has come back with older data';
      if (this.position.read(cursor) === 'behind')
        this.options.logger.warn(event, { cursor, appliedSeq });
    } catch (problem) {
      return this.fail(problem as Error);
    }
    this.settleLost();
    this.writeLetters(() => this.next());
  }

  /** What became of a batch whose reply never came: the cursor tells. */
  private settleLost(): void {
    if (this.flight === null) return;
    const { batch, reply } = this.flight;
    this.flight = null;
    if (this.appliedSeq < batch.throughSeq) {
      const letter = hangUpFor(batch, reply.errors) ?? this.setbacks.lost(batch.records);
      if (letter !== null) this.letters.putAll([letter]);
      return;
    }
    this.setbacks.passed();
    const event = 'a batch was applied, its reply was lost: errors are not known';
    this.options.logger.warn(event, { commands: batch.commands, throughSeq: batch.throughSeq });
  }

  // ── what is next? ────────────────────────────────────────────────────────────────────────────────

  /** The cursor is known and nothing is in flight. */
  private next(): void {
    this.phase = 'idle';
    let load: Load | 'later' | 'none';
    try {
      // With nothing left there is nothing to hold up.
      const isHeldUp = this.isPaused && this.options.journal.settledSeq > this.appliedSeq;
      load = isHeldUp ? 'later' : this.nextLoad();
    } catch (cause) {
      return this.fail(new Error('the journal cannot be read', { cause }));
    }
    // What was staged is not what is to be sent: its WATCH is gone with it.
    if (this.sender!.discardUnless(typeof load === 'object' ? load : null))
      return this.readCursor('opening');
    if (typeof load === 'object') {
      this.phase = 'preparing';
      return this.sender!.send(load, this.setbacks.isContended ? 'contended' : 'free');
    }
    this.books.tell(this.appliedSeq);
    // Whoever was told may have stopped it, or brought more.
    if (load === 'later' || this.phase !== 'idle') return;
    this.log.end('replay done');
    this.options.onCaughtUp();
  }

  /** While a batch is away, once it has left: the books, and the next one. */
  private workMeanwhile(link: ReplayLink, throughSeq: number): void {
    if (this.link !== link) return;
    this.books.tell(this.appliedSeq);
    if (this.link !== link || this.phase !== 'sending') return;
    if (this.isPaused || this.pace.isLimited || this.setbacks.isContended) return;
    const records = this.source.prefetch(throughSeq);
    if (records.length > 0) this.sender!.sendAhead({ records, throughSeq: records.at(-1)!.seq });
  }

  private nextLoad(): Load | 'later' | 'none' {
    for (;;) {
      const allowance = Math.min(MAX_BATCH_COMMANDS, this.pace.allowance);
      if (allowance === 0) {
        this.pace.wait(() => this.poke());
        return 'later';
      }
      const all = this.source.take(this.appliedSeq, allowance);
      const read = this.setbacks.isSuspicious(all) ? all.slice(0, 1) : all;
      const throughSeq = read.at(-1)?.seq;
      if (throughSeq === undefined) return 'none';
      this.log.begin();
      const records = read.filter((record) => !this.letters.holds(record));
      if (records.length > 0) return { records, throughSeq };
      this.position.appliedSeq = throughSeq;
    }
  }

  // ── a batch ──────────────────────────────────────────────────────────────────────────────────────

  private sent(batch: Batch, reply: ExecReply): void {
    this.flight = { batch, reply };
    this.position.sent(batch.throughSeq);
    this.pace.take(batch.commands - 1);
    this.readCursor('sending');
    const link = this.link!;
    this.options.clock.endOfTick(() => this.workMeanwhile(link, batch.throughSeq));
  }

  /** EXEC's reply; that of the next WATCH and GET comes behind it, and goes on. */
  private answered(batch: Batch, outcome: BatchOutcome, renamed: number): void {
    this.flight = null;
    const verdict = judge(batch, outcome);
    if (verdict.kind === 'applied') this.renamedEntriesTotal += renamed;
    if (verdict.kind === 'unable') return this.fail(verdict.cause);
    if (verdict.kind === 'no-memory' && !this.setbacks.outOfMemory(batch.records))
      return this.fail(verdict.cause);
    if (verdict.kind === 'overtaken' && this.setbacks.overtaken())
      return this.fail(new Error('the replay cursor is moved by somebody else'));
    this.letters.putAll(verdict.letters);
    this.writeLetters(() => this.conclude(verdict.kind === 'applied' ? batch.throughSeq : null));
  }

  private conclude(appliedThroughSeq: number | null): void {
    const { postponedReading } = this;
    this.phase = 'opening';
    this.postponedReading = null;
    if (appliedThroughSeq !== null) {
      this.setbacks.passed();
      this.position.applied(appliedThroughSeq);
    }
    if (postponedReading !== null) this.cursorRead(postponedReading);
  }

  /** Nothing is passed over before it has been written down; where that fails, replay stops. At once when none waits. */
  private writeLetters(then: () => void): void {
    if (this.letters.isWritten) return then();
    const { link } = this;
    this.phase = 'writing';
    const isStopped = (): boolean => this.link !== link || this.phase !== 'writing';
    this.letters.write().then(
      () => (isStopped() ? undefined : then()),
      (cause: unknown) =>
        isStopped() ? undefined : this.fail(new Error('dead letters cannot be kept', { cause })),
    );
  }

  private fail(cause: Error): void {
    this.halt();
    this.options.onFailed(cause);
  }

  private halt(): void {
    this.phase = 'stopped';
    this.pace.cancel();
    this.link?.abandon();
    this.link = null;
    this.log.end('replay interrupted');
  }
}
