/** I6: clients that do not read, read slowly, or send faster than the upstream takes are bounded, and alone in it. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Bystander } from '../helpers/bystander.js';
import { eventually } from '../helpers/eventually.js';
import { freezeProcess } from '../helpers/freeze.js';
import { MEGABYTE, residentBytes } from '../helpers/process-figures.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const OUTPUT_LIMIT = ['--client-output-limit', '8mb'];
/** The limits of ten clients, what passes by meanwhile, and, when embedded, the engine's own buffers. */
/** With the embedded engine ten floods, the engine and everybody else share this machine's two cores. */
const UNHARMED_MS = { redis: 250, embedded: 1_000 } as const;
const MEMORY_LIMIT_BYTES = { redis: 200 * MEGABYTE, embedded: 250 * MEGABYTE };

for (const upstream of ['redis', 'embedded'] as const) {
  test(`a client that never reads is hung up on at its output limit (${upstream})`, async (t) => {
    const { port, pid, bystander } = await start(t, upstream, OUTPUT_LIMIT);
    await storeLargeValue(port);
    const resident = residentBytes(pid).now;
    await bystander.isUnharmedBy(async () => {
      for (let round = 0; round < 5; round += 1) {
        const client = await connectRaw(port);
        client.pause();
        await sendsUntilClosed(client, encodeCommand('GET', 'large'));
      }
    });
    const grownBytes = residentBytes(pid).peak - resident;
    assert.ok(grownBytes <= MEMORY_LIMIT_BYTES[upstream], `${grownBytes / MEGABYTE} MB more`);
  });

  test(`a subscriber that never reads is hung up on; the publisher and others go on (${upstream})`, async (t) => {
    const { port, pid, bystander } = await start(t, upstream, OUTPUT_LIMIT);
    const resident = residentBytes(pid).now;
    const message = Buffer.alloc(MEGABYTE / 4, 'm');
    await bystander.isUnharmedBy(async () => {
      const [lazy, eager, publisher] = await Promise.all([1, 2, 3].map(() => connectRaw(port)));
      assert.ok(lazy && eager && publisher);
      for (const subscriber of [lazy, eager]) {
        assert.match(await subscriber.ask('SUBSCRIBE', 'c'), /subscribe/);
      }
      lazy.pause();
      let receivers = 2;
      for (let sent = 0; receivers === 2 && sent < 1_000; sent += 1) {
        receivers = Number((await publisher.ask('PUBLISH', 'c', message)).slice(1));
        await eager.readFrame();
      }
      assert.equal(receivers, 1, 'the one that reads is still subscribed');
      for (const client of [lazy, eager, publisher]) await client.close();
      await nobodyListens(port);
    });
    const grownBytes = residentBytes(pid).peak - resident;
    assert.ok(grownBytes <= MEMORY_LIMIT_BYTES[upstream], `${grownBytes / MEGABYTE} MB more`);
  });

  test(`a client that reads slowly but within its limit gets every byte (${upstream})`, async (t) => {
    const { port, bystander } = await start(t, upstream, OUTPUT_LIMIT);
    await storeLargeValue(port);
    await bystander.isUnharmedBy(async () => {
      const client = await connectRaw(port);
      client.pause();
      for (let n = 0; n < 6; n += 1) client.send('GET', 'large');
      client.send('ECHO', 'the end');
      for (let n = 0; n < 20; n += 1) {
        client.resume();
        await pause(2);
        client.pause();
        await pause(8);
      }
      client.resume();
      const frames = await client.readFrames(7);
      assert.ok(frames.slice(0, 6).every((frame) => frame.length === MEGABYTE + 12));
      assert.equal(String(frames[6]), '$7\r\nthe end\r\n');
    });
  });

  test(`a flood of small commands from ten clients that read too late is bounded (${upstream})`, async (t) => {
    const { port, pid, bystander } = await start(t, upstream, OUTPUT_LIMIT);
    const resident = residentBytes(pid).now;
    const commands = Buffer.concat(
      Array.from({ length: 1_000 }, () => encodeCommand('ECHO', 'x'.repeat(100))),
    );
    await bystander.isUnharmedBy(async () => {
      const clients = await Promise.all(Array.from({ length: 10 }, () => connectRaw(port)));
      for (const client of clients) client.pause();
      await Promise.all(clients.map((client) => sendsUntilClosed(client, commands)));
    }, UNHARMED_MS[upstream]);
    const grownBytes = residentBytes(pid).peak - resident;
    assert.ok(grownBytes <= MEMORY_LIMIT_BYTES[upstream], `${grownBytes / MEGABYTE} MB more`);
  });
}

