/**
 * Group commit: the records of one tick become one commit, at most one commit is on its way to the disk, and the next one
 * gathers meanwhile. Also the state of failure: when a commit fails everything that waits fails with it, nothing more is
 * taken, and recovery is tried again and again until the disk takes records once more.
 */
import { Backoff } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { Batch } from './batch.js';
import { diskProblem, withOutcome, type JournalProblem } from './problem.js';
import type { JournalMarks, NewRecord } from './record.js';

const RECOVERY = { firstMs: 250, maxMs: 2000, factor: 1.5, jitter: 0.25 };

export interface CommitQueueOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly marks: JournalMarks;
  /** Writes a commit. Rejects with a JournalProblem. */
  readonly write: (batch: Batch) => Promise<void>;
  /** Makes the disk fit to be written to; it will be probed. Rejects with a JournalProblem. */
  readonly recover: () => Promise<void>;
  /** `batch` has settled; valid during the call. */
  readonly onSettled: (batch: Batch, problem: JournalProblem | null) => void;
}

export class CommitQueue {
  /** Why nothing is taken at the moment. */
  problem: JournalProblem | null = null;
  private gathering = new Batch();
  private spare = new Batch();
  private inFlight: Batch | null = null;
  private tasks: (() => Promise<void>)[] = [];
  private isAwake = false;
  private failedAtMs: number | null = null;
  private isRecoveryDue = false;
  private retry: Timer | null = null;
  private readonly pauses: Backoff;
  private whenAsleep: (() => void)[] = [];

  constructor(private readonly options: CommitQueueOptions) {
    this.pauses = new Backoff({ ...RECOVERY, random: options.random });
  }

  /** Of the records that have not settled; 0 when there are none. */
  get lastSeq(): number {
    return this.gathering.lastSeq || (this.inFlight?.lastSeq ?? 0);
  }

  /** Of the records that are on no segment yet; 0 when there are none. */
  get firstGatheringSeq(): number {
    return this.gathering.firstSeq;
  }

  get waitingBytes(): number {
    return this.gathering.usedBytes + (this.inFlight?.usedBytes ?? 0);
  }

  /** Copies the record; it is written at the end of the tick, or when the commit before it is done. */
  add(record: NewRecord): void {
    this.gathering.add(record, this.options.marks);
    this.wake();
  }

  /** Runs `task` when nothing waits to be written, and nothing is written while it runs. It must not reject. */
  whenIdle(task: () => Promise<void>): void {
    this.tasks.push(task);
    this.wake();
  }

  /** The disk cannot be written: nothing is taken until it can, which is tried again by itself. */
  fail(problem: JournalProblem): void {
    this.problem = problem;
    if (this.failedAtMs === null) {
      this.failedAtMs = this.options.clock.now();
      this.options.logger.error('journal: writes are refused', { reason: problem.message });
    }
    this.retry?.cancel();
    this.retry = this.options.clock.after(this.pauses.next(), () => {
      this.isRecoveryDue = true;
      this.wake();
    });
  }

  /** Resolves when everything has settled; what failed is not tried again any more. */
  async close(): Promise<void> {
    if (this.isAwake) await new Promise<void>((resolve) => this.whenAsleep.push(resolve));
    this.retry?.cancel();
  }

  private wake(): void {
    if (this.isAwake) return;
    this.isAwake = true;
    this.options.clock.endOfTick(() => void this.work());
  }

  private async work(): Promise<void> {
    for (;;) {
      const task = this.tasks[0];
      if (this.isRecoveryDue) await this.hasRecovered();
      else if (this.gathering.records > 0) await this.commit();
      else if (task !== undefined) {
        this.tasks.shift();
        await task();
      } else break;
    }
    this.isAwake = false;
    for (const resolve of this.whenAsleep.splice(0)) resolve();
  }

  private async commit(): Promise<void> {
    const batch = this.gathering;
    this.gathering = this.spare;
    this.inFlight = batch;
    let problem: JournalProblem | null = null;
    try {
      await this.options.write(batch);
    } catch (error) {
      problem = diskProblem('writing', error);
      const { records } = batch;
      this.options.logger.error('journal: a commit failed', { reason: problem.message, records });
      this.problem = problem;
      // A new segment says that these records do not count: then nobody will ever find them.
      if (await this.hasRecovered()) problem = withOutcome(problem, 'refused');
    }
    this.settle(batch, problem);
    if (this.problem === null || this.gathering.records === 0) return;
    const behind = this.gathering;
    this.gathering = this.spare;
    this.settle(behind, withOutcome(this.problem, 'refused'));
  }

  private settle(batch: Batch, problem: JournalProblem | null): void {
    if (this.inFlight === batch) this.inFlight = null;
    this.options.onSettled(batch, problem);
    batch.clear();
    this.spare = batch;
  }

  private async hasRecovered(): Promise<boolean> {
    this.isRecoveryDue = false;
    try {
      await this.options.recover();
    } catch (error) {
      this.fail(diskProblem('recovering', error));
      return false;
    }
    const { clock, logger } = this.options;
    if (this.failedAtMs !== null)
      logger.info('journal: takes writes again', {
        afterMs: Math.round(clock.now() - this.failedAtMs),
      });
    this.failedAtMs = null;
    this.problem = null;
    this.pauses.reset();
    this.retry?.cancel();
    return true;
  }
}
