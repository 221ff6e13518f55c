/**
 * The first block of a segment file: which journal it belongs to, what may stand in it, and where the segment before it
 * ends. It is written once, synced before the first record, and stands there twice, so that a damaged sector does not
 * make a whole segment unreadable.
 *
 *    0        8         12   20       28         36         44         52         60        68       76     80     84
 *   ┌────────┬─────────┬────┬────────┬──────────┬──────────┬──────────┬──────────┬─────────┬────────┬──────┬──────┬───────┐
 *   │RESPOOLJ│ version │ id │ number │ base seq │ reserved │ released │ previous │ its end │ made   │ mark │ seed │ crc32 │
 *   └────────┴─────────┴────┴────────┴──────────┴──────────┴──────────┴──────────┴─────────┴────────┴──────┴──────┴───────┘
 *   the same at 2048 · zeros up to 4096 · then the records
 */
import { crc32 } from 'node:zlib';
import type { JournalMarks } from './record.js';

/** Records begin here: behind a whole block, so that no torn write of theirs touches the header. */
export const SEGMENT_HEADER_BYTES = 4096;

const MAGIC = Buffer.from('RESPOOLJ', 'latin1');
const VERSION = 1;
const COPY_AT = 2048;
const CRC_AT = 84;

export interface SegmentHeader extends JournalMarks {
  /** The journal's id: 16 hex digits. */
  readonly id: string;
  /** Rises with each segment; it is also the file's name. */
  readonly number: number;
  /** No record in here has a smaller number. */
  readonly baseSeq: number;
  /** No record in here has a greater number; the next run of a sidecar begins behind it, so that none is given twice. */
  readonly reservedThroughSeq: number;
  /** When the segment was made, records up to here had been replayed (or are dead letters). */
  readonly releasedSeq: number;
  /** The last segment before with records in it, 0 for none. What stands in segments between the two does not count. */
  readonly previousNumber: number;
  /** Where it validly ends: what stands behind was refused and must not be replayed. */
  readonly previousEndBytes: number;
  readonly createdWallMs: number;
}

/** The whole block. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const block = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(block, 0);
  block.writeUInt32LE(VERSION, 8);
  block.write(header.id, 12, 'hex');
  const numbers = [
    header.number,
    header.baseSeq,
    header.reservedThroughSeq,
    header.releasedSeq,
    header.previousNumber,
    header.previousEndBytes,
    header.createdWallMs,
  ];
  numbers.forEach((value, index) => block.writeBigUInt64LE(BigInt(value), 20 + index * 8));
  block.writeUInt32LE(header.mark, 76);
  block.writeUInt32LE(header.crcSeed, 80);
  block.writeUInt32LE(crc32(block.subarray(0, CRC_AT)), CRC_AT);
  block.copy(block, COPY_AT, 0, CRC_AT + 4);
  return block;
}

/** What decoding a block finds: `damaged` says that only one of the two copies is good. */
export interface DecodedHeader {
  readonly header: SegmentHeader;
  readonly damaged: boolean;
}

/** Null when neither copy is good. Throws an Error for people when a newer version of Respool wrote it. */
export function decodeSegmentHeader(block: Buffer): DecodedHeader | null {
  if (block.length < SEGMENT_HEADER_BYTES) return null;
  const first = decodeCopy(block.subarray(0, COPY_AT));
  const second = decodeCopy(block.subarray(COPY_AT));
  const header = first ?? second;
  return header === null ? null : { header, damaged: first === null || second === null };
}

function decodeCopy(copy: Buffer): SegmentHeader | null {
  if (!copy.subarray(0, 8).equals(MAGIC)) return null;
  if (copy.readUInt32LE(CRC_AT) !== crc32(copy.subarray(0, CRC_AT))) return null;
  const version = copy.readUInt32LE(8);
  if (version !== VERSION) {
    throw new Error(
      `the journal is of format ${version}; this version of respool reads format ${VERSION}`,
    );
  }
  const number = (index: number): number => Number(copy.readBigUInt64LE(20 + index * 8));
  return {
    id: copy.toString('hex', 12, 20),
    number: number(0),
    baseSeq: number(1),
    reservedThroughSeq: number(2),
    releasedSeq: number(3),
    previousNumber: number(4),
    previousEndBytes: number(5),
    createdWallMs: number(6),
    mark: copy.readUInt32LE(76),
    crcSeed: copy.readUInt32LE(80),
  };
}
