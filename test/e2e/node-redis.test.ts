/** node-redis (the `redis` package) through the sidecar, in RESP3 and in RESP2. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { createClient, createClientPool, defineScript, RESP_TYPES, WatchError } from 'redis';
import type { Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { describeTargets, type Target } from './targets.js';

interface Settings {
  RESP?: 2 | 3;
  database?: number;
  username?: string;
  password?: string;
  name?: string;
  clientSideCache?: { ttl: number; maxEntries: number };
}

const SUM = defineScript({
  SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
  NUMBER_OF_KEYS: 1,
  parseCommand(parser, key: string, amount: number) {
    parser.pushKey(key);
    parser.push(String(amount));
  },
  transformReply: (reply: unknown) => Number(reply),
});

/** A connected client that gives up at once when something is wrong, so that no retry hides it. */
async function connect(
  t: Cleanup,
  { host, port }: Target,
  { RESP = 3, ...settings }: Settings = {},
) {
  const client = createClient({
    ...settings,
    RESP,
    socket: { host, port, reconnectStrategy: false },
    scripts: { sum: SUM },
  });
  client.on('error', () => undefined);
  t?.after(() => {
    if (client.isOpen) client.destroy();
  });
  await client.connect();
  return client;
}

describeTargets('node-redis', (target) => {
  for (const RESP of [2, 3] as const) {
    it(`reads every type as it was written, in RESP${RESP}`, async (t) => {
      const client = await connect(t, target(), { RESP });
      await client.flushAll();
      assert.equal(
        await client.set('s', 'värde', { expiration: { type: 'EX', value: 100 } }),
        'OK',
      );
      assert.equal(await client.get('s'), 'värde');
      assert.equal(await client.get('none'), null);
      assert.equal(await client.hSet('h', { a: '1', b: '2' }), 2);
      assert.deepEqual({ ...(await client.hGetAll('h')) }, { a: '1', b: '2' });
      assert.equal(await client.rPush('l', ['x', 'y']), 2);
      assert.deepEqual(await client.lRange('l', 0, -1), ['x', 'y']);
      assert.equal(await client.zAdd('z', { score: 1.25, value: 'one' }), 1);
      assert.deepEqual(await client.zRangeWithScores('z', 0, -1), [{ score: 1.25, value: 'one' }]);
      const id = await client.xAdd('stream', '*', { field: 'value' });
      const entries = await client.xRange('stream', '-', '+');
      assert.deepEqual(
        entries?.map((entry) => entry.id),
        [id],
      );
      assert.equal((await client.sAdd('set', ['a', 'b'])) + (await client.sCard('set')), 4);
      await assert.rejects(client.lPush('s', 'x'), /WRONGTYPE/);
    });
  }

  it('keeps every byte of a binary value and of a value of 10 MB', async (t) => {
    const client = await connect(t, target());
    const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    for (const value of [Buffer.from([0, 13, 10, 255, 36]), randomBytes(10 * 1024 * 1024)]) {
      await client.set('binary', value);
      assert.ok(value.equals((await binary.get('binary')) ?? Buffer.alloc(0)));
    }
    await client.del('binary');
  });

  it('runs a transaction whole, and not at all when a watched key changed', async (t) => {
    const client = await connect(t, target());
    const other = await connect(t, target());
    await client.del(['t', 'w']);
    assert.deepEqual(await client.multi().incr('t').incr('t').get('t').exec(), [1, 2, '2']);
    await client.watch('w');
    await other.set('w', 'theirs');
    await assert.rejects(client.multi().set('w', 'ours').exec(), WatchError);
    assert.equal(await other.get('w'), 'theirs');
    await client.watch('w');
    assert.deepEqual(await client.multi().set('w', 'ours').exec(), ['OK']);
  });

  it('receives messages of channels, patterns and shard channels', async (t) => {
    const publisher = await connect(t, target());
    const subscriber = await connect(t, target());
    const received: string[] = [];
    await subscriber.subscribe('news', (message) => received.push(`channel ${message}`));
    await subscriber.pSubscribe('n?ws', (message) => received.push(`pattern ${message}`));
    await subscriber.sSubscribe('shard', (message) => received.push(`shard ${message}`));
    assert.equal(await publisher.publish('news', '1'), 2);
    assert.equal(await publisher.sPublish('shard', '2'), 1);
    await eventually('three messages', () => received.length === 3);
    assert.deepEqual(received.toSorted(), ['channel 1', 'pattern 1', 'shard 2']);
    await subscriber.unsubscribe('news');
    await subscriber.pUnsubscribe('n?ws');
    await subscriber.sUnsubscribe('shard');
    assert.equal(await publisher.publish('news', 'nobody'), 0);
    assert.equal(await subscriber.echo('usable again'), 'usable again');
  });

  it('waits in a blocking pop without making others wait', async (t) => {
    const waiting = await connect(t, target());
    const other = await connect(t, target());
    await other.del('queue');
    const popped = waiting.blPop('queue', 5);
    await eventually('the pop waits', async () =>
      /blocked_clients:1/.test(await other.info('clients')),
    );
    await other.rPush('queue', 'element');
    assert.deepEqual({ ...(await popped) }, { key: 'queue', element: 'element' });
    assert.equal(await waiting.blPop('queue', 0.05), null);
  });

  it('runs a script by its hash, also after the scripts were flushed', async (t) => {
    const client = await connect(t, target());
    await client.del('sum');
    assert.equal(await client.sum('sum', 2), 2);
    assert.equal(await client.sum('sum', 3), 5);
    await client.scriptFlush();
    assert.equal(await client.sum('sum', 5), 10);
  });

  it('keeps a client side cache that is invalidated by other clients', async (t) => {
    const client = await connect(t, target(), { clientSideCache: { ttl: 0, maxEntries: 100 } });
    const other = await connect(t, target());
    await other.set('cached', 'old');
    const cache = client.clientSideCache;
    assert.ok(cache);
    for (let n = 0; n < 5; n += 1) assert.equal(await client.get('cached'), 'old');
    assert.equal(cache.stats().hitCount, 4);
    await other.set('cached', 'new');
    await eventually('the cache forgets', async () => (await client.get('cached')) === 'new');
    await other.flushDb();
    await eventually('the cache is emptied', async () => (await client.get('cached')) === null);
  });

  it('scans', async (t) => {
    const client = await connect(t, target(), { database: 8 });
    await client.flushDb();
    const names = Array.from({ length: 1_500 }, (_, n) => `k:${n}`);
    await client.mSet(names.map((name): [string, string] => [name, '1']));
    const found: string[] = [];
    for await (const batch of client.scanIterator({ COUNT: 100 })) found.push(...batch);
    assert.deepEqual(found.toSorted(), names.toSorted());
  });

  it('selects, names itself, duplicates and closes', async (t) => {
    const client = await connect(t, target(), { database: 5, name: 'named' });
    await client.set('where', 'five');
    assert.equal(await client.clientGetName(), 'named');
    const copy = client.duplicate();
    t.after(() => copy.destroy());
    await copy.connect();
    assert.equal(await copy.get('where'), 'five');
    await copy.select(6);
    await copy.del('where');
    assert.equal(await copy.get('where'), null);
    assert.equal(await client.get('where'), 'five');
    await client.close();
    assert.equal(client.isOpen, false);
  });

  it('authenticates as an ACL user and is refused with a wrong password', async (t) => {
    const admin = await connect(t, target());
    await admin.aclSetUser('app', ['on', '>secret', '~app:*', '+@all']);
    const app = await connect(t, target(), { username: 'app', password: 'secret' });
    assert.equal(await app.aclWhoAmI(), 'app');
    assert.equal(await app.set('app:1', 'x'), 'OK');
    await assert.rejects(app.set('other', 'x'), /NOPERM/);
    const wrong = connect(t, target(), { username: 'app', password: 'wrong' });
    await assert.rejects(wrong, /WRONGPASS/);
  });

  it('answers 10,000 parallel promises of a pool, every one with its own reply', async (t) => {
    const { host, port } = target();
    const pool = createClientPool(
      { socket: { host, port } },
      { maximum: 10, acquireTimeout: 30_000 },
    );
    pool.on('error', () => undefined);
    t.after(() => pool.destroy());
    await pool.connect();
    const replies = await Promise.all(
      Array.from({ length: 10_000 }, (_, n) => pool.execute((client) => client.echo(String(n)))),
    );
    replies.forEach((reply, n) => assert.equal(reply, String(n)));
  });

  it('monitors', async (t) => {
    const monitor = await connect(t, target());
    const seen: string[] = [];
    await monitor.monitor((line) => seen.push(String(line)));
    const other = await connect(t, target());
    await other.set('monitored', '1');
    await eventually('the command is seen', () => seen.some((line) => line.includes('monitored')));
  });
});
