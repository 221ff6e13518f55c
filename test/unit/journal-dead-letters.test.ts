import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewDeadLetter } from '../../src/journal/dead-letters.js';
import { TRANSACTION } from '../../src/journal/record.js';
import { ModelDisk } from '../helpers/model-disk.js';
import { setCommand, TestJournal } from '../helpers/test-journal.js';

function letter(seq: number, more: Partial<NewDeadLetter> = {}): NewDeadLetter {
  const bytes = setCommand(`k${seq}`);
  return {
    seq,
    wallMs: 1000 + seq,
    db: 2,
    flags: 0,
    commands: 1,
    reason: 'WRONGTYPE',
    bytes,
    ...more,
  };
}

test('letters are kept as they are, oldest first, over restarts', async () => {
  const disk = new ModelDisk();
  const it = await TestJournal.open({ files: disk });
  const { deadLetters } = it.journal;
  assert.deepEqual([deadLetters.count, deadLetters.list(10)], [0, []]);
  const more = { flags: TRANSACTION, commands: 2, reason: 'EXECABORT ünd so weiter' };
  await Promise.all([deadLetters.add(letter(7)), deadLetters.add(letter(8, more))]);
  await deadLetters.add(letter(9));
  const next = await TestJournal.open({ files: disk.afterPowerFailure() });
  assert.equal(next.journal.deadLetters.count, 3);
  const [first, second] = next.journal.deadLetters.list(2);
  const { diedWallMs, ...kept } = second!;
  assert.ok(diedWallMs > 0);
  assert.deepEqual(kept, { ...letter(8, more), id: 2 });
  assert.equal(first!.id, 1);
  assert.equal(next.journal.deadLetters.list(100).length, 3);
});

test('letters that come together are written together', async () => {
  const disk = new ModelDisk();
  const { journal } = await TestJournal.open({ files: disk });
  await journal.deadLetters.add(letter(1));
  const syncs = disk.calls.get('sync')!;
  await Promise.all(Array.from({ length: 100 }, (_, n) => journal.deadLetters.add(letter(n))));
  assert.equal(disk.calls.get('sync'), syncs + 1);
  assert.equal(journal.deadLetters.count, 101);
});

test('a removed letter is gone for good, and its id is not used again', async () => {
  const disk = new ModelDisk();
  const { journal } = await TestJournal.open({ files: disk });
  for (let seq = 1; seq <= 4; seq += 1) await journal.deadLetters.add(letter(seq));
  assert.equal(await journal.deadLetters.remove(new Set([2, 4, 99])), 2);
  const next = await TestJournal.open({ files: disk.afterPowerFailure() });
  const ids = (): number[] => next.journal.deadLetters.list(10).map(({ id }) => id);
  assert.deepEqual(ids(), [1, 3]);
  await next.journal.deadLetters.add(letter(5));
  assert.deepEqual(ids(), [1, 3, 5]);
});

test('I6: beyond the bound a letter is refused, and nothing is dropped for it', async () => {
  const { journal } = await TestJournal.open({ maxBytes: 100_000 });
  const add = (): Promise<void> =>
    journal.deadLetters.add(letter(1, { bytes: Buffer.alloc(10_000) }));
  for (let n = 0; n < 9; n += 1) await add();
  await assert.rejects(add(), /dead letters are full \(9 letters, \d+ bytes\): retry or drop some/);
  assert.equal(journal.deadLetters.count, 9);
});

test('a letter is refused when the disk does not keep it, and the next one works when it does', async () => {
  for (const [call, fault] of [
    ['create', { code: 'EMFILE' }],
    ['write', { takes: 60 }],
    ['write', { code: 'EIO' }],
    ['sync', { code: 'EIO' }],
    ['rename', { code: 'EROFS' }],
    ['syncDirectory', { code: 'EIO' }],
  ] as const) {
    const disk = new ModelDisk();
    const { journal } = await TestJournal.open({ files: disk });
    if (call !== 'create' && call !== 'rename' && call !== 'syncDirectory')
      await journal.deadLetters.add(letter(1));
    disk.fault = (each) => (each === call ? fault : null);
    await assert.rejects(journal.deadLetters.add(letter(2)), /the journal's|no file descriptors/);
    disk.fault = () => null;
    await journal.deadLetters.add(letter(3));
    const seqs = (): number[] => journal.deadLetters.list(9).map(({ seq }) => seq);
    const kept = seqs();
    assert.deepEqual(kept.slice(-1), [3], call);
    assert.ok(!kept.includes(2), call);
    const next = await TestJournal.open({ files: disk.afterPowerFailure() });
    assert.deepEqual(
      next.journal.deadLetters.list(9).map(({ seq }) => seq),
      kept,
      call,
    );
  }
});

test('a letter that cannot be read any more is reported, the others stay', async () => {
  const disk = new ModelDisk();
  const { journal } = await TestJournal.open({ files: disk });
  for (let seq = 1; seq <= 3; seq += 1) await journal.deadLetters.add(letter(seq));
  const image = disk.afterKill();
  image.contentsOf('dead-letters.journal')[4096 + 60]! ^= 1;
  const next = await TestJournal.open({ files: image });
  assert.deepEqual(
    next.journal.deadLetters.list(9).map(({ seq }) => seq),
    [2, 3],
  );
  assert.ok(next.log.some((line) => line.includes('a dead letter cannot be read any more')));
  await next.journal.deadLetters.add(letter(4));
  assert.deepEqual(
    next.journal.deadLetters.list(9).map(({ seq }) => seq),
    [2, 3, 4],
  );
});
