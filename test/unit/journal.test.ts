import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryFiles } from '../../src/journal/memory-files.js';
import { TRANSACTION } from '../../src/journal/record.js';
import { SEGMENT_HEADER_BYTES } from '../../src/journal/segment-header.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { ModelDisk } from '../helpers/model-disk.js';
import { assertLedger, setCommand, TestJournal, turns } from '../helpers/test-journal.js';

test('records come back as they were appended, in order', async () => {
  const journal = await TestJournal.open();
  journal.append(setCommand('a'));
  journal.append(setCommand('b'), { db: 3 });
  journal.append(Buffer.concat([setCommand('c'), setCommand('d')]), {
    flags: TRANSACTION,
    commands: 2,
  });
  await journal.allSettled();
  const found = journal.readAll();
  assert.deepEqual(
    found.map(({ seq, db, flags, commands }) => [seq, db, flags, commands]),
    [
      [1, 0, 0, 1],
      [2, 3, 0, 1],
      [3, 0, TRANSACTION, 2],
    ],
  );
  assertLedger(journal.ledger, found, 'all of them');
});

test('I3: a record is settled only after it was synced, and one commit takes a whole tick', async () => {
  const disk = new ModelDisk();
  const journal = await TestJournal.open({ files: disk });
  const [writes, syncs] = [disk.calls.get('write'), disk.calls.get('sync')];
  for (let n = 0; n < 100; n += 1) journal.append(setCommand(`k${n}`));
  assert.deepEqual(journal.settlements, [], 'nothing settles within append');
  await journal.allSettled();
  assert.equal(disk.calls.get('write'), writes! + 1);
  assert.equal(disk.calls.get('sync'), syncs! + 1);
  assert.deepEqual(journal.settlements, [{ throughSeq: 100, problem: null }]);
  const survivor = await TestJournal.open({ files: disk.afterPowerFailure() });
  assertLedger(journal.ledger, survivor.readAll(), 'after a power failure');
});

test('what is appended while a commit is under way makes the next one', async () => {
  const disk = new ModelDisk();
  const journal = await TestJournal.open({ files: disk });
  journal.append(setCommand('a'));
  await new Promise((resolve) => setImmediate(resolve));
  journal.append(setCommand('b'));
  journal.append(setCommand('c'));
  await journal.allSettled();
  assert.deepEqual(
    journal.settlements.map(({ throughSeq }) => throughSeq),
    [1, 3],
  );
});

test('bytes are copied: the caller may use its buffer again', async () => {
  const journal = await TestJournal.open();
  const bytes = setCommand('a');
  journal.append(bytes);
  bytes.fill(0);
  await journal.allSettled();
  assert.deepEqual(journal.readAll()[0]?.bytes, setCommand('a'));
});

test('a read takes as many as fit both limits, and one that fits neither', async () => {
  const journal = await TestJournal.open();
  const size = setCommand('a').length;
  for (const key of ['a', 'b', 'c', 'd']) journal.append(setCommand(key));
  await journal.allSettled();
  const seqs = (...args: Parameters<typeof journal.journal.read>): number[] =>
    journal.journal.read(...args).map(({ seq }) => seq);
  assert.deepEqual(seqs(0, 3, 1e6), [1, 2, 3]);
  assert.deepEqual(seqs(0, 100, 2 * size), [1, 2]);
  assert.deepEqual(seqs(2, 1, 1), [3]);
  assert.deepEqual(seqs(4, 100, 1e6), []);
});

test('segments are left when they are full, and read on through their borders', async () => {
  const journal = await TestJournal.open();
  for (let n = 0; n < 100; n += 1) await journal.appended(setCommand(`k${n}`, 'x'.repeat(4000)));
  assert.ok(journal.files.list().length >= 6, String(journal.files.list()));
  assertLedger(journal.ledger, journal.readAll(), 'all');
  assert.deepEqual(
    journal.readAll(57).map(({ seq }) => seq),
    Array.from({ length: 43 }, (_, n) => 58 + n),
  );
});

test('pending counts follow the releases, and all segments but an empty one go when nothing is pending', async () => {
  const clock = new FakeClock();
  const journal = await TestJournal.open({ clock });
  for (let n = 0; n < 60; n += 1) {
    journal.append(setCommand(`k${10 + n}`, 'x'.repeat(4000)));
    clock.endTick();
    await journal.allSettled();
  }
  const { journal: it } = journal;
  assert.equal(it.pendingRecords, 60);
  assert.equal(it.oldestWallMs, clock.wallMs());
  const pendingBytes = it.pendingBytes;
  it.release(25);
  assert.equal(it.pendingRecords, 35);
  assert.equal(it.releasedSeq, 25);
  assert.equal(it.pendingBytes, (pendingBytes / 60) * 35);
  it.release(20);
  assert.equal(it.releasedSeq, 25, 'what is released stays so');
  assert.equal(journal.readAll()[0]?.seq, 1, 'and can still be read');
  it.release(60);
  assert.equal(it.pendingRecords, 0);
  assert.equal(it.oldestWallMs, null);
  assert.equal(it.isEmpty, false, 'a restart would still find them');
  clock.advance(1000);
  await turns();
  assert.equal(it.isEmpty, true);
  assert.equal(it.usedBytes, SEGMENT_HEADER_BYTES);
  assert.equal(journal.files.list().length, 1);
});

