/**
 * FAULTS.md, rows of an upstream that goes away and comes back: killed with each kind of persistence, again during the
 * replay, empty, loading for a while, flapping, failed over. Network faults are made by a forwarder in Node (see
 * `helpers/chaos-forwarder.ts`), not by iptables.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../helpers/eventually.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { OutageSidecar, PATIENT } from '../helpers/outage-sidecar.js';
import { OutageStage } from '../helpers/outage-stage.js';
import { connectRaw } from '../helpers/raw-client.js';

/** R: healthy again so soon after the upstream listens. */
const RECOVERS_WITHIN_MS = 2_000;

for (const durability of ['always', 'everysec', 'none'] as const) {
  test(`an upstream killed and restarted, appendfsync ${durability}: L D O T E, R within 2 s`, async (t) => {
    const stage = await OutageStage.start(t, { durability });
    const { redis, sidecar, ledger, load } = stage;
    for (let round = 0; round < 2; round += 1) {
      await load.untilMore(500);
      await redis.kill();
      // What Redis itself has not kept is its own loss; what is acknowledged from here on is in the journal.
      if (durability !== 'always') ledger.excuseLosses();
      await sidecar.untilOutage();
      await load.untilMore(800);
      await redis.start();
      await sidecar.untilDrained(RECOVERS_WITHIN_MS);
    }
    await load.untilMore(200);
    await stage.assertClean();
  });
}

test('two outages in a row, the second during the replay: L D O T', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--replay-rate', '4000'] });
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  await stage.outage(1_500);
  for (let round = 0; round < 2; round += 1) {
    await redis.start();
    await sidecar.untilReplayIsUnderWay();
    await stage.outage(300);
  }
  await redis.start();
  await stage.assertClean();
});

test('an upstream without persistence, killed during the replay: it is replayed from the start', async (t) => {
  const stage = await OutageStage.start(t, {
    durability: 'none',
    sidecarArgs: ['--replay-rate', '3000'],
  });
  const { redis, sidecar, ledger, load } = stage;
  await load.untilMore(300);
  await redis.kill();
  ledger.excuseLosses();
  await sidecar.untilOutage();
  await load.untilMore(3_000);
  await load.finish();
  await redis.start();
  await sidecar.untilReplayIsUnderWay();
  await redis.kill();
  await sidecar.untilOutage();
  await redis.start();
  await stage.assertClean();
});

test('an upstream that is back empty: what was acknowledged in the outage is there', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, network, ledger, load } = stage;
  await load.untilMore(500);
  await network.refuse();
  network.resetAll();
  await sidecar.untilOutage();
  ledger.excuseLosses();
  await load.untilMore(800);
  assert.equal(await redis.ask('FLUSHALL'), '+OK\r\n');
  await network.accept();
  await sidecar.untilDrained();
  await load.untilMore(200);
  await stage.assertClean();
});

test('an upstream that loads its data for a while (LOADING): held or buffered, then all of it is there', async (t) => {
  const slowly = ['--key-load-delay', '400', '--loading-process-events-interval-bytes', '1024'];
  const stage = await OutageStage.start(t, { redisArgs: slowly });
  const { redis, sidecar, load } = stage;
  await load.untilMore(2_000);
  await redis.kill();
  redis.begin();
  await eventually('it is loading', async () => (await redis.ask('PING')).startsWith('-LOADING'));
  await load.untilMore(1_000);
  await eventually('it has loaded', async () => (await redis.ask('PING')) === '+PONG\r\n', {
    withinMs: 30_000,
  });
  await sidecar.untilDrained(3_000);
  await stage.assertClean();
});

test('a flapping upstream, away and back every 300 ms: few transitions, R within 5 s', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  const ROUNDS = 5;
  for (let round = 0; round < ROUNDS; round += 1) {
    await redis.kill();
    await pause(300);
    await redis.start();
    await pause(300);
  }
  await sidecar.untilDrained(5_000);
  const transitions = (await sidecar.metrics()).get('breaker_transitions_total') ?? 0;
  // Each flap is at most: open, a few failed probes (half-open, open), half-open, closed.
  assert.ok(transitions <= ROUNDS * 8, `${transitions} transitions over ${ROUNDS} flaps`);
  await load.untilMore(200);
  await stage.assertClean();
});

