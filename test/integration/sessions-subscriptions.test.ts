/** A subscription outlives the upstream connection that carried it: the client keeps its socket and misses nothing later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const SUBSCRIPTIONS = ['SUBSCRIBE one two', 'PSUBSCRIBE pat*', 'SSUBSCRIBE shard'];
const CONFIRMATIONS = 4;

for (const protocol of [2, 3]) {
  test(`subscriptions in RESP${protocol} are made again when the upstream kills their connection`, async (t) => {
    const redis = await startRedis(t);
    const sidecar = await startSidecar(t, { upstream: redis.url });
    const view = await RedisView.of(t, redis.port);
    const subscriber = await subscribed(t, sidecar.port, protocol);
    await receivesEverything(view, subscriber, protocol);
    for (let round = 0; round < 3; round += 1) {
      assert.equal(await view.ask('CLIENT', 'KILL', 'TYPE', 'pubsub'), ':1\r\n');
      await subscriptionsAreBack(view);
      await receivesEverything(view, subscriber, protocol);
    }
    assert.equal(subscriber.ending, null);
  });

  test(`subscriptions in RESP${protocol} are made again after the upstream was restarted`, async (t) => {
    const redis = await startRedis(t);
    const sidecar = await startSidecar(t, { upstream: redis.url });
    const subscriber = await subscribed(t, sidecar.port, protocol);
    await redis.stop('SIGKILL');
    const again = await startRedis(t, { port: redis.port });
    const view = await RedisView.of(t, again.port);
    await subscriptionsAreBack(view);
    await receivesEverything(view, subscriber, protocol);
    assert.equal(subscriber.ending, null);
  });
}

test('what was unsubscribed does not come back, and the last one sets the client free', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const view = await RedisView.of(t, redis.port);
  const subscriber = await subscribed(t, sidecar.port, 2);
  subscriber.write('UNSUBSCRIBE two\r\nPUNSUBSCRIBE\r\nSUNSUBSCRIBE shard\r\n');
  await subscriber.readFrames(3);
  await view.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await eventually('"one" is subscribed again', async () => {
    return (await view.ask('PUBSUB', 'NUMSUB', 'one', 'two')).includes('one\r\n:1');
  });
  assert.equal(await view.ask('PUBSUB', 'NUMSUB', 'two'), '*2\r\n$3\r\ntwo\r\n:0\r\n');
  assert.equal(await view.ask('PUBSUB', 'NUMPAT'), ':0\r\n');
  assert.match(await subscriber.ask('GET', 'key'), /^-ERR Can't execute 'get'/);
  assert.equal(
    await subscriber.ask('UNSUBSCRIBE'),
    '*3\r\n$11\r\nunsubscribe\r\n$3\r\none\r\n:0\r\n',
  );
  assert.equal(await subscriber.ask('GET', 'key'), '$-1\r\n');
  assert.equal(await view.ask('PUBSUB', 'CHANNELS'), '*0\r\n');
});

test('a subscriber in RESP3 goes on with ordinary commands, and is told of them in order', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const answers: string[] = [];
  for (const port of [redis.port, sidecar.port]) {
    const client = await connectRaw(port);
    client.write('HELLO 3\r\n');
    await client.readFrame();
    client.write(
      'SUBSCRIBE own\r\nSET k v\r\nPUBLISH own hello\r\nGET k\r\nUNSUBSCRIBE\r\nPING\r\n',
    );
    answers.push(String(Buffer.concat(await client.readFrames(7))));
    await client.close();
  }
  assert.equal(answers[1], answers[0]);
});

async function subscribed(t: Cleanup, port: number, protocol: number): Promise<RawClient> {
  const client = await connectRaw(port);
  t?.after(() => client.reset());
  if (protocol === 3) assert.match(await client.ask('HELLO', 3), /^%7/);
  client.write(SUBSCRIPTIONS.map((line) => `${line}\r\n`).join(''));
  await client.readFrames(CONFIRMATIONS);
  return client;
}

async function subscriptionsAreBack(view: RedisView): Promise<void> {
  await eventually('all subscriptions are made again', async () => {
    const channels = await view.ask('PUBSUB', 'NUMSUB', 'one', 'two');
    const shards = await view.ask('PUBSUB', 'SHARDNUMSUB', 'shard');
    const patterns = await view.ask('PUBSUB', 'NUMPAT');
    return /:1\r\n.*:1\r\n/s.test(channels) && shards.includes(':1') && patterns === ':1\r\n';
  });
}

/** The next bytes that the client gets are these messages: no confirmation, no error, nothing twice. */
async function receivesEverything(
  view: RedisView,
  subscriber: RawClient,
  protocol: number,
): Promise<void> {
  for (const channel of ['one', 'two', 'pattern']) {
    assert.equal(await view.ask('PUBLISH', channel, `to ${channel}`), ':1\r\n');
  }
  assert.equal(await view.ask('SPUBLISH', 'shard', 'to shard'), ':1\r\n');
  const mark = protocol === 3 ? '>' : '*';
  const frames = (await subscriber.readFrames(4)).map((frame) => frame.toString('latin1'));
  assert.deepEqual(frames, [
    `${mark}3\r\n$7\r\nmessage\r\n$3\r\none\r\n$6\r\nto one\r\n`,
    `${mark}3\r\n$7\r\nmessage\r\n$3\r\ntwo\r\n$6\r\nto two\r\n`,
    `${mark}4\r\n$8\r\npmessage\r\n$4\r\npat*\r\n$7\r\npattern\r\n$10\r\nto pattern\r\n`,
    `${mark}3\r\n$8\r\nsmessage\r\n$5\r\nshard\r\n$8\r\nto shard\r\n`,
  ]);
  await subscriber.expectSilence(10);
}
