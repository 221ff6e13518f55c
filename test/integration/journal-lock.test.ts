/** One sidecar per journal directory, whatever state the processes are in. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isLocked, takeLock } from '../../src/journal/lock.js';
import { ManagedProcess, temporaryDirectory, type Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freezeProcess } from '../helpers/freeze.js';

const LOCK_MODULE = fileURLToPath(new URL('../../src/journal/lock.js', import.meta.url));

/** A process that takes the lock, says so, and stays; or says why it cannot. */
const HOLDER = `
  import { takeLock } from ${JSON.stringify(LOCK_MODULE)};
  try {
    await takeLock(process.argv[1]);
    console.log('held');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log('refused: ' + error.message);
  }
`;

function startHolder(
  t: Cleanup,
  directory: string,
  before: readonly string[] = [],
): ManagedProcess {
  const [file = process.execPath, ...args] = [...before, process.execPath];
  const child = new ManagedProcess({
    file,
    args: [...args, '--input-type=module', '-e', HOLDER, directory],
    cwd: directory,
  });
  t?.after(async () => void (await child.stop('SIGKILL')));
  return child;
}

async function said(child: ManagedProcess): Promise<string> {
  await eventually('it says how it went', () => /held|refused/.test(child.output()), {
    withinMs: 20_000,
  });
  return child.output();
}

function sockets(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.sock'));
}

test('the second one is refused with one sentence, also when the first is stopped', async (t) => {
  const directory = temporaryDirectory(t);
  const first = startHolder(t, directory);
  assert.match(await said(first), /held/);
  await assert.rejects(takeLock(directory), /in use by another sidecar; give each its own/);
  await freezeProcess(first.pid);
  await assert.rejects(takeLock(directory), /in use by another sidecar/);
  assert.equal(await isLocked(directory), true);
  assert.equal(sockets(directory).length, 1, 'who was refused leaves nothing');
});

test('a killed one leaves the directory free, at once', async (t) => {
  const directory = temporaryDirectory(t);
  const first = startHolder(t, directory);
  await said(first);
  await first.stop('SIGKILL');
  assert.equal(sockets(directory).length, 1);
  assert.equal(await isLocked(directory), false);
  const lock = await takeLock(directory);
  assert.equal(lock.isHeld(), true);
  assert.equal(sockets(directory).length, 1);
  lock.release();
  assert.deepEqual(sockets(directory), []);
});

test('of many that start at once over a dead lock exactly one holds it', async (t) => {
  for (let round = 0; round < 3; round += 1) {
    const directory = temporaryDirectory(t);
    const dead = startHolder(t, directory);
    await said(dead);
    await dead.stop('SIGKILL');
    const starters = Array.from({ length: 6 }, () => startHolder(t, directory));
    const outcomes = await Promise.all(starters.map(said));
    assert.equal(outcomes.filter((text) => text.includes('held')).length, 1, outcomes.join(''));
    for (const starter of starters) await starter.stop('SIGKILL');
  }
});

test('in one process too there are never two, and in the end always one', async (t) => {
  const directory = temporaryDirectory(t);
  for (let round = 0; round < 5; round += 1) {
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(directory)));
    const held = taken.filter((result) => result.status === 'fulfilled');
    assert.equal(held.length, 1, `round ${round}`);
    held[0]!.value.release();
    assert.deepEqual(sockets(directory), []);
  }
});

test('a directory with a path longer than a socket may have', async (t) => {
  const directory = join(temporaryDirectory(t), 'd'.repeat(120), 'e'.repeat(120));
  mkdirSync(directory, { recursive: true });
  const lock = await takeLock(directory);
  await assert.rejects(takeLock(directory), /in use by another sidecar/);
  lock.release();
  (await takeLock(directory)).release();
});

test('a socket whose backlog is full is alive; files that are no lock are left alone', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'lock.txt'), '');
  const name = `lock-${'0'.repeat(16)}.sock`;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(directory, name), resolve));
  t.after(() => server.close());
  await assert.rejects(takeLock(directory), /in use by another sidecar/);
  assert.deepEqual(readdirSync(directory).sort(), ['lock.txt', name].sort());
});

test('a directory that cannot be written is one sentence', async (t) => {
  const directory = join(temporaryDirectory(t), 'gone');
  await assert.rejects(takeLock(directory), /ENOENT/);
});

test('two containers with process numbers of their own see each other', async (t) => {
  const directory = temporaryDirectory(t);
  const asUser = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const unshare = [
    'unshare',
    ...asUser,
    '--fork',
    '--pid',
    '--net',
    '--kill-child',
    '--mount-proc',
  ];
  const mayIsolate = spawnSync(unshare[0]!, [...unshare.slice(1), 'true']).status === 0;
  if (!mayIsolate) t.diagnostic('no namespaces can be made here: two plain processes instead');
  const isolate = mayIsolate ? unshare : [];
  const first = startHolder(t, directory, isolate);
  assert.match(await said(first), /held/);
  const second = startHolder(t, directory, isolate);
  assert.match(await said(second), /refused: .* in use by another sidecar/);
  await assert.rejects(takeLock(directory), /in use by another sidecar/);
});
