/**
 * The records that gather for one commit: one growing piece of memory, written to the disk as it is. A record is copied
 * into it once; nothing else is allocated for it.
 */
import {
  framesLength,
  RECORD_HEADER_BYTES,
  writeRecord,
  type JournalMarks,
  type NewRecord,
} from './record.js';

/** Every so many bytes the place of a record is noted, so that it is found again without reading the whole segment. */
export const NOTE_EVERY_BYTES = 64 * 1024;

const FIRST_BYTES = 64 * 1024;
/** Memory that one great commit needed is given back. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** Where a record begins: bytes from the beginning of the batch or segment, and how many records are before it there. */
export interface Note {
  readonly seq: number;
  readonly offset: number;
  readonly ordinal: number;
}

export class Batch {
  private memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Of its records; 0 while it is empty. */
  firstSeq = 0;
  lastSeq = 0;
  records = 0;
  usedBytes = 0;
  notes: Note[] = [];

  /** Copies the record in. */
  add(record: NewRecord, marks: JournalMarks): void {
    const at = this.usedBytes;
    this.makeRoom(RECORD_HEADER_BYTES + framesLength(record));
    this.usedBytes = writeRecord(this.memory, at, record, marks, at);
    if (at >= this.notes.length * NOTE_EVERY_BYTES)
      this.notes.push({ seq: record.seq, offset: at, ordinal: this.records });
    if (this.records === 0) this.firstSeq = record.seq;
    this.lastSeq = record.seq;
    this.records += 1;
  }

  /** What is to be written; valid until `clear`. */
  get contents(): Buffer {
    return this.memory.subarray(0, this.usedBytes);
  }

  clear(): void {
    if (this.memory.length > KEPT_BYTES) this.memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.firstSeq = 0;
    this.lastSeq = 0;
    this.records = 0;
    this.usedBytes = 0;
    this.notes = [];
  }

  private makeRoom(moreBytes: number): void {
    const needed = this.usedBytes + moreBytes;
    if (needed <= this.memory.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.memory.length * 2));
    this.memory.copy(grown, 0, 0, this.usedBytes);
    this.memory = grown;
  }
}
