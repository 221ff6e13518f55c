/**
 * The part of the ioredis suite in which the server speaks first or late: messages, blocking
 * commands, invalidations, MONITOR.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Redis, RedisOptions } from 'ioredis';
import type { Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';

/** Makes a client of the library under test; `t` disconnects it. */
export type Connect = (t: Cleanup, options?: RedisOptions) => Redis;

/** Declares these tests; called inside the suite of one library and target. */
export function pushTests(connect: Connect): void {
  it('receives messages of channels and patterns, in order, until it unsubscribes', async (t) => {
    const [publisher, subscriber] = [connect(t), connect(t)];
    const received: string[] = [];
    subscriber.on('message', (channel: string, message: string) => {
      received.push(`${channel}=${message}`);
    });
    subscriber.on('pmessage', (pattern: string, channel: string, message: string) => {
      received.push(`${pattern}>${channel}=${message}`);
    });
    assert.equal(await subscriber.subscribe('news', 'more'), 2);
    assert.equal(await subscriber.psubscribe('n*'), 3);
    for (let n = 0; n < 100; n += 1) assert.equal(await publisher.publish('news', String(n)), 2);
    const both = Array.from({ length: 100 }, (_, n) => [`news=${n}`, `n*>news=${n}`]).flat();
    await eventually('200 messages', () => received.length === both.length);
    assert.deepEqual(received, both);
    await subscriber.unsubscribe('news', 'more');
    await subscriber.punsubscribe('n*');
    assert.equal(await publisher.publish('news', 'nobody'), 0);
    assert.equal(await subscriber.echo('usable again'), 'usable again');
  });

  it('waits in blocking commands without making others wait', async (t) => {
    const [waiting, other] = [connect(t), connect(t)];
    await other.del('queue', 'jobs');
    const popped = waiting.blpop('queue', 5);
    await eventually('the pop waits', async () =>
      /blocked_clients:1/.test(await other.info('clients')),
    );
    await other.rpush('queue', 'element');
    assert.deepEqual(await popped, ['queue', 'element']);
    assert.equal(await waiting.blpop('queue', 0.05), null);
    const entry = waiting.xread('BLOCK', 5_000, 'STREAMS', 'jobs', '$');
    await eventually('the read waits', async () =>
      /blocked_clients:1/.test(await other.info('clients')),
    );
    await other.xadd('jobs', '1-1', 'f', 'v');
    assert.match(JSON.stringify(await entry), /"jobs".*"1-1".*"f","v"/);
  });

  it('has its keys tracked with REDIRECT to a second connection', async (t) => {
    const [client, other] = [connect(t), connect(t)];
    // Only a RESP2 client gets invalidations as messages.
    const listener = connect(t, { protocol: 2 });
    const invalidated: unknown[] = [];
    listener.on('message', (_channel: string, keys: unknown) => invalidated.push(keys));
    const id = await listener.client('ID');
    await listener.subscribe('__redis__:invalidate');
    await client.client('TRACKING', 'ON', 'REDIRECT', id);
    await client.get('tracked');
    await other.set('tracked', '1');
    await eventually('the invalidation arrives', () => invalidated.length > 0);
    assert.match(JSON.stringify(invalidated), /tracked/);
  });

  it('monitors what other clients do', async (t) => {
    const monitor = await connect(t).monitor();
    t.after(() => monitor.disconnect());
    const seen: string[] = [];
    monitor.on('monitor', (_time: string, args: string[], _source: string, database: string) => {
      seen.push(`${database} ${args.join(' ')}`);
    });
    await connect(t, { db: 4 }).call('SET', 'monitored', 'a "b"');
    await eventually('the command is seen', () => seen.includes('4 SET monitored a "b"'));
  });
}
