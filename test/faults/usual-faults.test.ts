/**
 * The faults of the usual implementations (issue 3), each as a test of that name. `outage-ledger.test.ts` shows the same
 * faults on a forwarder that has them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { TIMES } from '../helpers/outage-sidecar.js';
import { OutageStage } from '../helpers/outage-stage.js';

test('usual fault: a replay that fails half way loses the rest', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--replay-rate', '3000'] });
  const { redis, sidecar, load } = stage;
  await stage.outage(2_000);
  await load.finish();
  for (let round = 0; round < 2; round += 1) {
    await redis.start();
    await sidecar.untilReplayIsUnderWay();
    await redis.kill();
    await sidecar.untilOutage();
  }
  await redis.start();
  await stage.assertClean();
});

test('usual fault: new writes overtake replayed ones', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--replay-rate', '5000'] });
  const { redis, sidecar, load } = stage;
  await stage.outage(1_500);
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('RPUSH', 'order', 'first'), ':1\r\n');
  await redis.start();
  await sidecar.until('it replays', ({ condition }) => condition === 'replaying');
  assert.match(await client.ask('RPUSH', 'order', 'second'), /^:\d+\r\n$/);
  await client.ask('SET', 'order:done', '1');
  const seen = await client.ask('LRANGE', 'order', 0, -1);
  assert.match(seen, /second/, 'a client reads its own writes, replayed or not');
  await load.untilMore(500);
  await stage.assertClean();
  assert.equal(await redis.ask('LRANGE', 'order', 0, -1), bulks('first', 'second'));
});

test('usual fault: a write is queued and its error raised, so that the retry doubles it', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('SET', 'taken', '1'), '+OK\r\n');
  await stage.outage(200);
  const refused = [
    ['INCR', 'counter'],
    ['SETNX', 'lock', 'mine'],
    ['SET', 'lock', 'mine', 'NX', 'EX', '30'],
    ['LPOP', 'L:0'],
    ['GETSET', 'swapped', '1'],
    ['RENAME', 'taken', 'renamed'],
    ['EVAL', "return redis.call('SET', 'scripted', 1)", '0'],
    ['FLUSHALL'],
    ['NOSUCHCOMMAND', 'x'],
  ];
  for (const command of refused) {
    assert.match(await client.ask(...command), /^-UNAVAILABLE [^\r\n]+\r\n$/, command.join(' '));
  }
  await redis.start();
  await sidecar.untilDrained();
  await load.untilMore(100);
  await stage.assertClean();
  const names = ['counter', 'lock', 'swapped', 'renamed', 'scripted'];
  assert.equal(await redis.ask('EXISTS', ...names), ':0\r\n');
  assert.equal(await redis.ask('EXISTS', 'taken'), ':1\r\n');
});

test('usual fault: every write is answered OK whatever its type', async (t) => {
  const stage = await OutageStage.start(t);
  await stage.outage(100);
  const client = await connectRaw(stage.sidecar.port);
  await answersAsRedis(client);
  await stage.redis.start();
  await stage.sidecar.untilDrained();
  await stage.assertClean();
  // What was answered in the outage is what is there afterwards.
  assert.equal(await stage.redis.ask('ZRANGE', 'z', 0, -1), bulks('a', 'b'));
  assert.equal(await stage.redis.ask('HGETALL', 'h'), bulks('f', '2', 'g', '1'));
});

/** The answers that Redis would have given to somebody who begins with nothing. */
async function answersAsRedis(client: RawClient): Promise<void> {
  const conversation: readonly (readonly [string, string])[] = [
    ['SET s v', '+OK\r\n'],
    ['APPEND s w', ':2\r\n'],
    ['HSET h f 1 g 1', ':2\r\n'],
    ['HSET h f 2', ':0\r\n'],
    ['SADD t a b a', ':2\r\n'],
    ['RPUSH l a b c', ':3\r\n'],
    ['LTRIM l 0 1', '+OK\r\n'],
    ['ZADD z 1 a 2 b', ':2\r\n'],
    ['DEL t nothing', ':1\r\n'],
    ['EXPIRE s 100', ':1\r\n'],
    ['PERSIST s', ':1\r\n'],
    ['SETEX e 100 v', '+OK\r\n'],
    ['XADD x 1-1 f v', '$3\r\n1-1\r\n'],
    ['LRANGE l 0 -1', bulks('a', 'b')],
    ['GET s', '$2\r\nvw\r\n'],
    ['LPUSH s x', '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'],
    ['RPUSH l', "-ERR wrong number of arguments for 'rpush' command\r\n"],
  ];
  for (const [command, answer] of conversation) {
    assert.equal(await client.ask(...command.split(' ')), answer, command);
  }
}

