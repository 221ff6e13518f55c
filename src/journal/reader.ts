/**
 * Reads a journal directory without taking it and without changing it: for `respool journal`, offline and beside a
 * running sidecar. What that one is just writing is not there yet, and a segment that it removes meanwhile is skipped.
 */
import { DEAD_LETTERS_FILE, decodeLetter, type DeadLetter } from './dead-letters.js';
import type { JournalFile, JournalFiles } from './files.js';
import type { JournalRecord } from './record.js';
import { headerOf, limitOf } from './repair.js';
import { scan, Window } from './scan.js';
import { segmentName, segmentNumber } from './segment.js';
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.js';

/** One segment as it is on the disk. */
export interface SegmentSummary {
  readonly name: string;
  readonly createdWallMs: number;
  /** Of the records in it; null when there are none. */
  readonly firstSeq: number | null;
  readonly lastSeq: number | null;
  readonly records: number;
  /** Those that had not been replayed when the newest segment was made. */
  readonly pendingRecords: number;
  readonly bytes: number;
  /** What can be read no more; at the end of the newest segment that may be a commit under way. */
  readonly badBytes: number;
}

export class JournalReader {
  /** Records up to here had been replayed when the newest segment was made; the cursor in Redis may be further. */
  readonly releasedSeq: number;

  private constructor(
    private readonly files: JournalFiles,
    private readonly headers: readonly SegmentHeader[],
  ) {
    this.releasedSeq = Math.max(0, ...headers.map((header) => header.releasedSeq));
  }

  /** Throws an Error for people when there is no journal in the directory. */
  static open(files: JournalFiles): JournalReader {
    let names: string[];
    try {
      names = files.list();
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const what = isMissing
        ? `there is no directory ${files.description}; name the journal's with --dir`
        : `the directory ${files.description} cannot be read: ${(error as Error).message}`;
      throw new Error(what, { cause: error });
    }
    const numbers = names.map(segmentNumber).filter((number) => number !== null);
    const headers = numbers
      .sort((one, other) => one - other)
      .map((number) => ifThere(() => headerOf(files, segmentName(number))))
      .filter((header) => header !== null);
    if (headers.length === 0)
      throw new Error(`there is no journal in ${files.description}; name its directory with --dir`);
    return new JournalReader(files, headers);
  }

  /** 16 hex digits. */
  get id(): string {
    return this.headers[0]!.id;
  }

  /** Oldest first. */
  segments(): SegmentSummary[] {
    return this.headers.map((header) => this.summary(header)).filter((each) => each !== null);
  }

  /** Those whose numbers are greater than `afterSeq`, oldest first. */
  *records(afterSeq: number): Generator<JournalRecord> {
    for (const header of this.headers) {
      for (const { record } of this.found(header, segmentName(header.number)))
        if (record !== null && record.seq > afterSeq) yield record;
    }
  }

  /** Oldest first. */
  *deadLetters(): Generator<DeadLetter> {
    if (!this.files.list().includes(DEAD_LETTERS_FILE)) return;
    for (const { record } of this.found(this.headers[0]!, DEAD_LETTERS_FILE))
      if (record !== null) yield decodeLetter(record);
  }

  private summary(header: SegmentHeader): SegmentSummary | null {
    const name = segmentName(header.number);
    let [records, pendingRecords, badBytes, bytes] = [0, 0, 0, SEGMENT_HEADER_BYTES];
    let firstSeq: number | null = null;
    let lastSeq: number | null = null;
    for (const { record, at, end } of this.found(header, name)) {
      bytes = end;
      if (record === null) {
        badBytes += end - at;
        continue;
      }
      records += 1;
      if (record.seq > this.releasedSeq) pendingRecords += 1;
      firstSeq ??= record.seq;
      lastSeq = record.seq;
    }
    const { createdWallMs } = header;
    return { name, createdWallMs, firstSeq, lastSeq, records, pendingRecords, bytes, badBytes };
  }

  private *found(header: SegmentHeader, name: string): ReturnType<typeof scan> {
    const file: JournalFile | null = ifThere(() => this.files.open(name, 'read'));
    if (file === null) return;
    try {
      const size = file.sizeBytes();
      const limit = name === DEAD_LETTERS_FILE ? null : limitOf(header, this.headers);
      const window = new Window(() => file, header);
      yield* scan(window, SEGMENT_HEADER_BYTES, Math.min(size, limit ?? size), 0);
    } finally {
      file.close();
    }
  }
}

/** Null when the file has been removed meanwhile. */
function ifThere<T>(open: () => T): T | null {
  try {
    return open();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
