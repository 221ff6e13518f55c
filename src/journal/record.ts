/**
 * A journal record and its bytes on the disk. A pure codec: it knows no files, no clock and no other record.
 * `docs/journal-format.md` is the specification of what stands here, and golden files guard it.
 *
 *    0       4       8        12          16     22      24      30        32         36   40
 *   ┌───────┬───────┬────────┬───────────┬──────┬───────┬───────┬─────────┬──────────┬────┬──────────────────────────┐
 *   │ mark  │ crc32 │ length │ in commit │ seq  │ flags │ wall  │ 0       │ commands │ db │ request frames (length)  │
 *   └───────┴───────┴────────┴───────────┴──────┴───────┴───────┴─────────┴──────────┴────┴──────────────────────────┘
 *                   └────────────────── crc32 covers this, beginning with the journal's seed ────────────────────────┘
 *
 * Mark and seed are drawn for each journal and kept to it, so that nothing else can make a record in it: neither what an
 * older file left in the disk's blocks, nor a client whose value looks like a record (it would be found when the search
 * for the next good record goes through a damaged one).
 */
import { crc32 } from 'node:zlib';

/** One acknowledged command, or one transaction, as it will be replayed. */
export interface JournalRecord {
  /** Rises with each append. Numbers are missing where an append failed, and between two runs of a sidecar. */
  readonly seq: number;
  /** When it was appended, in milliseconds since the epoch. */
  readonly wallMs: number;
  readonly db: number;
  /** See TRANSACTION. */
  readonly flags: number;
  /** Frames in `bytes`. */
  readonly commands: number;
  /** RESP request frames, back to back; of a transaction without its MULTI and EXEC. */
  readonly bytes: Buffer;
}

/** Flag: the frames were a MULTI block and must be replayed within one EXEC. */
export const TRANSACTION = 1;

/** What stands in front of a record's frames. */
export const RECORD_HEADER_BYTES = 40;

/** What is drawn once for a journal and stands in the header of each segment. */
export interface JournalMarks {
  /** The first four bytes of each record. */
  readonly mark: number;
  /** What the checksum of each record begins with. */
  readonly crcSeed: number;
}

/** A record's header, read but not yet checked against its checksum. */
export interface RecordHeader {
  readonly crc: number;
  readonly length: number;
  /** Bytes between the beginning of the commit that wrote this record and the record. */
  readonly inCommit: number;
  readonly seq: number;
  readonly flags: number;
  readonly wallMs: number;
  readonly commands: number;
  readonly db: number;
}

/** A record on its way into the journal: where it says so its frames are only `bytes[start, end)`. */
export interface NewRecord extends JournalRecord {
  readonly start?: number;
  readonly end?: number;
}

/** How long the frames of a new record are. */
export function framesLength({ bytes, start = 0, end = bytes.length }: NewRecord): number {
  return end - start;
}

/** Writes a record at `at`; `into` has room for it. Returns where it ends. The frames are copied. */
export function writeRecord(
  into: Buffer,
  at: number,
  record: NewRecord,
  marks: JournalMarks,
  inCommit: number,
): number {
  const { bytes, seq, wallMs } = record;
  const length = framesLength(record);
  const end = at + RECORD_HEADER_BYTES + length;
  into.writeUInt32LE(marks.mark, at);
  into.writeUInt32LE(length, at + 8);
  into.writeUInt32LE(inCommit, at + 12);
  into.writeUInt32LE(seq % 2 ** 32, at + 16);
  into.writeUInt16LE(Math.floor(seq / 2 ** 32), at + 20);
  into.writeUInt16LE(record.flags, at + 22);
  into.writeUInt32LE(wallMs % 2 ** 32, at + 24);
  into.writeUInt16LE(Math.floor(wallMs / 2 ** 32), at + 28);
  into.writeUInt16LE(0, at + 30);
  into.writeUInt32LE(record.commands, at + 32);
  into.writeUInt32LE(record.db, at + 36);
  bytes.copy(into, at + RECORD_HEADER_BYTES, record.start, record.end);
  into.writeUInt32LE(crc32(into.subarray(at + 8, end), marks.crcSeed), at + 4);
  return end;
}

/** The header at `at` if the journal's mark stands there, else null. At least RECORD_HEADER_BYTES must be in `from`. */
export function readHeader(from: Buffer, at: number, marks: JournalMarks): RecordHeader | null {
  if (from.readUInt32LE(at) !== marks.mark) return null;
  return {
    crc: from.readUInt32LE(at + 4),
    length: from.readUInt32LE(at + 8),
    inCommit: from.readUInt32LE(at + 12),
    seq: from.readUInt32LE(at + 16) + from.readUInt16LE(at + 20) * 2 ** 32,
    flags: from.readUInt16LE(at + 22),
    wallMs: from.readUInt32LE(at + 24) + from.readUInt16LE(at + 28) * 2 ** 32,
    commands: from.readUInt32LE(at + 32),
    db: from.readUInt32LE(at + 36),
  };
}

/**
 * The record at `at` whose header is `header`; its bytes are a view of `from`. Null when the checksum says that it is
 * not what was written. The whole record must be in `from`.
 */
export function readRecord(
  from: Buffer,
  at: number,
  header: RecordHeader,
  marks: JournalMarks,
): JournalRecord | null {
  const end = at + RECORD_HEADER_BYTES + header.length;
  if (crc32(from.subarray(at + 8, end), marks.crcSeed) !== header.crc) return null;
  const { seq, wallMs, db, flags, commands } = header;
  const bytes = from.subarray(at + RECORD_HEADER_BYTES, end);
  return { seq, wallMs, db, flags, commands, bytes };
}
