/**
 * A real disk that is really full: a tmpfs of 2 MB where mounting is allowed; and everywhere a limit on the size of a
 * file (`ulimit -f`), at which the system cuts writes short in the same way. Also a directory that is really removed, and
 * a process that really has no descriptors left.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { diskFiles } from '../../src/journal/disk-files.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { mountSmallDisk } from '../helpers/small-disk.js';
import { assertLedger, setCommand, TestJournal } from '../helpers/test-journal.js';

const MEGABYTE = 1024 * 1024;
const VALUE = 'x'.repeat(10_000);

/** Writes in ticks of `perTick` until the journal refuses; more than 10 MB fit nowhere here. */
async function writeUntilRefused(it: TestJournal, perTick: number): Promise<string> {
  while (it.ledger.length < 1_000) {
    for (let left = perTick; left > 0; left -= 1) {
      const reason = it.journal.refusal(VALUE.length);
      if (reason !== null) return reason.message;
      it.append(setCommand(`k${it.ledger.length}`, VALUE));
    }
    await it.allSettled();
  }
  throw new Error(`not refused after ${it.ledger.length} records`);
}

/** A file system of its own, gone with the test; null where nobody may mount one, which the test says. */
function smallDisk(t: TestContext, megabytes: number): string | null {
  const directory = mountSmallDisk(t, megabytes * MEGABYTE);
  if (directory === null)
    t.diagnostic('nothing can be mounted here; the test with ulimit -f stands in for this one');
  return directory;
}

async function assertKept(it: TestJournal, directory: string): Promise<void> {
  assertLedger(it.ledger, it.readAll(), 'this process');
  await it.journal.close();
  const next = await TestJournal.open({ files: diskFiles(directory) });
  assertLedger(it.ledger, next.readAll(), 'the next process');
  assert.equal(next.readAll().length, it.withFate('acknowledged').length);
  await next.journal.close();
}

test('a full tmpfs: refused with the reason, nothing acknowledged is lost, goes on when there is room', async (t) => {
  const directory = smallDisk(t, 2);
  if (directory === null) return;
  const ballast = join(directory, 'ballast');
  const journalDirectory = join(directory, 'journal');
  for (const perTick of [1, 7, 40]) {
    writeFileSync(ballast, Buffer.alloc(MEGABYTE));
    const it = await TestJournal.open({
      files: diskFiles(journalDirectory),
      segmentBytes: 200_000,
      maxBytes: 64 * MEGABYTE,
    });
    const reason = await writeUntilRefused(it, perTick);
    assert.match(reason, /^the journal's disk is full/);
    assert.ok(it.withFate('acknowledged').length > 50);
    const kept = it.readAll().length;
    assert.equal(kept, it.withFate('acknowledged').length);
    rmSync(ballast);
    await eventually('it takes writes again', () => it.journal.refusal(10) === null);
    assert.equal(await it.appended(setCommand('after')), 'acknowledged');
    await assertKept(it, journalDirectory);
    rmSync(journalDirectory, { recursive: true });
  }
});

test('a full tmpfs at the start: what is there can be read and released, and then there is room', async (t) => {
  const directory = smallDisk(t, 1);
  if (directory === null) return;
  const files = diskFiles(join(directory, 'journal'));
  const first = await TestJournal.open({ files, segmentBytes: 200_000, maxBytes: 64 * MEGABYTE });
  await writeUntilRefused(first, 5);
  await first.journal.close();
  const ballast = join(directory, 'ballast');
  const filled = (): boolean => {
    try {
      writeFileSync(ballast, Buffer.alloc(4096), { flag: 'a' });
      return false;
    } catch {
      return true;
    }
  };
  while (!filled());
  const it = await TestJournal.open({ files, segmentBytes: 200_000, maxBytes: 64 * MEGABYTE });
  assertLedger(first.ledger, it.readAll(), 'on a full disk');
  assert.equal(it.journal.pendingRecords, first.withFate('acknowledged').length);
  it.journal.release(it.journal.settledSeq);
  await eventually(
    'it has made room from what was replayed',
    () => it.journal.refusal(10) === null,
  );
  assert.equal(await it.appended(setCommand('after')), 'acknowledged');
  await it.journal.close();
});

interface Told {
  readonly refusal: string | null;
  readonly readable: number;
  readonly fates: readonly (readonly [number, string])[];
}

/** Runs a journal in a process under a limit of the shell's `ulimit`; resolves with what it was told. */
function underLimit(directory: string, ulimit: string, limit: 'files' | 'descriptors'): Told {
  const program = fileURLToPath(new URL('../helpers/journal-under-limit.js', import.meta.url));
  const command = `ulimit ${ulimit}; exec "$0" "$@"`;
  const args = ['-c', command, process.execPath, program, directory, limit];
  const { stdout, stderr, status } = spawnSync('bash', args, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Told;
}

async function assertToldTruth({ readable, fates }: Told, directory: string): Promise<void> {
  const acknowledged = fates.filter(([, fate]) => fate === 'acknowledged').map(([seq]) => seq);
  assert.equal(readable, acknowledged.length);
  const next = await TestJournal.open({ files: diskFiles(directory) });
  assert.deepEqual(
    next.readAll().map(({ seq }) => seq),
    acknowledged,
  );
  await next.journal.close();
}

test('ulimit -f: a write that the system cuts short is refused, and what was acknowledged is there', async (t) => {
  const directory = temporaryDirectory(t);
  const told = underLimit(directory, '-f 100', 'files');
  assert.match(told.refusal ?? '', /^the journal's (disk is full|file may not grow any more)/);
  assert.ok(told.readable > 50, String(told.readable));
  await assertToldTruth(told, directory);
});

test('ulimit -n: with no descriptor left the open segment goes on', async (t) => {
  const directory = temporaryDirectory(t);
  const told = underLimit(directory, '-n 60', 'descriptors');
  assert.equal(told.refusal, null);
  assert.equal(told.readable, 600);
  await assertToldTruth(told, directory);
});

test('the directory is removed: refused, readable, made again', async (t) => {
  const directory = join(temporaryDirectory(t), 'journal');
  const it = await TestJournal.open({ files: diskFiles(directory) });
  for (let n = 0; n < 20; n += 1) await it.appended(setCommand(`k${n}`, VALUE));
  rmSync(directory, { recursive: true });
  assert.notEqual(await it.appended(setCommand('lost')), 'acknowledged');
  assert.equal(it.readAll().length, 20);
  await eventually('it works again', () => it.journal.refusal(10) === null);
  assert.equal(await it.appended(setCommand('after')), 'acknowledged');
  await assert.rejects(TestJournal.open({ files: diskFiles(directory) }), /in use by another/);
  await it.journal.close();
  mkdirSync(directory, { recursive: true });
  const next = await TestJournal.open({ files: diskFiles(directory) });
  assert.deepEqual(
    next.readAll().map(({ seq }) => seq),
    [it.ledger.at(-1)!.seq],
  );
  await next.journal.close();
});
