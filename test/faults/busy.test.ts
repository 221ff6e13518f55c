/**
 * SEMANTICS §5: a script that runs too long makes Redis refuse everybody with -BUSY; nobody behind the sidecar sees it.
 * Clients wait, in their order, each write is done once, and whoever may end the script gets through.
 *
 * `busy-transactions.test.ts` has MULTI. These are short episodes; `npm run test:faults -- busy` has 5 and 20 seconds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { BusyEpisode, ENDLESS, ENDLESS_WRITER } from '../helpers/busy-episode.js';
import { assertUnnoticed, busyRun, startBusyRedis, underBusyLoad } from '../helpers/busy-run.js';
import { eventually } from '../helpers/eventually.js';
import { connectMany } from '../helpers/many-clients.js';
import { OutageSidecar, PATIENT } from '../helpers/outage-sidecar.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';

/** In the middle of the episode; long enough that the sidecar has met BUSY. */
const DURING_MS = 150;
/** More than a reply takes that need not wait for anything, far less than an episode without end lasts. */
const AT_ONCE_MS = 10_000;

test('directly on Redis the same clients are told BUSY', async (t) => {
  const redis = await startBusyRedis(t);
  await underBusyLoad(t, redis.port, async (load, { clients }) => {
    const { ledger } = load;
    await load.untilMore(100);
    const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
    const told = (pattern: RegExp): boolean =>
      [...ledger.errors.keys()].some((error) => pattern.test(error));
    await eventually(
      'readers, writers and transactions are told',
      () => told(/^-BUSY /) && told(/^-EXECABORT .* BUSY /) && ledger.counts.refused > 0,
    );
    await eventually('so is each way of ioredis', () =>
      clients.every(({ record }) => record.counts.failed > 0),
    );
    assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
    await ended;
  });
});

test('two scripts of one and two seconds, sent to Redis past the sidecar: nobody notices', async (t) => {
  t.diagnostic(await busyRun(t, [1, 2], 'directly'));
});

test('a script of a second, sent through the sidecar: nobody notices', async (t) => {
  t.diagnostic(await busyRun(t, [1], 'through the sidecar'));
});

test('SCRIPT KILL gets through at once, from an idle client and from a new one, while others wait', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const idle = await connectRaw(sidecar.port);
  assert.equal(await idle.ask('PING'), '+PONG\r\n');
  const outcome = await underBusyLoad(t, sidecar.port, async (load) => {
    for (const killer of [() => Promise.resolve(idle), () => connectRaw(sidecar.port)]) {
      await load.untilMore(100);
      const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
      const client = await killer();
      const startedAt = performance.now();
      assert.equal(await client.ask('SCRIPT', 'KILL'), '+OK\r\n');
      assert.ok(performance.now() - startedAt < AT_ONCE_MS);
      assert.match(await ended, /^-ERR .*killed by user/i);
      assert.match(await client.ask('SCRIPT', 'KILL'), /^-NOTBUSY /);
      await client.close();
    }
    await load.untilMore(100);
  });
  await assertUnnoticed(outcome, redis);
});

test('clients that come while a script runs are greeted and served when it has ended', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
  const greeting = [
    ['HELLO', '3', 'SETNAME', 'late'],
    ['SELECT', '3'],
    ['CLIENT', 'SETINFO', 'LIB-NAME', 'test'],
    ['CLIENT', 'SETNAME', 'later'],
    ['CLIENT', 'GETNAME'],
    ['SET', 'new', 'there'],
    ['GET', 'new'],
  ];
  const whole = await connectRaw(sidecar.port);
  whole.write(Buffer.concat(greeting.map((command) => encodeCommand(...command))));
  const stepwise = await connectRaw(sidecar.port);
  const replies = (async () => {
    const all: string[] = [];
    for (const command of greeting) all.push(await stepwise.ask(...command));
    return all;
  })();
  await pause(DURING_MS);
  assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
  await ended;
  const inOneWrite = (await whole.readFrames(greeting.length)).map(String);
  for (const told of [inOneWrite, await replies]) {
    assert.match(told[0] ?? '', /^%7\r\n/);
    assert.equal(told[1], '+OK\r\n');
    // Redis knows SETINFO since 7.2.
    assert.match(told[2] ?? '', /^(\+OK|-ERR unknown subcommand)/i);
    assert.deepEqual(told.slice(3), ['+OK\r\n', '$5\r\nlater\r\n', '+OK\r\n', '$5\r\nthere\r\n']);
  }
  await whole.close();
  await stepwise.close();
});

