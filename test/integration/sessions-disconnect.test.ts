/** A client that leaves frees what it held upstream, and what it said before it left still counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';
import type { Cleanup } from '../helpers/child-process.js';

/** How a client may leave: with a FIN, or with a reset as a killed process leaves. */
const WAYS_TO_LEAVE: Readonly<Record<string, (client: RawClient) => Promise<void> | void>> = {
  closes: (client) => client.close(),
  resets: (client) => client.reset(),
};

for (const [way, leave] of Object.entries(WAYS_TO_LEAVE)) {
  test(`a client that ${way} while it waits in BLPOP takes no element with it`, async (t) => {
    const { port, view } = await start(t);
    for (let round = 0; round < 5; round += 1) {
      const client = await connectRaw(port);
      client.send('BLPOP', `queue:${round}`, 0);
      await view.untilConnections('blocked', 1, isBlocked);
      await leave(client);
      await view.untilConnections('blocked', 0, isBlocked);
      assert.equal(await view.ask('RPUSH', `queue:${round}`, 'stays'), ':1\r\n');
    }
    assert.equal(await view.ask('DBSIZE'), ':5\r\n');
  });

  test(`nothing of a transaction is applied when its client ${way} before EXEC`, async (t) => {
    const { port, view } = await start(t);
    for (let round = 0; round < 5; round += 1) {
      const client = await connectRaw(port);
      assert.equal(await client.ask('MULTI'), '+OK\r\n');
      assert.equal(await client.ask('SET', 'half', 'done'), '+QUEUED\r\n');
      await leave(client);
      const next = await connectRaw(port);
      assert.equal(await next.ask('EXEC'), '-ERR EXEC without MULTI\r\n');
      assert.equal(await next.ask('SET', 'whole', 'done'), '+OK\r\n');
      await next.close();
    }
    assert.equal(await view.ask('EXISTS', 'half', 'whole'), ':1\r\n');
    await view.untilConnections('in MULTI', 0, ({ multi }) => multi !== '-1');
  });

  test(`a WATCH ends when its client ${way}`, async (t) => {
    const { port, view } = await start(t);
    for (let round = 0; round < 5; round += 1) {
      const client = await connectRaw(port);
      assert.equal(await client.ask('WATCH', 'watched'), '+OK\r\n');
      await leave(client);
      await view.ask('SET', 'watched', `changed ${round}`);
      const next = await connectRaw(port);
      next.write('MULTI\r\nPING\r\nEXEC\r\n');
      assert.equal(
        String(Buffer.concat(await next.readFrames(3))),
        '+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n',
      );
      await next.close();
    }
  });

  test(`a subscription and a monitor end when their client ${way}`, async (t) => {
    const { port, view } = await start(t);
    const [subscriber, monitor] = [await connectRaw(port), await connectRaw(port)];
    subscriber.write('SUBSCRIBE channel\r\nPSUBSCRIBE pattern*\r\nSSUBSCRIBE shard\r\n');
    await subscriber.readFrames(3);
    assert.equal(await monitor.ask('MONITOR'), '+OK\r\n');
    await view.untilConnections('monitoring', 1, isMonitor);
    await leave(subscriber);
    await leave(monitor);
    await view.untilConnections('monitoring', 0, isMonitor);
    await eventually('nobody is subscribed', async () => {
      const receivers = [
        await view.ask('PUBLISH', 'channel', 'x'),
        await view.ask('PUBLISH', 'pattern-x', 'x'),
        await view.ask('SPUBLISH', 'shard', 'x'),
      ];
      return receivers.every((reply) => reply === ':0\r\n');
    });
  });
}

test('everything that a client sent before its FIN is executed and answered', async (t) => {
  const { port, view } = await start(t);
  const client = await connectRaw(port);
  const count = 2_000;
  client.write(Buffer.concat(Array.from({ length: count }, () => encodeCommand('INCR', 'said'))));
  client.write('MULTI\r\nINCR said\r\nEXEC\r\nGET sa');
  client.socket.end();
  const replies = String(await client.readUntilClose());
  assert.equal(client.ending, 'end');
  assert.equal(replies.split('\r\n').length, count + 5);
  assert.ok(replies.endsWith(`:${count}\r\n+OK\r\n+QUEUED\r\n*1\r\n:${count + 1}\r\n`));
  assert.equal(await view.ask('GET', 'said'), `$4\r\n${count + 1}\r\n`);
});

test('QUIT answers +OK and hangs up at once, after everything before it and nothing behind it', async (t) => {
  const { port, redisPort, view } = await start(t);
  const conversations = [
    '',
    'INCR quits\r\n',
    'MULTI\r\nINCR never\r\n',
    'HELLO 3\r\nSUBSCRIBE c\r\n',
  ];
  for (const before of conversations) {
    const answers: string[] = [];
    for (const server of [redisPort, port]) {
      const client = await connectRaw(server);
      let lastDataAt = 0;
      let endAt = Number.POSITIVE_INFINITY;
      client.socket.on('data', () => (lastDataAt = performance.now()));
      client.socket.on('end', () => (endAt = performance.now()));
      client.write(`${before}QUIT\r\nINCR after\r\n`);
      answers.push(String(await client.readUntilClose()).replace(/id\r\n:\d+/, 'id'));
      assert.equal(client.ending, 'end');
      assert.ok(endAt - lastDataAt < 2_000, `the FIN came ${endAt - lastDataAt} ms after +OK`);
      await view.ask('DEL', 'quits');
    }
    assert.equal(answers[1], answers[0]);
    assert.match(String(answers[0]), /\+OK\r\n$/);
  }
  assert.equal(await view.ask('EXISTS', 'after', 'never'), ':0\r\n');
});

async function start(
  t: Exclude<Cleanup, null>,
): Promise<{ port: number; redisPort: number; view: RedisView }> {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  return { port: sidecar.port, redisPort: redis.port, view: await RedisView.of(t, redis.port) };
}

function isBlocked({ flags }: Readonly<Record<string, string>>): boolean {
  return flags?.includes('b') === true;
}

function isMonitor({ flags }: Readonly<Record<string, string>>): boolean {
  return flags?.includes('O') === true;
}
