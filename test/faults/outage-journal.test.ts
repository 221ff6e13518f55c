/**
 * FAULTS.md, rows of the journal's own troubles: its disk full, its directory unusable or gone, no descriptors left,
 * the clock stepped, keys that expire meanwhile. Never a false OK, reads go on, and it recovers without a restart.
 * Failing single calls of write and fsync are swept at the journal's file port (test/unit); the clock is stepped by
 * `helpers/stepped-clock.ts`, which stands for libfaketime.
 */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ManagedProcess, temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freePorts } from '../helpers/ports.js';
import { mainFile } from '../helpers/project.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { mountSmallDisk } from '../helpers/small-disk.js';
import { ANSWER_WITHIN_MS } from '../helpers/outage-sidecar.js';
import { OutageStage } from '../helpers/outage-stage.js';

const MEGABYTE = 1024 * 1024;

test('a journal disk that is full: refused in words, reads go on, nothing acknowledged is lost, and again', async (t) => {
  const disk = mountSmallDisk(t, MEGABYTE);
  const stage = await OutageStage.start(t, {
    load: { perSecond: 6_000 },
    ...(disk === null
      ? { sidecarLimits: [`--fsize=${MEGABYTE / 2}`] }
      : { journalDirectory: join(disk, 'journal') }),
  });
  const { redis, sidecar, ledger, load } = stage;
  const reader = await connectRaw(sidecar.port);
  for (let round = 0; round < 2; round += 1) {
    await load.untilMore(300);
    const refusedBefore = ledger.counts.refused;
    await stage.outage(300);
    const isFull = (): boolean => ledger.counts.refused > refusedBefore + 100;
    await eventually('the disk is full', isFull, { withinMs: 30_000 });
    assert.match([...ledger.refusals.keys()].join('\n'), /UNAVAILABLE .*full/);
    assert.equal(await reader.ask('GET', 'nothing'), '$-1\r\n');
    await redis.start();
    await sidecar.untilDrained();
  }
  await load.untilMore(300);
  await stage.assertClean();
});

test('a disk that others fill and empty again: writes are taken again in the same outage', async (t) => {
  const disk = mountSmallDisk(t, 4 * MEGABYTE);
  // Where mounting is not allowed, nobody else can fill the disk; then this is an outage without trouble.
  const stage = await OutageStage.start(t, {
    load: { perSecond: 4_000 },
    ...(disk === null ? {} : { journalDirectory: join(disk, 'journal') }),
  });
  const { redis, sidecar, ledger, load } = stage;
  await load.untilMore(200);
  await stage.outage(200);
  if (disk !== null) {
    const ballast = join(disk, 'ballast');
    fill(ballast);
    const before = ledger.counts.refused;
    await eventually('the disk is full', () => ledger.counts.refused > before + 50, {
      withinMs: 10_000,
    });
    rmSync(ballast);
  }
  await load.untilMore(500, 15_000);
  await redis.start();
  await sidecar.untilDrained();
  await stage.assertClean();
});

function fill(path: string): void {
  for (let size = MEGABYTE; size > 64; size /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
}

test('a journal directory that is gone: no false OK, whatever is restarted', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  rmSync(sidecar.journalDirectory, { recursive: true, force: true });
  await redis.kill();
  await sidecar.untilOutage();
  await pause(500);
  await load.finish();
  await sidecar.kill();
  mkdirSync(sidecar.journalDirectory, { recursive: true });
  await redis.start();
  await sidecar.start();
  await stage.assertClean();
});