test('a blocking command that arrives while a script runs waits for it, and then for its element', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const waiting = await connectRaw(sidecar.port);
  const served = await connectRaw(sidecar.port);
  await redis.ask('RPUSH', 'full', 'x');
  const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
  waiting.send('BLPOP', 'empty', 5);
  served.send('BLPOP', 'full', 5);
  served.send('LLEN', 'full');
  await waiting.expectSilence(300);
  await served.expectSilence(0);
  assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
  await ended;
  const [popped, length] = (await served.readFrames(2)).map(String);
  assert.equal(popped, '*2\r\n$4\r\nfull\r\n$1\r\nx\r\n');
  assert.equal(length, ':0\r\n');
  await redis.ask('RPUSH', 'empty', 'y');
  assert.equal(String(await waiting.readFrame()), '*2\r\n$5\r\nempty\r\n$1\r\ny\r\n');
  await waiting.close();
  await served.close();
});

test('SCRIPT KILL gets through at once, whatever the client itself has waiting', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const client = await connectRaw(sidecar.port);
  const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
  client.send('SET', 'own', 'held');
  client.send('FUNCTION', 'STATS');
  await client.expectSilence(150);
  client.send('SCRIPT', 'KILL');
  client.send('GET', 'own');
  const [set, , kill, get] = (await client.readFrames(4)).map(String);
  assert.deepEqual([set, kill, get], ['+OK\r\n', '+OK\r\n', '$4\r\nheld\r\n']);
  assert.match(await ended, /^-ERR .*killed by user/i);
  await client.close();
});

test('a function that runs too long: SCRIPT KILL is told so at once, FUNCTION KILL ends it', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const library = `#!lua name=spinning
    redis.register_function('spin', function() while true do end end)`;
  assert.match(await redis.ask('FUNCTION', 'LOAD', library), /spinning/);
  const [caller, writer, killer] = await connectMany(t, sidecar.port, 3);
  assert.ok(caller && writer && killer);
  caller.send('FCALL', 'spin', 0);
  await eventually('Redis is busy', async () => (await redis.ask('GET', 'x')).startsWith('-BUSY'));
  writer.send('SET', 'k', 'v');
  assert.match(await killer.ask('SCRIPT', 'KILL'), /^-BUSY .*FUNCTION KILL/);
  assert.match(await killer.ask('FUNCTION', 'STATS'), /running_script[^]*spin/);
  assert.equal(await killer.ask('FUNCTION', 'KILL'), '+OK\r\n');
  assert.match(String(await caller.readFrame()), /^-ERR .*killed by user/i);
  assert.equal(String(await writer.readFrame()), '+OK\r\n');
});

test('with --busy-wait 0 everybody is told BUSY, in whatever database, and nothing counts as an outage', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, {
    args: [...PATIENT, '--busy-wait', '0'],
  });
  const [caller, elsewhere, killer] = await connectMany(t, sidecar.port, 3);
  assert.ok(caller && elsewhere && killer);
  for (const client of [caller, elsewhere]) assert.equal(await client.ask('SELECT', 5), '+OK\r\n');
  caller.send('EVAL', ENDLESS, 0);
  await eventually('Redis is busy', async () => (await redis.ask('GET', 'x')).startsWith('-BUSY'));
  // Neither behind the script on its connection, nor on one that would have to be brought to the database first.
  assert.match(await elsewhere.ask('GET', 'k'), /^-BUSY Redis is busy running a script/);
  assert.match(await elsewhere.ask('MULTI'), /^(-BUSY |\+OK)/);
  assert.equal(await killer.ask('SCRIPT', 'KILL'), '+OK\r\n');
  assert.match(String(await caller.readFrame()), /^-ERR .*killed by user/i);
  assert.equal((await sidecar.status()).condition, 'healthy');
});

