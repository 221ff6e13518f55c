/**
 * Puts commits on the disk, one after the other, and knows what to do when the disk does not take one:
 *
 *   short or failed write ─► the segment is cut back and synced ─► it goes on              (outcome: refused)
 *   failed sync           ─► what the disk holds is not known; syncing again would lie     (outcome: unknown, until …)
 *                            the segment is left, a new one says where it validly ends     (… now: refused)
 *
 * `recover` is tried until it succeeds; a probe of the disk's room is part of it. Knows no client and no record.
 */
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Batch } from './batch.js';
import type { JournalFile } from './files.js';
import { diskProblem, JournalProblem, shortWrite, withOutcome } from './problem.js';
import type { Segment } from './segment.js';
import { SegmentFailure, type Segments, type SegmentStart } from './segments.js';

/** `always`: a commit has settled when it is synced; `everysec`, `no`: when it is written. */
export type FsyncMode = 'always' | 'everysec' | 'no';

/** Room that must be there before records are taken again: for twice the commit that failed, within these bounds. */
const SMALLEST_PROBE_BYTES = 64 * 1024;
const GREATEST_PROBE_BYTES = 4 * 1024 * 1024;

/** When no next segment can be made, the current one goes on and it is tried again after this time. */
const NEXT_SEGMENT_PAUSE_MS = 1000;

export interface SegmentWriterOptions {
  readonly segments: Segments;
  readonly fsync: FsyncMode;
  readonly segmentBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What a header says that is made now; the first record in it will be `firstSeq` (null: the next one). */
  readonly startOf: (firstSeq: number | null) => SegmentStart;
}

export class SegmentWriter {
  /** Written and not yet synced. */
  private isDirty = false;
  /** The sync of `everysec` that is under way. */
  private syncing: Promise<void> | null = null;
  private readonly everySecond: Timer | null;
  private nextSegmentAtMs = 0;
  private failedBytes = 0;

  constructor(private readonly options: SegmentWriterOptions) {
    const { clock, fsync } = options;
    this.everySecond = fsync === 'everysec' ? clock.every(1000, () => this.syncBehind()) : null;
  }

  /**
   * Writes `batch` at the end and, with `always`, syncs. When it resolves the segment counts its records. Rejects with a
   * JournalProblem; then the segment is as before, or has been left.
   */
  async write(batch: Batch): Promise<void> {
    const { segments, fsync } = this.options;
    const segment = await this.segmentFor(batch);
    const file = segments.fileOf(segment);
    if (!file.isLinked()) {
      segments.current = null;
      throw new JournalProblem('directory-gone', "the journal's directory is gone");
    }
    try {
      const written = await file.write(batch.contents, segment.endBytes);
      if (written < batch.usedBytes) throw shortWrite(written, batch.usedBytes);
    } catch (error) {
      this.failedBytes = batch.usedBytes;
      throw await this.cutBack(file, segment, diskProblem('writing', error));
    }
    if (fsync === 'always') {
      await file.sync().catch(async (error: unknown) => {
        segments.current = null;
        await file.truncate(segment.endBytes).catch(() => {});
        throw withOutcome(diskProblem('syncing', error), 'unknown');
      });
    } else {
      this.isDirty = true;
    }
    segment.addBatch(batch);
  }

  /** Makes sure that a segment can be written to and that there is room. Rejects with a JournalProblem. */
  async recover(): Promise<void> {
    const { segments, startOf } = this.options;
    const linked = segments.current !== null && segments.fileOf(segments.current).isLinked();
    if (!linked) {
      segments.current = null;
      await this.begin(startOf(null));
    }
    const segment = segments.current!;
    const file = segments.fileOf(segment);
    const wanted = Math.max(SMALLEST_PROBE_BYTES, this.failedBytes * 2);
    const probe = Buffer.alloc(Math.min(GREATEST_PROBE_BYTES, wanted));
    try {
      const written = await file.write(probe, segment.endBytes);
      if (written < probe.length) throw shortWrite(written, probe.length);
    } catch (error) {
      throw await this.cutBack(file, segment, diskProblem('writing', error));
    }
    // Zeros are no record: not being able to cut them off costs the segment and nothing else.
    await file.truncate(segment.endBytes).catch(() => (segments.current = null));
    if (segments.current === null) await this.begin(startOf(null));
  }

  /** Makes a new segment, although the current one is not full. Rejects with a JournalProblem. */
  async begin(start: SegmentStart): Promise<void> {
    await this.syncNow().catch((error: unknown) => this.warnOfSync(error));
    try {
      await this.options.segments.begin(start);
    } catch (error) {
      throw error instanceof SegmentFailure ? error.problem : error;
    }
  }

  /** Nothing more is written. Rejects when what was written cannot be synced. */
  async close(): Promise<void> {
    this.everySecond?.cancel();
    await this.syncNow();
  }

  /** The segment that `batch` goes to: the current one until it is full. */
  private async segmentFor(batch: Batch): Promise<Segment> {
    const { segments, segmentBytes, clock, logger, startOf } = this.options;
    const { current } = segments;
    if (current === null) {
      await this.begin(startOf(batch.firstSeq));
      return segments.current!;
    }
    const isNumbered = batch.lastSeq <= current.header.reservedThroughSeq;
    const fits = current.records === 0 || current.endBytes + batch.usedBytes <= segmentBytes;
    if (isNumbered && (fits || clock.now() < this.nextSegmentAtMs)) return current;
    try {
      await this.begin(startOf(batch.firstSeq));
    } catch (error) {
      if (!isNumbered || segments.current === null) throw error;
      // Without descriptors no file can be made, but the open one can grow.
      logger.warn('journal: no new segment can be made, the old one goes on', {
        reason: error instanceof Error ? error.message : String(error),
      });
      this.nextSegmentAtMs = clock.now() + NEXT_SEGMENT_PAUSE_MS;
    }
    return segments.current!;
  }

  /** After a failed write: the segment as it was before, on the disk too, or not used any more. */
  private async cutBack(
    file: JournalFile,
    segment: Segment,
    problem: JournalProblem,
  ): Promise<JournalProblem> {
    try {
      await file.truncate(segment.endBytes);
      await file.sync();
      return problem;
    } catch {
      this.options.segments.current = null;
      return withOutcome(problem, 'unknown');
    }
  }

  /** Syncs while others write: with `everysec` nobody waits for it. */
  private syncBehind(): void {
    if (!this.isDirty || this.syncing !== null) return;
    this.syncing = this.syncCurrent()
      .catch((error: unknown) => this.warnOfSync(error))
      .finally(() => (this.syncing = null));
  }

  private async syncNow(): Promise<void> {
    if (this.syncing !== null) await this.syncing;
    if (this.isDirty) await this.syncCurrent();
  }

  private async syncCurrent(): Promise<void> {
    const { segments } = this.options;
    const { current } = segments;
    this.isDirty = false;
    if (current === null) return;
    try {
      await segments.fileOf(current).sync();
    } catch (error) {
      // Never again on this one: it would say that all is well, and the pages are gone.
      if (segments.current === current) segments.current = null;
      throw diskProblem('syncing', error);
    }
  }

  private warnOfSync(error: unknown): void {
    this.options.logger.error('journal: accepted writes may not survive a power failure', {
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}