test('a journal directory that cannot be used is refused at the start, in a sentence', async (t) => {
  const parent = temporaryDirectory(t);
  const blocked = join(parent, 'a-file');
  writeFileSync(blocked, '');
  const [port, admin] = await freePorts(2);
  const args = [mainFile(), '--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`];
  args.push('--upstream', 'redis://127.0.0.1:1', '--journal-dir', join(blocked, 'journal'));
  const sidecar = new ManagedProcess({ file: process.execPath, args, cwd: parent });
  t.after(() => sidecar.killNow());
  assert.notEqual(await sidecar.exited(), 0);
  assert.match(sidecar.output(), /a-file/);
  assert.doesNotMatch(sidecar.output(), /\n\s+at .*\.js:\d+/, 'a sentence, not a stack trace');
});

test('no descriptors left in an outage: no false OK, and it recovers when there are some', async (t) => {
  const stage = await OutageStage.start(t, {
    // Promise T is not made here: a transaction waits for a connection that cannot be opened.
    load: { sequential: 15, pipelined: 5, answerWithinMs: Number.POSITIVE_INFINITY },
    sidecarLimits: ['--nofile=200:200'],
  });
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  const crowd: RawClient[] = [];
  for (let n = 0; n < 220; n += 1) crowd.push(await connectRaw(sidecar.port));
  await redis.kill();
  await pause(1_000);
  await redis.start();
  await pause(500);
  for (const client of crowd) client.reset();
  await sidecar.untilDrained();
  await load.untilMore(300);
  await stage.assertClean();
});

for (const fsync of ['everysec', 'no'] as const) {
  test(`journal-fsync ${fsync}: a killed sidecar loses nothing, for the kernel has it`, async (t) => {
    const stage = await OutageStage.start(t, { sidecarArgs: ['--journal-fsync', fsync] });
    const { redis, sidecar, load } = stage;
    await load.untilMore(200);
    await stage.outage(500);
    await sidecar.kill();
    await sidecar.start();
    await load.untilMore(200);
    await redis.start();
    await stage.assertClean();
  });
}

test('a journal in memory: an outage of the upstream loses nothing', async (t) => {
  const stage = await OutageStage.start(t, { journalDirectory: 'memory' });
  await stage.load.untilMore(200);
  await stage.outage(500);
  await stage.redis.start();
  await stage.assertClean();
});

test('the wall clock is stepped by an hour and by thirty days: no false trip, and SET EX 2 is gone after 5 s', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'offset');
  const step = (offsetMs: number): void => {
    writeFileSync(`${file}.new`, String(offsetMs));
    renameSync(`${file}.new`, file);
  };
  step(0);
  const clock = new URL('../helpers/stepped-clock.js', import.meta.url).href;
  const stage = await OutageStage.start(t, {
    sidecarEnv: { NODE_OPTIONS: `--import=${clock}`, STEPPED_CLOCK_FILE: file },
    // A trip would be the clock's doing, and not that of a busy machine.
    sidecarArgs: ['--upstream-timeout', '10s'],
    load: { answerWithinMs: 10_000 + ANSWER_WITHIN_MS },
  });
  const { redis, sidecar, load } = stage;
  const transitions = async (): Promise<number> =>
    (await sidecar.metrics()).get('breaker_transitions_total') ?? 0;
  const before = await transitions();
  const HOUR_MS = 3_600_000;
  for (const offsetMs of [HOUR_MS, -HOUR_MS, -30 * 24 * HOUR_MS, 0]) {
    step(offsetMs);
    await load.untilMore(300);
  }
  assert.equal(await transitions(), before);
  const client = await connectRaw(sidecar.port);
  let writtenAt = 0;
  for (const [n, offsetMs] of [HOUR_MS, -HOUR_MS, -30 * 24 * HOUR_MS].entries()) {
    await stage.outage(50);
    step(offsetMs);
    await pause(30);
    assert.equal(await client.ask('SET', `brief:${n}`, 'v', 'EX', 2), '+OK\r\n');
    writtenAt = performance.now();
    assert.equal(await client.ask('SET', `lasting:${n}`, 'v', 'EX', 1_000), '+OK\r\n');
    await load.untilMore(100);
    await redis.start();
    await sidecar.untilDrained();
  }
  await eventually(
    'all that was brief is gone',
    async () => (await redis.ask('EXISTS', 'brief:0', 'brief:1', 'brief:2')) === ':0\r\n',
    { withinMs: writtenAt + 5_000 - performance.now() },
  );
  for (let n = 0; n < 3; n += 1) {
    const left = Number((await redis.ask('TTL', `lasting:${n}`)).slice(1));
    assert.ok(left > 900 && left <= 1_000, `lasting:${n} lives for ${left} s`);
  }
  await stage.assertClean();
});

test('what expires during the outage is not there when the upstream is back', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(100);
  await stage.outage(50);
  const client = await connectRaw(sidecar.port);
  const commands = [
    ['SET', 'a', 'v', 'PX', '300'],
    ['SETEX', 'b', '1', 'v'],
    ['SET', 'c', 'v'],
    ['PEXPIRE', 'c', '300'],
    ['SET', 'd', 'v', 'EX', '100'],
  ];
  const writtenAt = performance.now();
  for (const command of commands) assert.match(await client.ask(...command), /^(\+OK|:1)\r\n$/);
  await pause(1_100);
  assert.equal(await client.ask('EXISTS', 'a', 'b', 'c', 'd'), ':1\r\n');
  const passedMs = performance.now() - writtenAt;
  await redis.start();
  await sidecar.untilDrained();
  assert.equal(await redis.ask('EXISTS', 'a', 'b', 'c', 'd'), ':1\r\n');
  const left = Number((await redis.ask('PTTL', 'd')).slice(1));
  // Counted from the replay on, nothing of what had passed before would be missing; on a busy machine nobody knows the
  // upstream's time exactly.
  const leastMs = 100_000 - (performance.now() - writtenAt) - 5_000;
  assert.ok(left > leastMs && left < 100_000 - passedMs / 2, `${left} ms after ${passedMs} ms`);
  await stage.assertClean();
});
