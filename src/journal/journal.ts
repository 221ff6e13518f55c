/**
 * The journal: writes that were accepted while the upstream was away, kept until they have been replayed (I3, I4).
 *
 *   append ─► batch (gathers) ─► one write, one sync ─► onSettled ─► read … ─► release
 *             append ─► batch (gathers meanwhile) ─► one write …
 *
 *   releasedSeq          settledSeq       lastSeq
 *   ──┼─────────────────────┼────────────────┼──►   seq
 *     └─ pending: to replay ┘└─ not answered ┘
 *
 * What `onSettled` reported without a problem is in the journal after any crash (with `always` after a power failure
 * too); what it reported as refused is not there, and never will be. Numbers rise for ever: a segment's header reserves
 * those it may use, and the next run begins behind them, so that the cursor in Redis, which may be ahead of what a crash
 * left here, never covers a new record.
 *
 * Example: three clients' SETs arrive in one tick. The records 7, 8, 9 are copied into one batch; at the end of the tick
 * one write and one fdatasync take 0.2 ms; `onSettled(9, null)` lets three `+OK` go. Record 10, which came during the
 * sync, is the next commit. It knows neither clients nor Redis.
 */
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Batch } from './batch.js';
import { CommitQueue } from './commit-queue.js';
import type { DeadLetters } from './dead-letters.js';
import type { JournalFiles, JournalLock } from './files.js';
import { openJournal, retake, type OpenedJournal } from './opening.js';
import { Pending } from './pending.js';
import { diskProblem, JournalProblem } from './problem.js';
import { RECORD_HEADER_BYTES, type JournalRecord } from './record.js';
import type { Finding } from './repair.js';
import { Room } from './room.js';
import { SegmentWriter, type FsyncMode } from './segment-writer.js';
import { RESERVED_SEQS, type Segments, type SegmentStart } from './segments.js';

/** How long nothing must have been pending before the files are emptied unasked. */
const EMPTY_AFTER_MS = 1000;

export interface JournalOptions {
  /** `diskFiles(directory)`, or `memoryFiles()`: bounded alike, lost on exit. */
  readonly files: JournalFiles;
  readonly fsync: FsyncMode;
  /** Over all segments. The dead letters have as much again. */
  readonly maxBytes: number;
  /** A segment is full at this size. */
  readonly segmentBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * All records up to and with `throughSeq` that were not spoken of before are as durable as configured; or, with a
   * problem, they are not in the journal (`outcome` refused), or a later run may find them there (unknown).
   */
  readonly onSettled: (throughSeq: number, problem: JournalProblem | null) => void;
}

export class Journal {
  readonly deadLetters: DeadLetters;
  /** Records that have settled since the start. */
  appendedTotal = 0;
  private readonly segments: Segments;
  private readonly writer: SegmentWriter;
  private readonly queue: CommitQueue;
  private readonly room: Room;
  private lock: JournalLock;
  private nextSeq: number;
  private settled: number;
  private readonly pending: Pending;
  private emptyTimer: Timer | null = null;
  /** Of that the log was told. */
  private wasFull = false;
  private isClosed = false;

  /**
   * Takes the directory, repairs what a crash left, and is ready to append and read. Rejects with an Error for people:
   * another sidecar has the directory, it cannot be made or read, or it holds something else. A full disk is no reason to
   * reject: then it can be read, and takes records once there is room.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal(options, await openJournal(options));
    await journal.begin();
    return journal;
  }

  private constructor(
    private readonly options: JournalOptions,
    private readonly opened: OpenedJournal,
  ) {
    const { clock, logger, random, fsync, segmentBytes } = options;
    const { segments, marks } = opened;
    this.segments = segments;
    this.deadLetters = opened.deadLetters;
    this.lock = opened.lock;
    this.nextSeq = opened.nextSeq;
    this.pending = new Pending(segments, opened.releasedSeq, opened.lastSeq);
    this.settled = Math.max(opened.lastSeq, opened.releasedSeq);
    const startOf = (firstSeq: number | null): SegmentStart => this.startOf(firstSeq);
    this.room = new Room(segments, options.maxBytes, () => this.releasedSeq);
    this.writer = new SegmentWriter({
      ...{ segments, fsync, segmentBytes, clock, logger, startOf },
    });
    this.queue = new CommitQueue({
      ...{ clock, logger, random, marks },
      write: (batch) => this.write(batch),
      recover: () => this.recover(),
      onSettled: (batch, problem) => this.settle(batch, problem),
    });
  }

  /** 16 hex digits, made once for each directory. */
  get id(): string {
    return this.segments.id;
  }

