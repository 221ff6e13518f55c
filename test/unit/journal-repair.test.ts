import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECORD_HEADER_BYTES } from '../../src/journal/record.js';
import { SEGMENT_HEADER_BYTES } from '../../src/journal/segment-header.js';
import { ModelDisk } from '../helpers/model-disk.js';
import { setCommand, TestJournal } from '../helpers/test-journal.js';

const FIRST = 'segment-000000000001.journal';
const SIZE = RECORD_HEADER_BYTES + setCommand('a').length;

/** Five records of one size, each a commit of its own, on a disk whose process is dead. */
async function fiveRecords(): Promise<ModelDisk> {
  const disk = new ModelDisk();
  const it = await TestJournal.open({ files: disk });
  for (const key of ['a', 'b', 'c', 'd', 'e']) await it.appended(setCommand(key));
  return disk.afterKill();
}

function recordAt(index: number): number {
  return SEGMENT_HEADER_BYTES + index * SIZE;
}

async function reopened(disk: ModelDisk): Promise<{ it: TestJournal; seqs: number[] }> {
  const it = await TestJournal.open({ files: disk });
  return { it, seqs: it.readAll().map(({ seq }) => seq) };
}

test('a torn tail is copied aside, cut, reported once, and its number is not used again', async () => {
  const disk = await fiveRecords();
  disk.put(FIRST, disk.contentsOf(FIRST).subarray(0, recordAt(5) - 3));
  const { it, seqs } = await reopened(disk);
  assert.deepEqual(seqs, [1, 2, 3, 4]);
  const copy = `torn-1-${recordAt(4)}.bytes`;
  const place = { at: recordAt(4), bytes: SIZE - 3, afterSeq: 4, beforeSeq: null };
  assert.deepEqual(it.journal.findings, [{ kind: 'torn', file: FIRST, ...place, copy }]);
  assert.equal(disk.contentsOf(copy).length, SIZE - 3);
  assert.equal(disk.contentsOf(FIRST).length, recordAt(4));
  assert.ok(it.log.some((line) => /WARN .*torn and has been cut off.*torn-1-/.test(line)));
  await it.appended(setCommand('f'));
  assert.ok(it.ledger[0]!.seq > 5);
  assert.deepEqual((await reopened(disk.afterKill())).it.journal.findings, []);
});

test('a decayed record is reported with its number, kept aside, and what is behind it is replayed', async () => {
  const disk = await fiveRecords();
  disk.contentsOf(FIRST)[recordAt(1) + 50]! ^= 4;
  const { it, seqs } = await reopened(disk);
  assert.deepEqual(seqs, [1, 3, 4, 5]);
  const place = { at: recordAt(1), bytes: SIZE, afterSeq: 1, beforeSeq: 3 };
  const copy = `damaged-1-${recordAt(1)}.bytes`;
  assert.deepEqual(it.journal.findings, [{ kind: 'damaged', file: FIRST, ...place, copy }]);
  assert.ok(
    it.log.some((line) => /ERROR .*will not be replayed.*afterSeq=1 beforeSeq=3/.test(line)),
  );
  assert.equal(it.journal.pendingRecords, 4);
  it.journal.release(1);
  assert.equal(it.journal.pendingRecords, 3);
  it.journal.release(5);
  assert.equal(it.journal.pendingRecords, 0);
});

test('a record that decays while the journal is open is reported, and skipped', async () => {
  const disk = new ModelDisk();
  const it = await TestJournal.open({ files: disk });
  for (const key of ['a', 'b', 'c']) await it.appended(setCommand(key));
  disk.contentsOf(FIRST)[recordAt(1) + 41]! ^= 1;
  assert.deepEqual(
    it.readAll().map(({ seq }) => seq),
    [1, 3],
  );
  assert.deepEqual(
    it.readAll().map(({ seq }) => seq),
    [1, 3],
  );
  assert.equal(it.log.filter((line) => line.includes('will not be replayed')).length, 1);
  it.journal.release(3);
  assert.equal(it.journal.pendingRecords, 0);
});