test('a failover to a replica: R within 5 s, and only what the replica lacked is missing', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis: primary, sidecar, network, ledger, load } = stage;
  const replica = await OutageRedis.start(t);
  await follow(replica, primary);
  await load.untilMore(500);
  const replicated = ledger.counts.ok;
  await catchUp(replica, primary);
  await load.untilMore(200);
  await primary.kill();
  ledger.excuseLosses();
  const mayLack = ledger.counts.ok + load.inFlight - replicated;
  await load.untilMore(500);
  assert.equal(await replica.ask('REPLICAOF', 'NO', 'ONE'), '+OK\r\n');
  network.moveTo(replica.port);
  await sidecar.untilDrained(5_000);
  stage.redis = replica;
  await load.untilMore(300);
  const { excused, report } = await stage.assertClean();
  assert.ok(excused <= mayLack, report);
});

test('a primary that becomes a replica (READONLY) before its address moves: L D O T', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis: primary, sidecar, network, load } = stage;
  const replica = await OutageRedis.start(t);
  await follow(replica, primary);
  await load.untilMore(500);
  // As an orderly failover does it: no more writes, the replica has everything, the roles change.
  await primary.ask('CLIENT', 'PAUSE', 10_000, 'WRITE');
  await catchUp(replica, primary);
  await replica.ask('REPLICAOF', 'NO', 'ONE');
  await primary.ask('REPLICAOF', '127.0.0.1', replica.port);
  await primary.ask('CLIENT', 'UNPAUSE');
  await pause(200);
  network.moveTo(replica.port);
  stage.redis = replica;
  await sidecar.untilDrained(5_000);
  await load.untilMore(300);
  await stage.assertClean();
});

test('a client makes its primary a replica, and takes that back: it gets what Redis says, and there is no outage', async (t) => {
  const redis = await OutageRedis.start(t, 'none');
  const primary = await OutageRedis.start(t, 'none');
  assert.equal(await primary.ask('SET', 'from', 'the primary'), '+OK\r\n');
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const client = await connectRaw(sidecar.port);
  t.after(() => client.reset());
  assert.equal(await client.ask('SET', 'mine', 1), '+OK\r\n');
  assert.equal(await client.ask('REPLICAOF', '127.0.0.1', primary.port), '+OK\r\n');
  // The probe looks once a second: long enough for one that would find something wrong.
  const until = performance.now() + 1_500;
  const writes = Array.from({ length: 20 }, (_, n) => ['SET', `key${n}`, n] as const);
  do {
    for (const words of writes) client.send(...words);
    for (const reply of await client.readFrames(writes.length))
      assert.match(reply.toString(), /^-(READONLY You can't write|LOADING) /);
  } while (performance.now() < until);
  await eventually(
    'the replica has what its primary has',
    async () => (await client.ask('GET', 'from')) === '$11\r\nthe primary\r\n',
  );
  assert.equal(await client.ask('REPLICAOF', 'NO', 'ONE'), '+OK\r\n');
  assert.equal(await client.ask('SET', 'mine', 2), '+OK\r\n');
  const { condition, breaker, journal } = await sidecar.status();
  assert.deepEqual([condition, breaker.state, journal.records], ['healthy', 'closed', 0]);
  const metrics = await sidecar.metrics();
  assert.equal(metrics.get('breaker_transitions_total') ?? 0, 0);
  assert.equal(metrics.get('upstream_failures_total') ?? 0, 0);
});

async function follow(replica: OutageRedis, primary: OutageRedis): Promise<void> {
  assert.equal(await replica.ask('REPLICAOF', '127.0.0.1', primary.port), '+OK\r\n');
  await eventually(
    'the replica follows',
    async () => (await replica.ask('INFO', 'replication')).includes('master_link_status:up'),
    { withinMs: 20_000 },
  );
}

/** Resolves when the replica has what the primary has now. */
async function catchUp(replica: OutageRedis, primary: OutageRedis): Promise<void> {
  const wanted = await replicationOffset(primary);
  await eventually(
    'the replica catches up',
    async () => (await replicationOffset(replica)) >= wanted,
    { withinMs: 20_000 },
  );
}

async function replicationOffset(redis: OutageRedis): Promise<number> {
  return Number(/master_repl_offset:(\d+)/.exec(await redis.ask('INFO', 'replication'))?.[1]);
}