  /** False for a journal in memory. */
  get isDurable(): boolean {
    return this.options.files.isDurable;
  }

  /** What the last run left that was not as it was written. */
  get findings(): readonly Finding[] {
    return this.opened.findings;
  }

  /** Settled and not released. */
  get pendingRecords(): number {
    return this.pending.records;
  }

  get pendingBytes(): number {
    return this.pending.bytes;
  }

  /** When the oldest pending record was appended. */
  get oldestWallMs(): number | null {
    return this.pending.oldestWallMs;
  }

  /** Of all segments, on the disk or in memory, without what is still to be written. */
  get usedBytes(): number {
    return this.room.usedBytes;
  }

  /** Of the newest record that is in the journal or on its way; falls back to `settledSeq` when a commit fails. */
  get lastSeq(): number {
    return this.queue.lastSeq || this.settled;
  }

  /** Of the newest record that is settled and in the journal: `read` gives everything up to here. */
  get settledSeq(): number {
    return this.settled;
  }

  get releasedSeq(): number {
    return this.pending.releasedSeq;
  }

  /** A restart would find nothing to replay, also after a power failure. Only now may the cursor be deleted. */
  get isEmpty(): boolean {
    if (this.pendingRecords > 0 || this.lastSeq > this.settled) return false;
    const promised = this.segments.all.at(-1)?.header.releasedSeq ?? 0;
    return this.segments.all.every(({ records, lastSeq }) => records === 0 || lastSeq <= promised);
  }

  /** Why not even the smallest record can be taken now, though it is open; null when it can. */
  get problem(): JournalProblem | null {
    return this.isClosed ? null : this.problemOf(0);
  }

  /** Why a record of so many bytes cannot be taken now ("journal is full", "the journal's disk is full (…)"), or null. */
  refusal(bytes: number): JournalProblem | null {
    const problem = this.problemOf(bytes);
    if (problem?.code === 'full') this.tellFull(problem);
    return problem;
  }

  /** A record of so many bytes, or records of as many together, can be taken now. */
  hasRoomFor(bytes: number): boolean {
    return this.problemOf(bytes) === null;
  }

  private problemOf(bytes: number): JournalProblem | null {
    if (this.isClosed) return new JournalProblem('closed', 'the journal is closed');
    return (
      this.queue.problem ??
      this.room.problemOf(RECORD_HEADER_BYTES + bytes, this.queue.waitingBytes)
    );
  }

  /** Once until it is empty again: where a large record does not fit, a small one may. */
  private tellFull({ message: reason }: JournalProblem): void {
    if (this.wasFull) return;
    this.wasFull = true;
    const { logger, maxBytes } = this.options;
    logger.error('journal: writes are refused', { reason, records: this.pendingRecords, maxBytes });
  }

  /**
   * Queues a record for the commit of this tick and returns its number. `bytes[start, end)` are copied. Throws a
   * JournalProblem when `refusal` is not null.
   */
  append(
    db: number,
    flags: number,
    commands: number,
    bytes: Buffer,
    start = 0,
    end = bytes.length,
  ): number {
    const problem = this.refusal(end - start);
    if (problem !== null) throw problem;
    const seq = this.nextSeq;
    this.nextSeq += 1;
    const wallMs = Math.round(this.options.clock.wallMs());
    this.queue.add({ seq, wallMs, db, flags, commands, bytes, start, end });
    return seq;
  }