test('a client that sends faster than the upstream takes is paused, and nothing of it is lost', async (t) => {
  const redis = await startRedis(t);
  const args = ['--upstream-timeout', '30s'];
  const { port, pid } = await startSidecar(t, { upstream: redis.url, args });
  const resident = residentBytes(pid).now;
  const client = await connectRaw(port);
  assert.equal(await client.ask('PING'), '+PONG\r\n');
  const command = encodeCommand('APPEND', 'flood', Buffer.alloc(100_000, 'f'));
  await freezeProcess(redis.pid);
  const accepted = await floodUntilPaused(client, command);
  process.kill(redis.pid, 'SIGCONT');
  assert.ok(accepted.bytes <= 64 * MEGABYTE, `${accepted.bytes / MEGABYTE} MB were taken`);
  const replies = await client.readFrames(accepted.commands, 60_000);
  assert.equal(String(replies.at(-1)), `:${accepted.commands * 100_000}\r\n`);
  assert.ok(replies.every((frame, n) => String(frame) === `:${(n + 1) * 100_000}\r\n`));
  const grownBytes = residentBytes(pid).peak - resident;
  assert.ok(grownBytes <= MEMORY_LIMIT_BYTES.redis, `${grownBytes / MEGABYTE} MB more`);
});

async function start(t: TestContext, upstream: 'redis' | 'embedded', args: string[]) {
  const redis = upstream === 'redis' ? await startRedis(t) : null;
  const { port, pid } = await startSidecar(t, { upstream: redis?.url ?? 'embedded:', args });
  const pids = redis === null ? [pid] : [pid, redis.pid];
  return { port, pid, bystander: await Bystander.start(t, port, pids) };
}

async function nobodyListens(port: number): Promise<void> {
  const client = await connectRaw(port);
  await eventually(
    'nobody is subscribed',
    async () => (await client.ask('PUBLISH', 'c', '')) === ':0\r\n',
  );
  await client.close();
}

async function storeLargeValue(port: number): Promise<void> {
  const client = await connectRaw(port);
  assert.equal(await client.ask('SET', 'large', 'x'.repeat(MEGABYTE)), '+OK\r\n');
  await client.close();
}

/** Sends again and again without reading, as fast as the kernel takes it, until the other side hangs up. */
async function sendsUntilClosed(client: RawClient, bytes: Buffer): Promise<void> {
  const { socket } = client;
  await eventually(
    'it is hung up on',
    async () => {
      while (!socket.destroyed && socket.writableLength < MEGABYTE) socket.write(bytes);
      await pause(1);
      return socket.destroyed || client.ending !== null;
    },
    // Ten clients that are flooded to their limits are a lot of work.
    { withinMs: 120_000, everyMs: 1 },
  );
}

/** Sends until the other side has taken nothing for half a second. */
async function floodUntilPaused(
  { socket }: RawClient,
  command: Buffer,
): Promise<{ commands: number; bytes: number }> {
  const STILL_MS = 500;
  let commands = 0;
  let taken = 0;
  let takenAt = performance.now();
  while (performance.now() - takenAt < STILL_MS) {
    while (socket.writableLength < MEGABYTE) {
      socket.write(command);
      commands += 1;
    }
    await pause(5);
    const now = socket.bytesWritten - socket.writableLength;
    if (now > taken) takenAt = performance.now();
    taken = now;
    assert.ok(taken < 1_024 * MEGABYTE, 'the sidecar takes without end');
  }
  return { commands, bytes: taken };
}
