import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { Batch, NOTE_EVERY_BYTES } from '../../src/journal/batch.js';
import {
  readHeader,
  readRecord,
  RECORD_HEADER_BYTES,
  TRANSACTION,
  writeRecord,
  type JournalRecord,
} from '../../src/journal/record.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
} from '../../src/journal/segment-header.js';
import { integerBelow, property, randomBytes } from '../helpers/fuzz.js';
import { setCommand } from '../helpers/test-journal.js';

const MARKS = { mark: 0xdeadbeef, crcSeed: 0x12345678 };

const RECORD: JournalRecord = {
  seq: 2 ** 40 + 7,
  wallMs: Date.UTC(2026, 10, 21),
  db: 70_000,
  flags: TRANSACTION,
  commands: 2,
  bytes: Buffer.concat([setCommand('a'), setCommand('b')]),
};

function read(bytes: Buffer, at: number): JournalRecord | null {
  const header = readHeader(bytes, at, MARKS);
  if (header === null || at + RECORD_HEADER_BYTES + header.length > bytes.length) return null;
  return readRecord(bytes, at, header, MARKS);
}

test('a record reads back as it was written, wherever it stands', () => {
  const bytes = Buffer.alloc(500, 0xaa);
  const end = writeRecord(bytes, 33, RECORD, MARKS, 33);
  assert.equal(end, 33 + RECORD_HEADER_BYTES + RECORD.bytes.length);
  assert.deepEqual(read(bytes, 33), RECORD);
  assert.equal(bytes[32], 0xaa);
  assert.equal(bytes[end], 0xaa);
});

test('every single flipped bit of a record is noticed', () => {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + RECORD.bytes.length);
  writeRecord(bytes, 0, RECORD, MARKS, 0);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(read(bytes, 0), null, `bit ${bit}`);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  assert.deepEqual(read(bytes, 0), RECORD);
});

test('a record of another journal is none', () => {
  const bytes = Buffer.alloc(500);
  writeRecord(bytes, 0, RECORD, { ...MARKS, crcSeed: 1 }, 0);
  assert.equal(read(bytes, 0), null);
  writeRecord(bytes, 0, RECORD, { ...MARKS, mark: 1 }, 0);
  assert.equal(read(bytes, 0), null);
});

property('any record reads back', 200, (random) => {
  const record = {
    seq: 1 + integerBelow(random, 2 ** 48 - 1),
    wallMs: integerBelow(random, 2 ** 48),
    db: integerBelow(random, 2 ** 31),
    flags: integerBelow(random, 2 ** 16),
    commands: integerBelow(random, 2 ** 32),
    bytes: randomBytes(random, integerBelow(random, 200)),
  };
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + record.bytes.length);
  writeRecord(bytes, 0, record, MARKS, 0);
  assert.deepEqual(read(bytes, 0), record);
});

test('a batch holds its records back to back and notes places in it', () => {
  const batch = new Batch();
  for (let seq = 5; seq < 1005; seq += 1) batch.add({ ...RECORD, seq }, MARKS);
  assert.deepEqual([batch.firstSeq, batch.lastSeq, batch.records], [5, 1004, 1000]);
  const size = RECORD_HEADER_BYTES + RECORD.bytes.length;
  assert.equal(batch.contents.length, 1000 * size);
  for (let n = 0; n < 1000; n += 1) {
    assert.equal(read(batch.contents, n * size)?.seq, 5 + n);
    assert.equal(readHeader(batch.contents, n * size, MARKS)?.inCommit, n * size);
  }
  assert.equal(batch.notes.length, Math.ceil((1000 * size) / NOTE_EVERY_BYTES));
  for (const { seq, offset, ordinal } of batch.notes) {
    assert.equal(read(batch.contents, offset)?.seq, seq);
    assert.equal(seq, 5 + ordinal);
  }
  batch.clear();
  assert.deepEqual([batch.records, batch.usedBytes, batch.lastSeq], [0, 0, 0]);
});

test('the memory of one great commit is given back', () => {
  const batch = new Batch();
  batch.add({ ...RECORD, bytes: Buffer.alloc(20_000_000) }, MARKS);
  assert.ok(batch.contents.buffer.byteLength >= 20_000_000);
  batch.clear();
  assert.ok(batch.contents.buffer.byteLength <= 65_536);
});

const HEADER = {
  ...MARKS,
  id: '0123456789abcdef',
  number: 12,
  baseSeq: 2 ** 40,
  reservedThroughSeq: 2 ** 40 + 100,
  releasedSeq: 17,
  previousNumber: 11,
  previousEndBytes: 8_388_000,
  createdWallMs: Date.UTC(2026, 10, 21),
};

test('a segment header reads back from either of its two copies', () => {
  const block = encodeSegmentHeader(HEADER);
  assert.equal(block.length, SEGMENT_HEADER_BYTES);
  assert.deepEqual(decodeSegmentHeader(block), { header: HEADER, damaged: false });
  for (const from of [0, 2048]) {
    const damaged = Buffer.from(block);
    damaged.fill(0xff, from, from + 2048);
    assert.deepEqual(decodeSegmentHeader(damaged), { header: HEADER, damaged: true });
  }
  assert.equal(decodeSegmentHeader(Buffer.alloc(SEGMENT_HEADER_BYTES)), null);
  assert.equal(decodeSegmentHeader(block.subarray(0, 4095)), null);
});

test('a journal of a newer format is refused with a sentence', () => {
  const block = encodeSegmentHeader(HEADER);
  block.writeUInt32LE(2, 8);
  assert.equal(decodeSegmentHeader(block)?.damaged, true, 'by itself a flipped version is damage');
  block.writeUInt32LE(crc32(block.subarray(0, 84)), 84);
  assert.throws(
    () => decodeSegmentHeader(block),
    /format 2; this version of respool reads format 1/,
  );
});
