/**
 * The journal's bound in bytes. Segments whose records have all been replayed are kept for an upstream that comes back
 * with older data, but only as long as nobody needs their room.
 */
import { JournalProblem } from './problem.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';
import type { Segment } from './segment.js';
import type { Segments } from './segments.js';

/** Bytes that may wait for the disk, unless it is a single record. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export class Room {
  /** Of all segments. */
  usedBytes = 0;
  private removableBytes = 0;

  constructor(
    private readonly segments: Segments,
    private readonly maxBytes: number,
    private readonly releasedSeq: () => number,
  ) {}

  /** Why there is no room for `bytes` more, with `waitingBytes` on their way; null when there is. */
  problemOf(bytes: number, waitingBytes: number): JournalProblem | null {
    const neededBytes = bytes + waitingBytes + SEGMENT_HEADER_BYTES;
    if (this.usedBytes - this.removableBytes + neededBytes > this.maxBytes)
      return new JournalProblem('full', 'journal is full');
    if (waitingBytes > 0 && waitingBytes + bytes > MAX_WAITING_BYTES)
      return new JournalProblem('too-slow', "the journal's disk cannot keep up");
    return null;
  }

  /** Counts again: something was written, released or removed. */
  account(): void {
    this.usedBytes = this.segments.usedBytes;
    this.removableBytes = 0;
    for (const segment of this.segments.all)
      if (this.isRemovable(segment)) this.removableBytes += segment.endBytes;
  }

  /** Removes replayed segments, oldest first, until `bytes` more fit, or there are no more of them. */
  async make(bytes: number): Promise<void> {
    if (this.usedBytes + bytes + SEGMENT_HEADER_BYTES <= this.maxBytes) return;
    await this.removeWhere(
      (segment) =>
        this.isRemovable(segment) &&
        this.segments.usedBytes + bytes + SEGMENT_HEADER_BYTES > this.maxBytes,
    );
  }

  /** Removes all replayed segments. */
  async clear(): Promise<void> {
    await this.removeWhere((segment) => this.isRemovable(segment));
  }

  /** Removes segments without a record, which no restart may leave behind in numbers. */
  async clearEmpty(): Promise<void> {
    await this.removeWhere((segment) => segment.records === 0 && this.isRemovable(segment));
  }

  private isRemovable(segment: Segment): boolean {
    // The newest one keeps the numbers, also when nothing may be written to it any more.
    if (segment === this.segments.all.at(-1)) return false;
    return segment.records === 0 || segment.lastSeq <= this.releasedSeq();
  }

  private async removeWhere(isChosen: (segment: Segment) => boolean): Promise<void> {
    for (const segment of this.segments.all)
      if (isChosen(segment) && !(await this.segments.remove(segment))) break;
    this.account();
  }
}