test('numbers rise over restarts, also when the journal has been emptied', async () => {
  const files = memoryFiles();
  let last = 0;
  let id = '';
  for (let run = 0; run < 5; run += 1) {
    const journal = await TestJournal.open({ files });
    if (run > 0) assert.equal(journal.journal.id, id);
    ({ id } = journal.journal);
    assert.equal(journal.journal.pendingRecords, 0);
    await journal.appended(setCommand('a'));
    const { seq } = journal.ledger[0]!;
    assert.ok(seq > last);
    last = seq;
    journal.journal.release(seq);
    assert.equal(await journal.journal.empty(), true);
    await journal.journal.close();
  }
  assert.match(id, /^[0-9a-f]{16}$/);
});

test('I4: no number is given twice, even if a crash takes records that were replayed already', async () => {
  const disk = new ModelDisk(() => 0.99);
  const journal = await TestJournal.open({ files: disk, fsync: 'no' });
  for (let n = 0; n < 10; n += 1) await journal.appended(setCommand(`k${n}`));
  const cursor = journal.journal.settledSeq;
  const survivor = await TestJournal.open({ files: disk.afterPowerFailure(), fsync: 'no' });
  assert.equal(survivor.journal.pendingRecords, 0, 'nothing was synced, all is gone');
  await survivor.appended(setCommand('new'));
  assert.ok(survivor.journal.settledSeq > cursor);
});

test('what was pending is pending after a restart, and what was released is not', async () => {
  const files = memoryFiles();
  const first = await TestJournal.open({ files });
  for (const key of ['a', 'b', 'c']) await first.appended(setCommand(key));
  await first.journal.close();
  const second = await TestJournal.open({ files });
  assert.equal(second.journal.pendingRecords, 3);
  assert.equal(second.journal.lastSeq, 3);
  assert.equal(second.journal.settledSeq, 3);
  second.journal.release(3);
  await second.journal.empty();
  await second.journal.close();
  const third = await TestJournal.open({ files });
  assert.equal(third.journal.pendingRecords, 0);
  assert.deepEqual(third.readAll(), []);
  assert.equal(third.journal.lastSeq, third.journal.releasedSeq);
});

test('many restarts with records left do not leave many files', async () => {
  const files = memoryFiles();
  for (let run = 0; run < 50; run += 1) {
    const journal = await TestJournal.open({ files });
    if (run === 0) await journal.appended(setCommand('a'));
    assert.equal(journal.journal.pendingRecords, 1);
    await journal.journal.close();
  }
  assert.ok(files.list().length <= 3, String(files.list()));
});

test('I6: the journal takes no more than its bound, says so, and makes room from what was replayed', async () => {
  const journal = await TestJournal.open({ maxBytes: 512 * 1024 });
  const value = 'x'.repeat(10_000);
  let taken = 0;
  while (journal.journal.refusal(10_100) === null) {
    await journal.appended(setCommand(`k${taken}`, value));
    taken += 1;
  }
  assert.equal(journal.journal.refusal(10_100)?.message, 'journal is full');
  assert.throws(() => journal.append(setCommand('more', value)), /journal is full/);
  assert.ok(journal.journal.usedBytes <= 512 * 1024);
  assert.ok(taken > 40, String(taken));
  assertLedger(journal.ledger, journal.readAll(), 'what is in it stays');
  journal.journal.release(20);
  assert.equal(await journal.appended(setCommand('again', value)), 'acknowledged');
  assert.ok(journal.journal.usedBytes <= 512 * 1024);
  assert.equal(journal.journal.pendingRecords, taken - 20 + 1);
  assert.match(journal.journal.refusal(1e9)?.message ?? '', /journal is full/);
  assert.equal(journal.log.filter((line) => line.includes('writes are refused')).length, 1);
});

test('closing settles what was appended, and takes nothing more', async () => {
  const files = memoryFiles();
  const journal = await TestJournal.open({ files });
  journal.append(setCommand('a'));
  await journal.journal.close();
  assert.equal(journal.ledger[0]?.fate, 'acknowledged');
  assert.throws(() => journal.append(setCommand('b')), /the journal is closed/);
  const next = await TestJournal.open({ files });
  assertLedger(journal.ledger, next.readAll(), 'after closing');
});

test('everysec and no settle when written; everysec syncs a second later', async () => {
  const disk = new ModelDisk();
  const clock = new FakeClock();
  const journal = await TestJournal.open({ files: disk, clock, fsync: 'everysec' });
  const syncs = disk.calls.get('sync')!;
  journal.append(setCommand('a'));
  clock.endTick();
  assert.equal(await journal.allSettled(), 'acknowledged');
  assert.equal(disk.calls.get('sync'), syncs);
  clock.advance(1000);
  await turns();
  assert.equal(disk.calls.get('sync'), syncs + 1);
  clock.advance(5000);
  await turns();
  assert.equal(disk.calls.get('sync'), syncs + 1, 'nothing new, nothing to sync');
});

test('in memory nothing is durable, with the same bounds', async () => {
  const journal = await TestJournal.open();
  assert.equal(journal.journal.isDurable, false);
});
