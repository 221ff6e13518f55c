/**
 * What ioredis and its fork iovalkey must be able to do through the sidecar: one suite, because
 * they have one interface. Each runs it in a file of its own.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { it } from 'node:test';
import type { Redis, RedisOptions } from 'ioredis';
import type { Cleanup } from '../helpers/child-process.js';
import { pushTests, type Connect } from './ioredis-push.js';
import { describeTargets, type Target } from './targets.js';

type Constructor = new (options: RedisOptions) => Redis;

/** Declares the suite for one library; `options` go to every client that it makes. */
export function describeIoredis(
  name: string,
  library: Constructor,
  options: RedisOptions = {},
): void {
  describeTargets(name, (target) => {
    const connect: Connect = (t, more) => connectTo(t, library, target(), { ...options, ...more });
    dataTests(connect);
    transactionTests(connect);
    pushTests(connect);
    scriptTests(connect);
    connectionTests(connect);
    volumeTests(connect);
  });
}

/** A client that gives up at once when something is wrong, so that no retry hides it. */
function connectTo(
  t: Cleanup,
  Library: Constructor,
  { host, port }: Target,
  options: RedisOptions,
): Redis {
  const client = new Library({
    host,
    port,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    ...options,
  });
  t?.after(() => client.disconnect());
  return client;
}

function dataTests(connect: Connect): void {
  it('reads every type as it was written', async (t) => {
    const client = connect(t);
    await client.flushall();
    assert.equal(await client.set('s', 'värde', 'EX', 100), 'OK');
    assert.equal(await client.get('s'), 'värde');
    assert.equal(await client.get('none'), null);
    assert.equal(await client.incrbyfloat('f', 1.5), '1.5');
    assert.equal(await client.hset('h', { a: '1', b: '2' }), 2);
    assert.deepEqual(await client.hgetall('h'), { a: '1', b: '2' });
    assert.equal(await client.rpush('l', 'x', 'y'), 2);
    assert.deepEqual(await client.lrange('l', 0, -1), ['x', 'y']);
    assert.equal(await client.sadd('set', 'm'), 1);
    assert.deepEqual(await client.smembers('set'), ['m']);
    await client.zadd('z', 1.25, 'one', 7, 'seven');
    const scores = await client.zrange('z', '0', '0', 'WITHSCORES');
    assert.equal(String(scores), 'one,1.25');
    const id = await client.xadd('stream', '*', 'field', 'value');
    assert.deepEqual(await client.xrange('stream', '-', '+'), [[id, ['field', 'value']]]);
    await assert.rejects(client.lpush('s', 'x'), /WRONGTYPE/);
  });

  it('keeps every byte of a binary value and of a value of 10 MB', async (t) => {
    const client = connect(t);
    const key = Buffer.from([0, 13, 10, 255, 36, 42]);
    const all = Buffer.from(Array.from({ length: 512 }, (_, n) => n % 256));
    await client.set(key, all);
    assert.ok(all.equals((await client.getBuffer(key)) ?? Buffer.alloc(0)));
    const large = randomBytes(10 * 1024 * 1024);
    await client.set('large', large);
    assert.ok(large.equals((await client.getBuffer('large')) ?? Buffer.alloc(0)));
    await client.del('large');
  });

  it('walks through keys, hashes, sets and sorted sets with scan streams', async (t) => {
    const client = connect(t, { db: 8 });
    await client.flushdb();
    const names = Array.from({ length: 1_500 }, (_, n) => `k:${n}`);
    await client.mset(Object.fromEntries(names.map((name) => [name, '1'])));
    assert.deepEqual(
      await drain(client.scanStream({ count: 100, match: 'k:*' })),
      names.toSorted(),
    );
    await client.sadd('members', ...names);
    assert.deepEqual(await drain(client.sscanStream('members')), names.toSorted());
    await client.hset('fields', Object.fromEntries(names.map((name) => [name, 'x'])));
    assert.equal((await drain(client.hscanStream('fields'))).length, 2 * names.length);
    await client.zadd('scores', ...names.flatMap((name, score) => [score, name]));
    assert.equal((await drain(client.zscanStream('scores'))).length, 2 * names.length);
  });
}

