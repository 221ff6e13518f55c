/**
 * Replay against a real redis-server: everything that the journal holds arrives exactly once and in order, whatever is
 * killed, cut or refused meanwhile. Each test reads the data directly.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { diskFiles } from '../../src/journal/disk-files.js';
import { Journal } from '../../src/journal/journal.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freezeProcess } from '../helpers/freeze.js';
import { HeldPath } from '../helpers/held-path.js';
import type { HeldJournal } from '../helpers/held-journal.js';
import { freePort } from '../helpers/ports.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { Replaying, type ReplayingOptions } from '../helpers/replaying.js';
import { startRedis, type RedisServer } from '../helpers/servers.js';

/** A redis-server, a client of it and a replayer, all ended with the test. */
async function stage(
  t: TestContext,
  options: Partial<ReplayingOptions> = {},
  args: string[] = [],
): Promise<{ redis: RedisServer; client: RawClient; replaying: Replaying; journal: HeldJournal }> {
  const redis = await startRedis(t, { args });
  const client = await connectRaw(redis.port);
  t.after(() => client.reset());
  const replaying = new Replaying({ port: redis.port, ...options });
  t.after(() => replaying.replayer.stop());
  return { redis, client, replaying, journal: replaying.journal };
}

/** `count` appends to one list, so that a double, a gap or a wrong order shows. */
function appendNumbers(journal: HeldJournal, key: string, count: number): string[] {
  const numbers = Array.from({ length: count }, (_, index) => `n${index}`);
  for (const number of numbers) journal.add(0, 'RPUSH', key, number);
  return numbers;
}

async function listOf(client: RawClient, key: string): Promise<string[]> {
  const reply = await client.ask('LRANGE', key, 0, -1);
  return reply.split('\r\n').filter((line) => line !== '' && !/^[*$]/.test(line));
}

const REPLAY = { withinMs: 30_000 };

test('records arrive in order, in their databases, transactions whole', async (t) => {
  const { client, replaying, journal } = await stage(t);
  journal.add(0, 'SET', 'a', '1');
  journal.add(3, 'SET', 'a', '3');
  journal.addTransaction(3, ['RPUSH', 'list', 'x'], ['RPUSH', 'list', 'y'], ['GET', 'a']);
  journal.add(0, 'APPEND', 'a', 'end');
  await replaying.finish();
  assert.equal(await client.ask('GET', 'a'), '$4\r\n1end\r\n');
  assert.equal(await client.ask('GET', replaying.cursorKey), '$1\r\n4\r\n');
  await client.ask('SELECT', 3);
  assert.equal(await client.ask('GET', 'a'), '$1\r\n3\r\n');
  assert.deepEqual(await listOf(client, 'list'), ['x', 'y']);
  assert.equal(replaying.replayer.replayedTotal, 4);
  assert.equal(replaying.replayer.appliedSeq, 4);
  assert.deepEqual(replaying.failures, []);
});

test('records that settle later follow when the replayer is poked', async (t) => {
  const { client, replaying, journal } = await stage(t);
  appendNumbers(journal, 'list', 3);
  await replaying.finish();
  for (const number of ['late', 'later']) {
    journal.add(0, 'RPUSH', 'list', number);
    replaying.replayer.poke();
    await eventually('it is in', () => replaying.isDone);
  }
  assert.deepEqual(await listOf(client, 'list'), ['n0', 'n1', 'n2', 'late', 'later']);
});

test('a pause holds records back until it ends', async (t) => {
  const { client, replaying, journal } = await stage(t);
  await replaying.finish();
  replaying.replayer.pause();
  appendNumbers(journal, 'list', 3);
  replaying.replayer.poke();
  assert.equal(await client.ask('EXISTS', 'list'), ':0\r\n');
  replaying.replayer.resume();
  await eventually('they are in', () => replaying.isDone);
  assert.deepEqual(await listOf(client, 'list'), ['n0', 'n1', 'n2']);
});