  /**
   * Settled records after `afterSeq`, oldest first: at least one if there is one, else as many as fit both limits. Their
   * bytes may be kept. `afterSeq` may be older than `releasedSeq`: what has not been removed yet is still there. Throws a
   * JournalProblem when the disk cannot be read.
   */
  read(afterSeq: number, maxCommands: number, maxBytes: number): JournalRecord[] {
    try {
      return this.segments.read(afterSeq, maxCommands, maxBytes);
    } catch (error) {
      throw diskProblem('reading', error);
    }
  }

  /**
   * Everything at or below has been replayed, or is a dead letter. Segments stay until room is needed, so that an upstream
   * that comes back with older data can be replayed from its own cursor; when nothing is pending they are emptied.
   */
  release(throughSeq: number): void {
    const seq = Math.min(throughSeq, this.settled);
    if (seq <= this.releasedSeq) return;
    this.pending.release(seq, this.settled);
    if (seq === this.settled) this.emptyLater();
    this.room.account();
  }

  /** When nothing is pending the files are emptied now, not a moment later. Resolves with `isEmpty`. */
  async empty(): Promise<boolean> {
    if (this.pendingRecords === 0 && !this.isEmpty) {
      await new Promise<void>((resolve) => {
        this.queue.whenIdle(() => this.emptyFiles().then(resolve));
      });
    }
    return this.isEmpty;
  }

  /** Settles what was appended, then gives up the directory. Nothing can be appended any more. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.emptyTimer?.cancel();
    await this.queue.close();
    if (this.pendingRecords === 0 && !this.isEmpty) await this.emptyFiles();
    await this.writer.close().catch((error: unknown) => {
      const { message: reason } = diskProblem('syncing', error);
      this.options.logger.error('journal: the last writes may not be on the disk', { reason });
    });
    await this.deadLetters.close();
    this.segments.close();
    this.lock.release();
  }

  /** The first segment of this run; what holds nothing any more goes. */
  private async begin(): Promise<void> {
    this.room.account();
    await this.room.make(0);
    try {
      await this.writer.begin(this.startOf(null));
      await (this.pendingRecords === 0 ? this.room.clear() : this.room.clearEmpty());
    } catch (error) {
      this.queue.fail(diskProblem('making a segment', error));
    }
    this.room.account();
  }

  private startOf(firstSeq: number | null): SegmentStart {
    return {
      baseSeq: firstSeq ?? (this.queue.firstGatheringSeq || this.nextSeq),
      reservedThroughSeq: this.nextSeq - 1 + RESERVED_SEQS,
      releasedSeq: this.releasedSeq,
      wallMs: Math.round(this.options.clock.wallMs()),
    };
  }

  private async write(batch: Batch): Promise<void> {
    await this.room.make(batch.usedBytes);
    await this.writer.write(batch);
  }

  private async recover(): Promise<void> {
    this.lock = await retake(this.options.files, this.lock, this.segments);
    if (this.queue.problem?.code === 'disk-full') await this.room.clear();
    await this.writer.recover();
  }

  private settle(batch: Batch, problem: JournalProblem | null): void {
    if (problem === null) {
      this.settled = batch.lastSeq;
      this.appendedTotal += batch.records;
    }
    this.room.account();
    this.options.onSettled(batch.lastSeq, problem);
  }

  private emptyLater(): void {
    this.emptyTimer?.cancel();
    this.emptyTimer = this.options.clock.after(EMPTY_AFTER_MS, () => void this.empty());
  }

  /** A new segment whose header says that everything before has been replayed; then those before may go. */
  private async emptyFiles(): Promise<void> {
    if (this.pendingRecords > 0) return;
    try {
      await this.writer.begin(this.startOf(null)).catch(async (error: unknown) => {
        if (diskProblem('making a segment', error).code !== 'disk-full') throw error;
        // It is full of what has been replayed.
        await this.segments.cutReplayed();
        await this.writer.begin(this.startOf(null));
      });
      await this.room.clear();
      this.wasFull = false;
    } catch (error) {
      const { message: reason } = diskProblem('making a segment', error);
      this.options.logger.warn('journal: the replayed segments cannot be removed yet', { reason });
      if (!this.isClosed) this.emptyLater();
    }
  }
}
