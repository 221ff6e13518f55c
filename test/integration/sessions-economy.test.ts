/** Many clients, few upstream connections: who shares one, for how long one is pinned, and that nobody's order suffers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connectMany } from '../helpers/many-clients.js';
import { processorSeconds } from '../helpers/process-figures.js';
import { encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const HANDFUL = 10;
const TRANSACTIONS = 900;
const AT_A_TIME = 6;
/** All of them at once keep a busy machine's sidecar from anything else, its next connection to Redis included. */
const PATIENT = ['--hold', '1m', '--upstream-timeout', '1m'];

test('transactions of 150 clients use a handful of upstream connections, and a core has time for 300 a second', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: PATIENT });
  const view = await RedisView.of(t, redis.port);
  const clients = await connectMany(t, sidecar.port, 150);

  let peak = 0;
  let counting = true;
  const observer = (async () => {
    while (counting) {
      peak = Math.max(peak, (await view.connections()).length);
      await pause(10);
    }
  })();
  const before = processorSeconds(sidecar.pid);
  await transactOn(clients);
  // In time that it had a core: another process may take them.
  const perSecond = TRANSACTIONS / (processorSeconds(sidecar.pid) - before);
  counting = false;
  await observer;

  assert.ok(perSecond >= 300, `${perSecond.toFixed(0)} transactions a second`);
  assert.ok(peak <= HANDFUL, `${peak} upstream connections at a time`);
  const made = Number(await view.info('stats', 'total_connections_received'));
  assert.ok(made <= 2 * HANDFUL, `${made} upstream connections were made`);
  assert.match(await view.ask('GET', 'count'), new RegExp(`\r\n${2 * TRANSACTIONS}\r\n`));
});

test('5,000 clients share a handful of upstream connections and each sees its own order', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: PATIENT });
  const view = await RedisView.of(t, redis.port);
  const clients = await connectMany(t, sidecar.port, 5_000);

  for (let round = 0; round < 2; round += 1) {
    clients.forEach((client, c) => client.write(ownPipeline(c)));
    await Promise.all(
      clients.map(async (client, c) => {
        const frames = await client.readFrames(6, 120_000);
        const text = Buffer.concat(frames).toString('latin1');
        const [first, second] = [2 * round + 1, 2 * round + 2];
        const bulk = (value: number): string => `$${String(value).length}\r\n${value}\r\n`;
        const expected = `:${first}\r\n${bulk(first)}${bulk(c)}:${second}\r\n${bulk(second)}`;
        assert.ok(text.startsWith(expected), `client ${c}: ${JSON.stringify(text)}`);
      }),
    );
  }
  assert.ok((await view.connections()).length <= HANDFUL);
  assert.equal(await view.ask('DBSIZE'), ':5000\r\n');
});

test('one client’s blocked pop holds one upstream connection, and gives it back', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const view = await RedisView.of(t, redis.port);
  const clients = await connectMany(t, sidecar.port, 20);
  for (let round = 0; round < 3; round += 1) {
    clients.forEach((client) => client.send('BLPOP', 'queue', 0));
    await view.untilConnections('blocked', 20, ({ flags }) => flags?.includes('b') === true);
    await view.ask('RPUSH', 'queue', ...Array.from({ length: 20 }, (_, n) => n));
    for (const client of clients)
      assert.match(String(await client.readFrame()), /^\*2\r\n\$5\r\nqueue/);
  }
  const made = Number(await view.info('stats', 'total_connections_received'));
  assert.ok(
    made <= 20 + HANDFUL,
    `${made} connections were made for 20 waiting clients, three times`,
  );
});

/** TRANSACTIONS of them, each client in turn, a few at the same time: what 300 to 1,000 a second amount to. */
async function transactOn(clients: readonly RawClient[]): Promise<void> {
  let next = 0;
  const driver = async (): Promise<void> => {
    while (next < TRANSACTIONS) {
      const n = next++;
      const client = clients[n % clients.length];
      assert.ok(client);
      await stepwiseTransaction(client, n);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, driver));
}

/** A transaction as most clients send it: each command once the one before was answered. */
async function stepwiseTransaction(client: RawClient, n: number): Promise<void> {
  if (n % 3 === 0) assert.equal(await client.ask('WATCH', `guard:${n}`), '+OK\r\n');
  assert.equal(await client.ask('MULTI'), '+OK\r\n');
  assert.equal(await client.ask('INCR', 'count'), '+QUEUED\r\n');
  assert.equal(await client.ask('INCR', 'count'), '+QUEUED\r\n');
  const [, first, second] = /^\*2\r\n:(\d+)\r\n:(\d+)\r\n$/.exec(await client.ask('EXEC')) ?? [];
  assert.equal(Number(second), Number(first) + 1, 'nothing came between the two');
}

function ownPipeline(c: number): Buffer {
  const key = `own:${c}`;
  return Buffer.concat([
    encodeCommand('INCR', key),
    encodeCommand('GET', key),
    encodeCommand('ECHO', c),
    encodeCommand('INCR', key),
    encodeCommand('GET', key),
    encodeCommand('PING'),
  ]);
}