test('I5: redis-server killed again and again in the midst of replay applies each record once', async (t) => {
  const port = await freePort();
  const dir = temporaryDirectory(t);
  const args = ['--appendonly', 'yes', '--appendfsync', 'always', '--dir', dir];
  let redis = await startRedis(t, { port, args });
  const replaying = new Replaying({ port, ratePerSecond: 8000 });
  t.after(() => replaying.replayer.stop());
  const expected = appendNumbers(replaying.journal, 'list', 12_000);
  let kills = 0;
  for (; !replaying.isDone; kills += 1) {
    replaying.replayer.start();
    const before = replaying.replayer.appliedSeq;
    const enough = 100 + Math.random() * 1000;
    await eventually('some are in', () => {
      replaying.replayer.start();
      return replaying.isDone || replaying.replayer.appliedSeq > before + enough;
    });
    await redis.stop('SIGKILL');
    redis = await startRedis(t, { port, args });
  }
  const client = await connectRaw(port);
  t.after(() => client.reset());
  assert.deepEqual(await listOf(client, 'list'), expected);
  assert.ok(kills > 8, `${kills} kills`);
});

test('I5: connections killed by the upstream at any moment repeat nothing', async (t) => {
  const { redis, client, replaying, journal } = await stage(t);
  const expected = appendNumbers(journal, 'list', 20_000);
  const timer = setInterval(
    () => client.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    5,
  );
  t.after(() => clearInterval(timer));
  await replaying.finish(REPLAY);
  clearInterval(timer);
  assert.ok(replaying.failures.length > 0);
  const reader = await connectRaw(redis.port);
  t.after(() => reader.reset());
  assert.deepEqual(await listOf(reader, 'list'), expected);
});

test('I5: a batch whose reply was lost is found out about, and not sent again', async (t) => {
  const { redis, client } = await stage(t);
  const path = await HeldPath.open(t, redis.port);
  const replaying = new Replaying({ port: path.port, timeoutMs: 300 });
  t.after(() => replaying.replayer.stop());
  const expected = appendNumbers(replaying.journal, 'list', 300);
  replaying.replayer.start();
  await eventually('a first batch is in', () => replaying.replayer.appliedSeq > 0);
  await eventually('all is in', () => replaying.isDone);
  const more = ['x', 'y'];
  path.losesReplies = true;
  for (const value of more) replaying.journal.add(0, 'RPUSH', 'list', value);
  replaying.replayer.poke();
  await eventually('the reply is missed', () => replaying.failures.length === 1);
  path.losesReplies = false;
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), [...expected, ...more]);
  assert.ok(replaying.logger.lines.some((line) => line.includes('its reply was lost')));
});

test('a batch that was on its way when its connection was given up arrives late and runs nothing', async (t) => {
  const { redis, client } = await stage(t);
  for (let round = 0; round < 5; round += 1) {
    const key = `list:${round}`;
    const path = await HeldPath.open(t, redis.port);
    const first = new Replaying({ port: path.port, id: `zombie${round}` });
    first.replayer.start();
    await eventually('it is caught up', () => first.timesCaughtUp === 1);
    path.hold();
    const expected = appendNumbers(first.journal, key, 400);
    first.replayer.poke();
    await eventually('the batch is on its way', () => path.heldChunks > 0);
    first.replayer.stop();
    // Another one takes over, over another path and without killing the old connection: the cursor alone protects.
    const second = new Replaying({ port: redis.port, id: `zombie${round}`, held: first.journal });
    t.after(() => second.replayer.stop());
    if (round % 2 === 0) await second.finish();
    else second.replayer.start();
    path.deliver();
    await second.finish();
    assert.deepEqual(await listOf(client, key), expected);
  }
});

