/**
 * Walks through the records of a segment file and tells what it finds: records that are as they were written, and the
 * stretches between them that are not. After a bad place it goes on at the next place where a whole, good record begins.
 *
 *   4096                                                      until
 *   ├─ record 7 ─┼─ record 8 ─┼─ ▒▒▒▒▒▒▒▒▒ ─┼─ record 11 ─┼─ ▒▒▒▒ ┤
 *                              └ damage: 9, 10              └ damage: a torn write, or a commit under way
 *
 * Whether a stretch was torn or has decayed is for the reader of this to decide (`repair`).
 */
import type { JournalFile } from './files.js';
import {
  readHeader,
  readRecord,
  RECORD_HEADER_BYTES,
  type JournalMarks,
  type JournalRecord,
} from './record.js';

/** Read from the disk at once. */
const WINDOW_BYTES = 256 * 1024;

/** A record is a view of memory that nothing else writes to; it may be kept, and then keeps up to 256 kB. */
export type Found =
  | {
      readonly record: JournalRecord;
      readonly at: number;
      readonly end: number;
      readonly commitAt: number;
    }
  | { readonly record: null; readonly at: number; readonly end: number };

/** Part of a file in memory; moves forward as it is asked. */
export class Window {
  private memory = Buffer.alloc(0);
  private startsAt = 0;

  constructor(
    private readonly file: () => JournalFile,
    readonly marks: JournalMarks,
  ) {}

  /**
   * The place in `memory` where [at, at + bytes) of the file is, or -1 when the file does not have that. Nothing is read
   * from behind `until`, because that may still be written to.
   */
  private find(at: number, bytes: number, until: number): number {
    if (at + bytes > until) return -1;
    const inMemory = at - this.startsAt;
    if (inMemory >= 0 && inMemory + bytes <= this.memory.length) return inMemory;
    const wanted = Math.max(bytes, Math.min(WINDOW_BYTES, until - at));
    const memory = Buffer.allocUnsafeSlow(wanted);
    const got = this.file().read(memory, at);
    this.memory = memory.subarray(0, got);
    this.startsAt = at;
    return got >= bytes ? 0 : -1;
  }

  /** The good record that begins at `at`, or null. */
  recordAt(at: number, until: number): (Found & { readonly record: JournalRecord }) | null {
    const headerAt = this.find(at, RECORD_HEADER_BYTES, until);
    if (headerAt < 0) return null;
    const header = readHeader(this.memory, headerAt, this.marks);
    if (header === null) return null;
    const bytes = RECORD_HEADER_BYTES + header.length;
    const recordAt = this.find(at, bytes, until);
    if (recordAt < 0) return null;
    const record = readRecord(this.memory, recordAt, header, this.marks);
    return record === null ? null : { record, at, end: at + bytes, commitAt: at - header.inCommit };
  }

  /** The first place from `at` on where the journal's mark stands, or -1. */
  nextMark(at: number, until: number): number {
    const mark = Buffer.alloc(4);
    mark.writeUInt32LE(this.marks.mark);
    for (let from = at; from + RECORD_HEADER_BYTES <= until;) {
      const inMemory = this.find(from, RECORD_HEADER_BYTES, until);
      if (inMemory < 0) return -1;
      const found = this.memory.indexOf(mark, inMemory);
      if (found >= 0) return this.startsAt + found;
      from = this.startsAt + this.memory.length - (mark.length - 1);
    }
    return -1;
  }
}

/**
 * What stands between `from` and `until`, in order and without a gap. A record whose number is not greater than that of
 * the one before it (at first `afterSeq`) is damage too.
 */
export function* scan(
  window: Window,
  from: number,
  until: number,
  afterSeq: number,
): Generator<Found> {
  let seq = afterSeq;
  for (let at = from; at < until;) {
    let found = window.recordAt(at, until);
    if (found === null || found.record.seq <= seq) {
      found = nextRecord(window, at + 1, until, seq);
      yield { record: null, at, end: found?.at ?? until };
      if (found === null) return;
    }
    yield found;
    seq = found.record.seq;
    at = found.end;
  }
}

function nextRecord(
  window: Window,
  from: number,
  until: number,
  afterSeq: number,
): ReturnType<Window['recordAt']> {
  for (let at = from; ; at += 1) {
    at = window.nextMark(at, until);
    if (at < 0) return null;
    const found = window.recordAt(at, until);
    if (found !== null && found.record.seq > afterSeq) return found;
  }
}