test('usual fault: the buffer has no bound', async (t) => {
  const stage = await OutageStage.start(t, {
    sidecarArgs: ['--journal-max-bytes', '1mb'],
    load: { perSecond: 8_000 },
  });
  const { redis, sidecar, ledger, load } = stage;
  await load.untilMore(100);
  await stage.outage(200);
  const isFull = (): boolean => [...ledger.refusals.keys()].some((text) => /full/.test(text));
  await eventually('the journal is full', isFull, { withinMs: 30_000 });
  const { journal } = await sidecar.status();
  assert.ok(journal.bytes <= 1024 * 1024, `${journal.bytes} bytes`);
  await redis.start();
  await sidecar.untilDrained();
  await load.untilMore(200);
  const { refused, report } = await stage.assertClean();
  assert.ok(refused > 0, report);
});

test('usual fault: a restart forgets it', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await stage.outage(500);
  await sidecar.kill();
  await redis.start();
  await sidecar.start();
  await sidecar.untilDrained();
  await load.untilMore(100);
  await stage.assertClean();
});

test('usual fault: one poisoned command stops replay for ever', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  assert.equal(await redis.ask('MSET', 'poison', 'a string', 'poison2', 'a string'), '+OK\r\n');
  await stage.outage(200);
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('RPUSH', 'poison', 'x'), ':1\r\n');
  await load.untilMore(200);
  client.write('MULTI\r\nSET before 1\r\nSADD poison2 x\r\nSET behind 1\r\nEXEC\r\n');
  const replies = String(Buffer.concat(await client.readFrames(5)));
  assert.equal(replies, '+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n+OK\r\n');
  await load.untilMore(200);
  await redis.start();
  await sidecar.untilDrained();
  await load.untilMore(100);
  await stage.assertClean();
  assert.equal((await sidecar.status()).journal.deadLetters, 2);
  assert.equal(await redis.ask('MGET', 'poison', 'before', 'behind'), bulks('a string', '1', '1'));
  assert.match(await client.ask('RESPOOL', 'DEADLETTERS'), /WRONGTYPE/);
});

test('usual fault: half-open lets everybody through', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, network, load } = stage;
  await stage.outage(200);
  const strangers: string[] = [];
  network.watch = (chunk, direction) => {
    const text = String(chunk);
    if (direction === 'toServer' && /RPUSH|SADD|HSET|XADD|\$3\r\nGET\r\n\$\d+\r\nS:/.test(text)) {
      strangers.push(text.slice(0, 200));
    }
    return 'pass';
  };
  await redis.start();
  await redis.freeze();
  const [connects, since] = [network.connectedAt.length, performance.now()];
  await sidecar.until('it is half-open', ({ breaker }) => breaker.state === 'half-open');
  await load.untilMore(300);
  await sidecar.until('it is open again', ({ breaker }) => breaker.state === 'open');
  assert.deepEqual(strangers, []);
  const probes = 3 + (performance.now() - since) / TIMES.recoveryMs;
  assert.ok(network.connectedAt.length - connects <= probes, 'one probe at a time');
  network.watch = null;
  redis.thaw();
  await sidecar.untilDrained();
  await stage.assertClean();
});

function bulks(...values: string[]): string {
  return `*${values.length}\r\n${values.map((v) => `$${v.length}\r\n${v}\r\n`).join('')}`;
}