function transactionTests(connect: Connect): void {
  it('pipelines a thousand commands, an error among them, in order', async (t) => {
    const client = connect(t);
    const pipeline = client.pipeline().set('text', 'abc');
    for (let n = 0; n < 1_000; n += 1) {
      if (n === 500) pipeline.incr('text');
      else pipeline.echo(String(n));
    }
    const results = (await pipeline.exec())?.slice(1) ?? [];
    assert.equal(results.length, 1_000);
    results.forEach(([error, value], n) => {
      if (n === 500) assert.match(String(error), /not an integer/);
      else assert.equal(value, String(n));
    });
  });

  it('runs a transaction whole, not at all after a queueing error, and not when a watched key changed', async (t) => {
    const [client, other] = [connect(t), connect(t)];
    await client.del('t', 'w');
    assert.deepEqual(await client.multi().incr('t').incr('t').get('t').exec(), [
      [null, 1],
      [null, 2],
      [null, '2'],
    ]);
    await assert.rejects(client.multi().incr('t').call('GET').exec(), /EXECABORT/);
    assert.equal(await client.get('t'), '2');
    await client.watch('w');
    await other.set('w', 'theirs');
    assert.equal(await client.multi().set('w', 'ours').exec(), null);
    assert.equal(await other.get('w'), 'theirs');
    await client.watch('w');
    assert.deepEqual(await client.multi().set('w', 'ours').exec(), [[null, 'OK']]);
    await client.watch('w');
    await other.set('w', 'again');
    await client.unwatch();
    assert.deepEqual(await client.multi().get('w').exec(), [[null, 'again']]);
  });

  it('runs a transaction without pipelining, command by command', async (t) => {
    const client = connect(t);
    await client.multi({ pipeline: false });
    assert.equal(await client.set('step', '1'), 'QUEUED');
    assert.equal(await client.append('step', '2'), 'QUEUED');
    assert.deepEqual(await client.exec(), [
      [null, 'OK'],
      [null, 2],
    ]);
    await client.multi({ pipeline: false });
    await client.set('step', 'discarded');
    await client.discard();
    assert.equal(await client.get('step'), '12');
  });
}

function scriptTests(connect: Connect): void {
  it('runs a defined command by its hash, also after the scripts were flushed', async (t) => {
    const client = connect(t);
    await client.del('sum');
    client.defineCommand('addTo', {
      numberOfKeys: 1,
      lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
    });
    const addTo = (amount: number): Promise<unknown> =>
      (client as unknown as { addTo(key: string, amount: number): Promise<unknown> }).addTo(
        'sum',
        amount,
      );
    assert.equal(await addTo(2), 2);
    assert.equal(await addTo(3), 5);
    await client.script('FLUSH');
    assert.equal(await addTo(5), 10);
    await assert.rejects(
      client.eval("return redis.error_reply('MINE own words')", 0),
      /MINE own words/,
    );
  });
}

function connectionTests(connect: Connect): void {
  it('selects, duplicates and quits', async (t) => {
    const client = connect(t, { db: 5, connectionName: 'named' });
    await client.set('where', 'five');
    assert.equal(await client.client('GETNAME'), 'named');
    const copy = client.duplicate();
    t.after(() => copy.disconnect());
    assert.equal(await copy.get('where'), 'five');
    await copy.select(6);
    await copy.del('where');
    assert.equal(await copy.get('where'), null);
    assert.equal(await client.get('where'), 'five');
    const ended = once(client, 'end');
    assert.equal(await client.quit(), 'OK');
    await ended;
  });

  it('authenticates as an ACL user and is refused with a wrong password', async (t) => {
    const admin = connect(t);
    await admin.acl('SETUSER', 'app', 'on', '>secret', '~app:*', '+@all');
    const app = connect(t, { username: 'app', password: 'secret' });
    assert.equal(await app.acl('WHOAMI'), 'app');
    assert.equal(await app.set('app:1', 'x'), 'OK');
    await assert.rejects(app.set('other', 'x'), /NOPERM/);
    assert.equal(await admin.set('other', 'x'), 'OK');
    const stranger = connect(t, { username: 'app', password: 'wrong' });
    const [error] = (await once(stranger, 'error')) as [Error];
    assert.match(String(error), /WRONGPASS/);
  });
}

function volumeTests(connect: Connect): void {
  it('answers 1,000 parallel promises on each of ten clients, every one with its own reply', async (t) => {
    const clients = Array.from({ length: 10 }, () => connect(t));
    await Promise.all(
      clients.map(async (client, c) => {
        const replies = await Promise.all(
          Array.from({ length: 1_000 }, (_, n) =>
            n % 2 === 0 ? client.echo(`${c}:${n}`) : client.set(`parallel:${c}`, n, 'GET'),
          ),
        );
        replies.forEach((reply, n) => {
          const before = n > 1 ? String(n - 2) : null;
          if (n !== 1) assert.equal(reply, n % 2 === 0 ? `${c}:${n}` : before);
        });
      }),
    );
  });

  it('pipelines by itself with enableAutoPipelining', async (t) => {
    const client = connect(t, { enableAutoPipelining: true });
    await client.del('auto');
    const values = await Promise.all(Array.from({ length: 1_000 }, () => client.incr('auto')));
    assert.deepEqual(
      values,
      Array.from({ length: 1_000 }, (_, n) => n + 1),
    );
  });
}

async function drain(stream: AsyncIterable<unknown>): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of stream) found.push(...(batch as string[]));
  return found.toSorted();
}