test('the replayer kills what was given up before it sends anything', async (t) => {
  const { redis, client, replaying, journal } = await stage(t);
  const path = await HeldPath.open(t, redis.port);
  const old = await connectRaw(path.port);
  const info = await old.ask('CLIENT', 'INFO');
  const [, id = '', addr = ''] = /id=(\d+) addr=(\S+)/.exec(info) ?? [];
  path.hold();
  old.send('RPUSH', 'list', 'zombie');
  await eventually('it is on its way', () => path.heldChunks > 0);
  replaying.fences.add({ id, addr });
  journal.add(0, 'RPUSH', 'list', 'replayed');
  await replaying.finish();
  path.deliver();
  assert.deepEqual(replaying.fences.pending, []);
  assert.equal(await client.ask('PING'), '+PONG\r\n');
  assert.deepEqual(await listOf(client, 'list'), ['replayed']);
});

test('I5: redis-server frozen over a batch and thawed later has it once', async (t) => {
  const { redis, client, replaying, journal } = await stage(t, { timeoutMs: 300 });
  await replaying.finish();
  const expected = appendNumbers(journal, 'list', 500);
  await freezeProcess(redis.pid);
  try {
    replaying.replayer.poke();
    await eventually('it is given up', () => replaying.failures.length === 1);
    replaying.replayer.start();
  } finally {
    process.kill(redis.pid, 'SIGCONT');
  }
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), expected);
});

test('poisoned records become dead letters with the reason; everything else is replayed', async (t) => {
  const { client, replaying, journal } = await stage(t, {}, ['--proto-max-bulk-len', '1mb']);
  await client.ask('SET', 'string', 'x');
  const expected: string[] = [];
  const good = (): void => {
    expected.push(`n${journal.add(0, 'RPUSH', 'list', `n${journal.lastSeq + 1}`)}`);
  };
  good();
  const wrongType = journal.add(0, 'RPUSH', 'string', 'x');
  good();
  const unknown = journal.add(2, 'NOSUCHCOMMAND', 'x');
  good();
  const arity = journal.add(0, 'SET', 'only-a-key');
  const partly = journal.addTransaction(
    0,
    ['RPUSH', 'pair', 'one'],
    ['HSET', 'string', 'f', 'v'],
    ['RPUSH', 'pair', 'two'],
  );
  const whole = journal.addTransaction(0, ['RPUSH', 'pair', 'never'], ['NOSUCHCOMMAND']);
  const noDb = journal.add(99, 'SET', 'a', '1');
  good();
  const tooLong = journal.add(0, 'SET', 'long', 'x'.repeat(1024 * 1024 + 1));
  good();
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), expected);
  assert.deepEqual(await listOf(client, 'pair'), ['one', 'two']);
  const letters = new Map(journal.deadLetters.letters.map((letter) => [letter.seq, letter]));
  assert.deepEqual(
    [...letters.keys()].sort((a, b) => a - b),
    [wrongType, unknown, arity, partly, whole, noDb, tooLong],
  );
  assert.match(letters.get(wrongType)!.reason, /^WRONGTYPE /);
  assert.match(letters.get(unknown)!.reason, /^ERR unknown command/);
  assert.match(letters.get(arity)!.reason, /^ERR wrong number of arguments/);
  assert.match(letters.get(noDb)!.reason, /DB index is out of range/);
  assert.match(letters.get(tooLong)!.reason, /Protocol error/);
  assert.equal(letters.get(partly)!.commands, 1);
  assert.match(letters.get(partly)!.bytes.toString(), /HSET/);
  assert.equal(letters.get(whole)!.commands, 2);
  assert.equal(replaying.labels.length, 7);
  assert.equal(replaying.replayer.replayedTotal, journal.lastSeq - 7);
});