test('a subscription is made when the script has ended', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const [subscriber, other] = await connectMany(t, sidecar.port, 2);
  assert.ok(subscriber && other);
  const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
  // The first to meet it; a subscription that does so is told, for it cannot be said again.
  other.send('GET', 'n');
  await pause(DURING_MS);
  subscriber.send('SUBSCRIBE', 'news');
  await pause(DURING_MS);
  assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
  await ended;
  assert.match(String(await subscriber.readFrame()), /subscribe/);
  await redis.ask('PUBLISH', 'news', 'heard');
  assert.match(String(await subscriber.readFrame()), /heard/);
});

test('a client that tracks waits as well, also when it is the first to meet the script, and is told what has changed', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const [tracking] = await connectMany(t, sidecar.port, 1);
  assert.ok(tracking);
  await tracking.command('HELLO', 3);
  assert.equal(await tracking.ask('CLIENT', 'TRACKING', 'ON', 'NOLOOP'), '+OK\r\n');
  assert.equal(await tracking.ask('GET', 'n'), '_\r\n');
  const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
  tracking.send('INCR', 'n');
  tracking.send('GET', 'n');
  await pause(DURING_MS);
  assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
  await ended;
  assert.deepEqual((await tracking.readFrames(2)).map(String), [':1\r\n', '$1\r\n1\r\n']);
  await redis.ask('SET', 'n', 5);
  const told = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nn\r\n';
  assert.equal(String(await tracking.readFrame()), told);
});

test('a script that has written: UNKILLABLE passes, SHUTDOWN NOSAVE ends it, and who waited is served as in an outage', async (t) => {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port);
  const writer = await connectRaw(sidecar.port);
  const counter = await connectRaw(sidecar.port);
  const operator = await connectRaw(sidecar.port);
  await BusyEpisode.begin(t, redis, ENDLESS_WRITER, { keys: ['written'] });
  writer.send('SET', 'held', 'kept');
  writer.send('GET', 'held');
  counter.send('INCR', 'held-counter');
  await writer.expectSilence(200);
  assert.match(await operator.ask('SCRIPT', 'KILL'), /^-UNKILLABLE /);
  assert.match(await operator.ask('FUNCTION', 'KILL'), /^-(NOTBUSY|UNKILLABLE|BUSY) /);
  operator.send('SHUTDOWN', 'NOSAVE');
  await eventually('Redis has ended', () => !redis.isRunning);
  const [set, get] = (await writer.readFrames(2)).map(String);
  assert.equal(set, '+OK\r\n');
  assert.equal(get, '$4\r\nkept\r\n');
  assert.match(String(await counter.readFrame()), /^-UNAVAILABLE /);
  await redis.start();
  await sidecar.untilDrained();
  assert.equal(await redis.ask('GET', 'held'), '$4\r\nkept\r\n');
  assert.equal(await redis.ask('EXISTS', 'held-counter', 'written'), ':0\r\n');
});

for (const [busyWait, leastMs] of [
  ['300ms', 250],
  ['0', 0],
] as const) {
  test(`--busy-wait ${busyWait} passes BUSY on after that time, and goes on afterwards`, async (t) => {
    const redis = await startBusyRedis(t);
    const sidecar = await OutageSidecar.start(t, redis.port, {
      args: [...PATIENT, '--busy-wait', busyWait],
    });
    const early = await connectRaw(sidecar.port);
    assert.equal(await early.ask('SET', 'k', 'calm'), '+OK\r\n');
    const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
    const late = await connectRaw(sidecar.port);
    for (const client of [early, late]) {
      const startedAt = performance.now();
      client.send('SET', 'k', 'busy');
      client.send('GET', 'k');
      const replies = (await client.readFrames(2)).map(String);
      const elapsedMs = performance.now() - startedAt;
      for (const reply of replies) assert.match(reply, /^-BUSY Redis is busy running a script/);
      assert.ok(elapsedMs >= leastMs && elapsedMs < leastMs + AT_ONCE_MS, `${elapsedMs} ms`);
    }
    assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
    await ended;
    await eventually('it goes on', async () => (await early.ask('GET', 'k')) === '$4\r\ncalm\r\n');
    assert.equal((await sidecar.status()).breaker.state, 'closed');
    await early.close();
    await late.close();
  });
}
