/**
 * One segment file as the journal knows it: its header, where its last settled record ends, and a sparse list of places
 * in it. Records are only ever added at its end; what stands behind `endBytes` does not count.
 */
import { NOTE_EVERY_BYTES, type Batch, type Note } from './batch.js';
import { RECORD_HEADER_BYTES, type JournalRecord } from './record.js';
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.js';

/** While a segment is being made it has this ending; it is renamed when its header is on the disk. */
export const UNFINISHED = '.new';

const NAME = /^segment-(\d{12})\.journal$/;

export function segmentName(number: number): string {
  return `segment-${String(number).padStart(12, '0')}.journal`;
}

/** The number of the segment that a file of that name is; null when it is none. */
export function segmentNumber(name: string): number | null {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

export class Segment {
  readonly name: string;
  /** Behind the last settled record. */
  endBytes = SEGMENT_HEADER_BYTES;
  records = 0;
  /** Of its records; 0 while there are none. */
  firstSeq = 0;
  lastSeq = 0;
  private readonly notes: Note[] = [];

  /** `recordsBefore` and `bytesBefore` count what earlier segments hold or held in this run. */
  constructor(
    readonly header: SegmentHeader,
    readonly recordsBefore: number,
    readonly bytesBefore: number,
  ) {
    this.name = segmentName(header.number);
  }

  /** A commit was written at the end and has settled. */
  addBatch(batch: Batch): void {
    for (const { seq, offset, ordinal } of batch.notes)
      this.note(seq, this.endBytes + offset, this.records + ordinal);
    this.count(batch.firstSeq, batch.lastSeq, batch.records);
    this.endBytes += batch.usedBytes;
  }

  /** A record was found at `at`, behind all others. */
  addFound(record: JournalRecord, at: number): void {
    this.note(record.seq, at, this.records);
    this.count(record.seq, record.seq, 1);
    this.endBytes = at + RECORD_HEADER_BYTES + record.bytes.length;
  }

  /** The closest place noted at or before the record `seq`, or the beginning. */
  noteBefore(seq: number): Note {
    let low = 0;
    let high = this.notes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.notes[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return this.notes[low - 1] ?? { seq: 0, offset: SEGMENT_HEADER_BYTES, ordinal: 0 };
  }

  /** All that was added does not count: it will be added again. */
  forget(): void {
    this.endBytes = SEGMENT_HEADER_BYTES;
    this.records = 0;
    this.firstSeq = 0;
    this.lastSeq = 0;
    this.notes.length = 0;
  }

  private note(seq: number, offset: number, ordinal: number): void {
    const last = this.notes.at(-1);
    if (last !== undefined && offset - last.offset < NOTE_EVERY_BYTES) return;
    this.notes.push({ seq, offset, ordinal });
  }

  private count(firstSeq: number, lastSeq: number, records: number): void {
    if (this.records === 0) this.firstSeq = firstSeq;
    this.lastSeq = lastSeq;
    this.records += records;
  }
}
