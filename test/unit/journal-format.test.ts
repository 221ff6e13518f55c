/**
 * The files of `docs/journal-format.md`, byte for byte: what an older version of Respool wrote can be read, and this one
 * writes the same. After a change of the format on purpose: `node build/test/unit/journal-format.test.js --write`.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { JournalReader } from '../../src/journal/reader.js';
import { TRANSACTION } from '../../src/journal/record.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { seededRandom } from '../conformance/random.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { ModelDisk } from '../helpers/model-disk.js';
import { projectRoot, readProjectFile } from '../helpers/project.js';
import { TestJournal, turns } from '../helpers/test-journal.js';

const FIXTURES = join(projectRoot, 'test', 'fixtures', 'journal');
const FILES = [
  'segment-000000000001.journal',
  'segment-000000000002.journal',
  'dead-letters.journal',
];

/** Two segments and two dead letters, the same each time. */
async function write(): Promise<ModelDisk> {
  const disk = new ModelDisk();
  const clock = new FakeClock();
  const it = await TestJournal.open({
    files: disk,
    clock,
    random: seededRandom(1),
    segmentBytes: 4500,
  });
  const commit = async (...appends: (() => void)[]): Promise<void> => {
    for (const append of appends) append();
    clock.endTick();
    await it.allSettled();
    clock.advance(10);
  };
  await commit(() => it.append(encodeCommand(['SET', 'greeting', 'hello'])));
  const block = Buffer.concat([
    encodeCommand(['HSET', 'user:7', 'name', 'Zoë']),
    encodeCommand(['RPUSH', 'log', Buffer.from([0, 13, 10, 255])]),
  ]);
  await commit(
    () => it.append(block, { db: 3, flags: TRANSACTION, commands: 2 }),
    () => it.append(encodeCommand(['DEL', 'old']), { db: 3 }),
  );
  it.journal.release(1);
  await commit(() => it.append(encodeCommand(['SET', 'big', 'x'.repeat(200)])));
  const letter = { seq: 1, wallMs: clock.wallMs(), db: 0, flags: 0, commands: 1 };
  const bytes = encodeCommand(['LPUSH', 'greeting', 'x']);
  const reason = 'WRONGTYPE Operation against a key holding the wrong kind of value';
  const added = it.journal.deadLetters.add({ ...letter, reason, bytes });
  await turns();
  await added;
  return disk;
}

test('this version writes the golden files, byte for byte', async () => {
  const disk = await write();
  assert.deepEqual(disk.list().sort(), [...FILES].sort());
  if (process.argv.includes('--write')) {
    mkdirSync(FIXTURES, { recursive: true });
    for (const name of FILES) writeFileSync(join(FIXTURES, name), disk.contentsOf(name));
  }
  for (const name of FILES)
    assert.deepEqual(disk.contentsOf(name), readFileSync(join(FIXTURES, name)), name);
});

test('the golden files are read, by a sidecar and by the command line', async () => {
  const disk = new ModelDisk();
  for (const name of FILES) disk.put(name, readFileSync(join(FIXTURES, name)));
  const reader = JournalReader.open(disk);
  const seen = [...reader.records(0)].map(({ seq, db, flags, commands, bytes }) => [
    ...[seq, db, flags, commands, bytes.length],
  ]);
  assert.deepEqual(seen, [
    [1, 0, 0, 1, 38],
    [2, 3, 1, 2, 80],
    [3, 3, 0, 1, 22],
    [4, 0, 0, 1, 230],
  ]);
  const [letter] = [...reader.deadLetters()];
  assert.match(letter!.reason, /^WRONGTYPE/);
  const it = await TestJournal.open({ files: disk });
  assert.equal(it.journal.id, reader.id);
  assert.deepEqual(it.journal.findings, []);
  assert.equal(it.journal.releasedSeq, 1);
  assert.deepEqual(
    it.readAll().map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
  assert.equal(it.journal.deadLetters.count, 1);
});

test('the hex in docs/journal-format.md is that of the golden files', () => {
  const page = readProjectFile('docs/journal-format.md');
  const lines = [...page.matchAll(/^([0-9a-f]{8})  ((?:[0-9a-f]{2} ){1,16})/gm)];
  assert.ok(lines.length >= 10);
  const bytes = readFileSync(join(FIXTURES, FILES[0]!));
  for (const [, at, hex] of lines) {
    const shown = hex!.trim().split(' ').join('');
    const from = parseInt(at!, 16);
    assert.equal(bytes.toString('hex', from, from + shown.length / 2), shown, at);
  }
});