test('what the sidecar has no permission for becomes a dead letter; no permission for the cursor stops replay', async (t) => {
  const user = { user: 'sidecar', password: 'pw' };
  const { client, replaying, journal } = await stage(t, { user });
  const rights = ['on', '>pw', 'resetkeys', '~list', '+@all'];
  await client.ask('ACL', 'SETUSER', 'sidecar', ...rights);
  journal.add(0, 'RPUSH', 'list', 'one');
  const forbidden = journal.add(0, 'SET', 'secret', 'x');
  journal.add(0, 'RPUSH', 'list', 'two');
  replaying.replayer.start();
  await eventually('it stops', () => replaying.failures.length === 1);
  assert.match(replaying.failures[0]!.message, /cursor.*NOPERM|cursor.*No permissions/i);
  assert.equal(replaying.replayer.isActive, false);
  assert.deepEqual(journal.deadLetters.reasons, []);
  await client.ask('ACL', 'SETUSER', 'sidecar', '~respool:*');
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), ['one', 'two']);
  assert.deepEqual(
    journal.deadLetters.letters.map(({ seq }) => seq),
    [forbidden],
  );
  assert.deepEqual(replaying.labels, ['NOPERM']);
});

test('an upstream that refuses transactions is not sent a single command', async (t) => {
  const user = { user: 'sidecar', password: 'pw' };
  const { client, replaying, journal } = await stage(t, { user });
  await client.ask('ACL', 'SETUSER', 'sidecar', 'on', '>pw', '~*', '+@all', '-multi');
  journal.add(0, 'RPUSH', 'list', 'one');
  replaying.replayer.start();
  await eventually('it stops', () => replaying.failures.length === 1);
  assert.match(replaying.failures[0]!.message, /refuses transactions/);
  assert.equal(await client.ask('DBSIZE'), ':0\r\n');
});

test('an upstream that came back empty gets everything that the journal still holds', async (t) => {
  const { client, replaying, journal } = await stage(t);
  const expected = appendNumbers(journal, 'list', 300);
  await replaying.finish();
  replaying.replayer.stop();
  await client.ask('FLUSHALL');
  const late = journal.add(0, 'RPUSH', 'list', 'late');
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), [...expected, 'late']);
  assert.equal(replaying.replayer.appliedSeq, late);
  assert.ok(replaying.logger.lines.some((line) => line.includes('older data')));
});

test('a FLUSHALL in the midst of replay wipes what was before it, and nothing comes twice', async (t) => {
  const { client, replaying, journal } = await stage(t);
  appendNumbers(journal, 'list', 300);
  await replaying.finish();
  await client.ask('FLUSHALL');
  journal.add(0, 'RPUSH', 'list', 'late');
  replaying.replayer.poke();
  await eventually('it is in', () => replaying.isDone);
  assert.deepEqual(await listOf(client, 'list'), ['late']);
});

test('two journals on one Redis keep out of each other’s way', async (t) => {
  const { redis, client, replaying } = await stage(t, { id: 'a' });
  const other = new Replaying({ port: redis.port, id: 'b' });
  t.after(() => other.replayer.stop());
  const ours = appendNumbers(replaying.journal, 'ours', 3000);
  const theirs = appendNumbers(other.journal, 'theirs', 2000);
  await Promise.all([replaying.finish(), other.finish()]);
  assert.deepEqual(await listOf(client, 'ours'), ours);
  assert.deepEqual(await listOf(client, 'theirs'), theirs);
  replaying.replayer.stop();
  replaying.replayer.deleteCursor();
  await eventually('one cursor is gone', async () => (await cursors(client)).length === 1);
  assert.deepEqual(await cursors(client), ['respool:cursor:b']);
});

test('without memory upstream replay waits; once there is some, all is applied', async (t) => {
  const { client, replaying, journal } = await stage(t);
  await client.ask('CONFIG', 'SET', 'maxmemory', '1');
  const expected = appendNumbers(journal, 'list', 500);
  for (let tries = 0; tries < 3; tries += 1) {
    replaying.replayer.start();
    await eventually('it is refused', () => replaying.failures.length === tries + 1);
    assert.match(replaying.failures[tries]!.message, /^OOM /);
  }
  await client.ask('CONFIG', 'SET', 'maxmemory', '0');
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), expected);
  assert.deepEqual(journal.deadLetters.reasons, []);
});