test('two bad places, one of them a wrong length, are two findings', async () => {
  const disk = await fiveRecords();
  const bytes = disk.contentsOf(FIRST);
  bytes.writeUInt32LE(1_000_000, recordAt(0) + 8);
  bytes.writeUInt32LE(3, recordAt(2) + 8);
  const { it, seqs } = await reopened(disk);
  assert.deepEqual(seqs, [2, 4, 5]);
  assert.deepEqual(
    it.journal.findings.map(({ kind, at }) => [kind, at]),
    [
      ['damaged', recordAt(0)],
      ['damaged', recordAt(2)],
    ],
  );
});

test('a client cannot smuggle a record in: what looks like one within a damaged record is none', async () => {
  const disk = new ModelDisk();
  const it = await TestJournal.open({ files: disk });
  await it.appended(setCommand('a'));
  const honest = Buffer.from(disk.contentsOf(FIRST).subarray(recordAt(0), recordAt(1)));
  // All of a real record, seen through some leak of another journal, but for the marks of this one.
  honest.writeUInt32LE(0x01020304, 0);
  await it.appended(setCommand('b', honest.toString('latin1')));
  await it.appended(setCommand('c'));
  disk.contentsOf(FIRST)[recordAt(1)]! ^= 1;
  const { seqs } = await reopened(disk.afterKill());
  assert.deepEqual(seqs, [1, 3]);
});

test('zeros, or anything else, behind the last commit are a torn tail', async () => {
  for (const tail of [Buffer.alloc(9000), Buffer.from('rubbish'), Buffer.alloc(1, 255)]) {
    const disk = await fiveRecords();
    disk.put(FIRST, Buffer.concat([disk.contentsOf(FIRST), tail]));
    const { it, seqs } = await reopened(disk);
    assert.deepEqual(seqs, [1, 2, 3, 4, 5]);
    assert.equal(it.journal.findings[0]?.kind, 'torn');
    assert.deepEqual(disk.contentsOf(it.journal.findings[0].copy!), tail);
  }
});

test('a file that became shorter than the next segment says is reported', async () => {
  const disk = await fiveRecords();
  const next = (await reopened(disk)).it;
  await next.appended(setCommand('f'));
  const left = disk.afterKill();
  left.put(FIRST, left.contentsOf(FIRST).subarray(0, recordAt(3)));
  const { it, seqs } = await reopened(left);
  assert.deepEqual(seqs, [1, 2, 3, next.ledger[0]!.seq]);
  assert.deepEqual(
    it.journal.findings.map(({ kind, bytes }) => [kind, bytes]),
    [['missing', 2 * SIZE]],
  );
});

test('one bad copy of a header is a warning; two set the file aside, and numbers stay above it', async () => {
  const disk = await fiveRecords();
  disk.contentsOf(FIRST)[30]! ^= 1;
  const first = await reopened(disk.afterKill());
  assert.deepEqual(first.seqs, [1, 2, 3, 4, 5]);
  assert.ok(first.it.log.some((line) => line.includes('one copy of a segment header')));
  disk.contentsOf(FIRST)[2048 + 30]! ^= 1;
  const second = await reopened(disk);
  assert.deepEqual(second.seqs, []);
  assert.deepEqual(
    second.it.journal.findings.map(({ kind, copy }) => [kind, copy]),
    [['unreadable', `unreadable-${FIRST}`]],
  );
  assert.ok(disk.list().includes(`unreadable-${FIRST}`));
  await second.it.appended(setCommand('f'));
  assert.ok(second.it.ledger[0]!.seq > 5);
});

test('files of two journals in one directory are refused with a sentence, and nothing is touched', async () => {
  const disk = await fiveRecords();
  const foreign = new ModelDisk();
  await TestJournal.open({ files: foreign, random: () => 0.5 });
  disk.put('segment-000000000002.journal', foreign.contentsOf(FIRST));
  const before = disk.list();
  await assert.rejects(TestJournal.open({ files: disk }), /holds files of different journals/);
  assert.deepEqual(disk.list(), before);
  disk.put('segment-000000000002.journal', Buffer.alloc(0));
  await disk.remove('segment-000000000002.journal');
  assert.deepEqual((await reopened(disk)).seqs, [1, 2, 3, 4, 5], 'the lock was given back');
});

test('a segment that was being made when the process died is removed', async () => {
  const disk = await fiveRecords();
  disk.put('segment-000000000002.journal.new', Buffer.alloc(100));
  const { seqs } = await reopened(disk);
  assert.deepEqual(seqs, [1, 2, 3, 4, 5]);
  assert.ok(!disk.list().some((name) => name.endsWith('.new')));
});
