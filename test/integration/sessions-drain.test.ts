/** SIGTERM: what is in flight is finished, nobody new is let in, and the exit code says how it went. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyScript } from '../helpers/busy-script.js';
import { eventually } from '../helpers/eventually.js';
import { freezeProcess } from '../helpers/freeze.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { startRedis, startSidecar, type RedisServer, type Sidecar } from '../helpers/servers.js';

const BUSY_MS = 500;
const DEFAULT_DRAIN_MS = 10_000;
/** Nothing is given up, however long it takes. */
const UNHURRIED = ['--drain', '1m', '--upstream-timeout', '1m'];

for (const upstream of ['redis', 'embedded'] as const) {
  test(`SIGTERM lets a slow command finish, refuses new clients and exits with 0 (${upstream})`, async (t) => {
    const redis = upstream === 'redis' ? await startRedis(t) : null;
    const sidecar = await startSidecar(t, redis === null ? {} : { upstream: redis.url });
    const [slow, idle] = [await connectRaw(sidecar.port), await connectRaw(sidecar.port)];
    const script = await busyScript(idle, BUSY_MS);
    const evals = async (): Promise<number> => {
      const { body } = await sidecar.admin('/metrics');
      return Number(/respool_commands_total\{[^}]*command="eval"[^}]*\} (\d+)/.exec(body)?.[1]);
    };
    const evalsBefore = await evals();
    slow.write(
      Buffer.concat([encodeCommand('EVAL', script, 0), encodeCommand('ECHO', 'behind it')]),
    );
    await eventually('the script is under way', async () => (await evals()) > evalsBefore);
    const exited = sidecar.stop('SIGTERM');
    await eventually('new clients are refused', async () => {
      const refused = await connectRaw(sidecar.port).then(
        (client) => client.reset(),
        (error: unknown) => /ECONNREFUSED/.test(String(error)),
      );
      return refused === true;
    });
    assert.equal(String(await slow.readFrame()), ':1\r\n');
    assert.equal(String(await slow.readFrame()), '$9\r\nbehind it\r\n');
    assert.equal(await exited, 0);
    await Promise.all([slow.readUntilClose(), idle.readUntilClose()]);
  });
}

test('SIGTERM lets the command of a client finish that keeps its connection for its replies and messages', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const tracking = await connectRaw(sidecar.port);
  const script = await busyScript(tracking, BUSY_MS);
  await tracking.ask('HELLO', 3);
  assert.equal(await tracking.ask('CLIENT', 'TRACKING', 'ON'), '+OK\r\n');
  tracking.send('EVAL', script, 0);
  await tracking.expectSilence(50);
  const exited = sidecar.stop('SIGTERM');
  assert.equal(String(await tracking.readUntilClose()), ':1\r\n');
  assert.equal(await exited, 0);
});

test('while it drains it says so: /readyz is 503, /livez stays 200', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: UNHURRIED });
  const slow = await sentToFrozen(redis, sidecar, 'INCR n\r\n');
  const exited = sidecar.stop('SIGTERM');
  await eventually('/readyz is 503', async () => (await sidecar.admin('/readyz')).status === 503);
  assert.equal((await sidecar.admin('/livez')).status, 200);
  assert.match((await sidecar.admin('/status')).body, /"condition": *"draining"/);
  process.kill(redis.pid, 'SIGCONT');
  assert.equal(String(await slow.readFrame()), ':1\r\n');
  assert.equal(await exited, 0);
});

test('what does not finish within --drain is left behind, and the exit code is still 0', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: ['--drain', '300ms'] });
  const waiting = await connectRaw(sidecar.port);
  waiting.send('BLPOP', 'nothing', 0);
  const subscriber = await connectRaw(sidecar.port);
  assert.match(await subscriber.ask('SUBSCRIBE', 'c'), /subscribe/);
  await waiting.expectSilence(50);
  const startedAt = performance.now();
  assert.equal(await sidecar.stop('SIGTERM'), 0);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < DEFAULT_DRAIN_MS - 2_000, `${tookMs} ms`);
  await Promise.all([waiting.readUntilClose(), subscriber.readUntilClose()]);
});

test('an idle sidecar exits at once, whoever is still connected', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectRaw(sidecar.port)));
  for (const client of clients) assert.equal(await client.ask('PING'), '+PONG\r\n');
  const startedAt = performance.now();
  assert.equal(await sidecar.stop('SIGTERM'), 0);
  assert.ok(performance.now() - startedAt < DEFAULT_DRAIN_MS - 2_000);
  for (const client of clients) assert.equal(String(await client.readUntilClose()), '');
});

test('a second SIGTERM exits at once', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: UNHURRIED });
  await sentToFrozen(redis, sidecar, 'INCR n\r\n');
  const exited = sidecar.stop('SIGTERM');
  await eventually('it drains', async () => (await sidecar.admin('/readyz')).status === 503);
  process.kill(sidecar.pid, 'SIGTERM');
  // `stop` kills what has not ended by itself long before that command's time is over.
  assert.equal(await exited, 1);
});

/** A client whose command is under way to an upstream that says nothing until SIGCONT. */
async function sentToFrozen(
  redis: RedisServer,
  sidecar: Sidecar,
  command: string,
): Promise<RawClient> {
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('PING'), '+PONG\r\n');
  await freezeProcess(redis.pid);
  client.write(command);
  // Who is served later than this has come behind it.
  assert.equal((await sidecar.admin('/livez')).status, 200);
  return client;
}