test('an upstream that cannot serve makes no dead letters: READONLY, NOREPLICAS, NOAUTH, BUSY', async (t) => {
  const { redis, client, replaying, journal } = await stage(t);
  const expected = appendNumbers(journal, 'list', 300);
  const refused = async (message: RegExp): Promise<void> => {
    replaying.failures.length = 0;
    replaying.replayer.start();
    await eventually('it is refused', () => replaying.failures.length === 1);
    assert.match(replaying.failures[0]!.message, message);
  };
  await client.ask('REPLICAOF', '127.0.0.1', 1);
  await refused(/READONLY|MASTERDOWN/);
  await client.ask('REPLICAOF', 'NO', 'ONE');
  await client.ask('CONFIG', 'SET', 'min-replicas-to-write', 1);
  await refused(/NOREPLICAS/);
  await client.ask('CONFIG', 'SET', 'min-replicas-to-write', 0);
  await client.ask('CONFIG', 'SET', 'requirepass', 'pw');
  await refused(/NOAUTH/);
  await client.ask('CONFIG', 'SET', 'requirepass', '');
  await client.ask('CONFIG', 'SET', 'busy-reply-threshold', 50);
  const busy = await connectRaw(redis.port);
  t.after(() => busy.reset());
  busy.send('EVAL', 'while true do end', 0);
  await eventually('it is busy', async () => (await client.ask('GET', 'x')).startsWith('-BUSY'));
  await refused(/BUSY/);
  await client.ask('SCRIPT', 'KILL');
  await replaying.finish();
  assert.deepEqual(await listOf(client, 'list'), expected);
  assert.deepEqual(journal.deadLetters.reasons, []);
});

test('the cursor is deleted once the journal is empty, and only then', async (t) => {
  const { client, replaying, journal } = await stage(t);
  appendNumbers(journal, 'list', 10);
  await replaying.finish();
  replaying.replayer.stop();
  journal.add(0, 'RPUSH', 'list', 'waiting');
  replaying.replayer.deleteCursor();
  await eventually('it was not tried', () =>
    replaying.logger.lines.some((line) => line.startsWith('the replay cursor stays')),
  );
  assert.deepEqual(await cursors(client), [replaying.cursorKey]);
  await replaying.finish();
  assert.equal(await client.ask('LLEN', 'list'), ':11\r\n');
  replaying.replayer.stop();
  replaying.replayer.deleteCursor();
  await eventually('it is gone', async () => (await cursors(client)).length === 0);
  // The next outage begins without one.
  journal.add(0, 'RPUSH', 'list', 'next');
  await replaying.finish();
  assert.equal(await client.ask('LLEN', 'list'), ':12\r\n');
});

test('XADD gets another id where the stream has passed the one that was told, and order is kept', async (t) => {
  const { client, replaying, journal } = await stage(t);
  await client.ask('XADD', 'passed', '5000-0', 'n', 'theirs');
  const add = (db: number, key: string, id: string, n: string): number =>
    journal.add(db, 'xAdd', key, 'MAXLEN', '~', '1000', id, 'n', n);
  add(0, 'fresh', '1000-0', 'a');
  add(0, 'passed', '4000-0', 'b');
  add(0, 'passed', '6000-0', 'c');
  journal.addTransaction(0, ['SET', 'x', 'XADD'], ['xAdd', 'passed', '6000-1', 'n', 'd']);
  add(1, 'passed', '4000-0', 'e');
  await replaying.finish();
  const ids = await client.ask('XRANGE', 'passed', '-', '+');
  assert.deepEqual(ids.match(/\b(theirs|[bcd])\r/g), ['theirs\r', 'b\r', 'c\r', 'd\r']);
  assert.match(await client.ask('XRANGE', 'fresh', '-', '+'), /1000-0/);
  await client.ask('SELECT', 1);
  assert.match(await client.ask('XRANGE', 'passed', '-', '+'), /4000-0/);
  assert.deepEqual(journal.deadLetters.reasons, []);
  assert.equal(replaying.replayer.renamedEntriesTotal, 3);
});

test('XADD to a stream that others write to all the time is applied once each', async (t) => {
  const { redis, client, replaying, journal } = await stage(t);
  const writer = await connectRaw(redis.port);
  t.after(() => writer.reset());
  let writing = true;
  const others = (async () => {
    for (let n = 0; writing; n += 1) await writer.ask('XADD', 'busy', '*', 'theirs', n);
    return writer.ask('XLEN', 'busy');
  })();
  const count = 3000;
  for (let n = 0; n < count; n += 1) journal.add(0, 'xAdd', 'busy', `${n + 1}-0`, 'ours', `n${n}`);
  await replaying.finish(REPLAY);
  writing = false;
  await others;
  const entries = await client.ask('XRANGE', 'busy', '-', '+');
  const ours = entries.match(/(?<=ours\r\n\$\d+\r\n)n\d+/g) ?? [];
  assert.deepEqual(
    ours,
    Array.from({ length: count }, (_, n) => `n${n}`),
  );
});

/** A journal on the disk, as a sidecar opens it. */
function openJournal(directory: string): Promise<Journal> {
  return Journal.open({
    files: diskFiles(directory),
    fsync: 'always',
    maxBytes: 64 * 1024 * 1024,
    segmentBytes: 64 * 1024,
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
    onSettled: () => undefined,
  });
}

test('I5: a journal that is opened again and again is replayed once, and leaves nothing upstream', async (t) => {
  const { redis, client } = await stage(t);
  await client.ask('SET', 'string', 'x');
  const directory = temporaryDirectory(t);
  const expected: string[] = [];
  for (let run = 0; run < 6; run += 1) {
    const journal = await openJournal(directory);
    for (let n = 0; n < 1500; n += 1) {
      expected.push(`r${run}n${n}`);
      journal.append(0, 0, 1, encodeCommand('RPUSH', 'list', expected.at(-1)!));
    }
    // Not earlier: of a batch that is in flight at a stop nobody learns which of its commands failed.
    if (run === 5) journal.append(0, 0, 1, encodeCommand('RPUSH', 'string', 'poison'));
    await eventually('it is on the disk', () => journal.settledSeq === journal.lastSeq);
    const rate = run < 5 ? 5000 : null;
    const replaying = new Replaying({ port: redis.port, held: journal, ratePerSecond: rate });
    if (run < 5) {
      replaying.replayer.start();
      const from = replaying.replayer.appliedSeq;
      await eventually('some are in', () => replaying.replayer.appliedSeq > from + 700);
      replaying.replayer.stop();
    } else {
      await replaying.finish();
      assert.equal(journal.deadLetters.list(100).length, 1);
      replaying.replayer.stop();
      replaying.replayer.deleteCursor();
      await eventually('nothing is left', async () => (await cursors(client)).length === 0);
    }
    await journal.close();
  }
  assert.deepEqual(await listOf(client, 'list'), expected);
});

test('the rate is kept', async (t) => {
  const { replaying, journal } = await stage(t, { ratePerSecond: 2000 });
  appendNumbers(journal, 'list', 1000);
  const startedMs = systemClock.now();
  await replaying.finish();
  const seconds = (systemClock.now() - startedMs) / 1000;
  assert.ok(seconds > 0.35 && seconds < 2, `${seconds} s for half a second's worth`);
});

test('100,000 records take less than six seconds', async (t) => {
  const { client, replaying, journal } = await stage(t);
  const value = 'x'.repeat(64);
  for (let n = 0; n < 100_000; n += 1) journal.add(0, 'SET', `key:${n}`, value);
  const startedMs = systemClock.now();
  await replaying.finish();
  const seconds = (systemClock.now() - startedMs) / 1000;
  t.diagnostic(`${Math.round(100_000 / seconds)} records/s`);
  assert.equal(await client.ask('DBSIZE'), ':100001\r\n');
  assert.ok(seconds < 6, `${seconds} s`);
});

async function cursors(client: RawClient): Promise<string[]> {
  const reply = await client.ask('KEYS', 'respool:*');
  return reply.split('\r\n').filter((line) => line.startsWith('respool:'));
}
