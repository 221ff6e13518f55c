/**
 * The checker is proved before it is believed: against a naive retrying forwarder it must find every kind of fault
 * that it can find, and with nothing wrong it must find none.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ChaosForwarder } from '../helpers/chaos-forwarder.js';
import { eventually } from '../helpers/eventually.js';
import { assertClean, checkLedger, type Verdict } from '../helpers/ledger-check.js';
import type { Deed } from '../helpers/ledger-client.js';
import { LedgerLoad } from '../helpers/ledger-load.js';
import { Ledger } from '../helpers/ledger.js';
import { machineNow } from '../helpers/machine-time.js';
import { NaiveForwarder, type NaiveHabits } from '../helpers/naive-forwarder.js';
import { OutageRedis } from '../helpers/outage-redis.js';

/** It notices that its upstream has gone, and would wait long for one that is only slow, as all are on a busy machine. */
const HABITS: NaiveHabits = { whenAway: 'queue', timeoutMs: 20_000 };
/** It gives up soon what is silent. */
const HASTY: NaiveHabits = { ...HABITS, timeoutMs: 100 };
/** What the naive forwarder can do at all when nothing is wrong: it has no idea of scripts' replies or transactions. */
const SIMPLE: readonly Deed[] = ['push', 'stream', 'set', 'field', 'member', 'read'];

test('with nothing wrong the ledger finds nothing, behind a naive forwarder and without one', async (t) => {
  for (const isDirect of [true, false]) {
    // On a machine that stalls, its usual impatience would be something wrong.
    const habits = { ...HABITS, timeoutMs: 30_000 };
    const how = { habits, isDirect, deeds: undefined };
    const { redis, naive, ledger, load, verdict } = await stage(t, how);
    await load.untilAcknowledged(3_000);
    const found = await verdict();
    assertClean(found);
    assert.equal(found.ambiguous + found.refused, 0, found.report);
    assert.ok(ledger.counts.ok >= 3_000);
    await naive?.close();
    await redis.kill();
  }
});

test('a frozen upstream: the retry doubles what ran after all', async (t) => {
  const { redis, naive, load, verdict } = await stage(t, { habits: HASTY });
  await load.untilAcknowledged(500);
  await redis.freeze();
  await eventually('it gave up', () => naive?.isAway);
  redis.thaw();
  await load.untilMore(500);
  const { faults, report } = await verdict();
  assert.ok(faults.doubled > 0, report);
});

for (const direction of ['toServer', 'toClient'] as const) {
  test(`a partition (${direction} lost for a while): the retry doubles what ran after all`, async (t) => {
    const { chaos, naive, load, verdict } = await stage(t, { habits: HASTY });
    await load.untilAcknowledged(500);
    chaos.hold(direction);
    await eventually('it gave up', () => naive?.isAway);
    chaos.heal();
    await load.untilMore(500);
    const { faults, report } = await verdict();
    assert.ok(faults.doubled > 0, report);
  });
}

test('an upstream killed during the replay: the rest of the queue is lost', async (t) => {
  const { redis, naive, load, verdict } = await stage(t);
  await load.untilAcknowledged(500);
  await redis.kill();
  await load.untilMore(3_000);
  await redis.start();
  // The queue has been taken; it is sent one by one, and that takes longer than we take to kill.
  await eventually('it replays', () => naive?.isAway === false, { everyMs: 1 });
  await redis.kill();
  await redis.start();
  const { faults, report } = await verdict();
  assert.ok(faults.lost > 0, report);
});

test('a forwarder that is killed: what it had acknowledged is lost', async (t) => {
  const { redis, naive, load, verdict } = await stage(t);
  await load.untilAcknowledged(500);
  await redis.kill();
  await load.untilMore(500);
  assert.ok(naive);
  const { port } = naive;
  await naive.close();
  await redis.start();
  await NaiveForwarder.start(t, redis.port, HABITS, port);
  await load.untilMore(500);
  const { faults, report } = await verdict();
  assert.ok(faults.lost > 0, report);
});

test('new writes and reads beside the replay: they overtake', async (t) => {
  const { redis, load, verdict } = await stage(t);
  await load.untilAcknowledged(500);
  await redis.kill();
  await load.untilMore(2_000);
  await redis.start();
  await load.untilMore(1_000);
  const { faults, report } = await verdict();
  assert.ok(faults.reordered > 0, report);
  assert.ok(faults.stale > 0, report);
});

test('queued and refused: a write is there although its client was told otherwise', async (t) => {
  const { redis, naive, load, verdict } = await stage(t, {
    habits: { ...HABITS, whenAway: 'queue and raise' },
  });
  await load.untilAcknowledged(500);
  await redis.kill();
  await eventually('some are queued', () => (naive?.queue.length ?? 0) > 500);
  await redis.start();
  await load.untilMore(500);
  const { faults, report } = await verdict();
  assert.ok(faults.phantom > 0, report);
});

test('OK whatever the command: the type of the answer is wrong', async (t) => {
  const { redis, load, verdict } = await stage(t);
  await load.untilAcknowledged(500);
  await redis.kill();
  await load.untilMore(500);
  await redis.start();
  const { faults, report } = await verdict();
  assert.ok(faults.wrongType > 0, report);
});

test('a transaction whose connection is lost in the middle: half of it runs', async (t) => {
  const { redis, load, verdict } = await stage(t, { deeds: ['pair'] });
  for (let round = 0; round < 20; round += 1) {
    await load.untilMore(100);
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal');
  }
  const { faults, report } = await verdict();
  assert.ok(faults.split > 0, report);
});

test('answers that come too late or never are found', async (t) => {
  const { redis, ledger, load } = await stage(t, { isDirect: true });
  await load.untilAcknowledged(500);
  await redis.freeze();
  await load.untilStill();
  await load.finish(600);
  redis.thaw();
  const hung = await checkLedger(ledger, redis.port);
  assert.ok(hung.faults.hung > 0, hung.report);
  const late = new LedgerLoad(new Ledger(), { ...PACE, port: redis.port });
  await late.untilAcknowledged(500);
  await redis.freeze();
  const frozenAt = machineNow();
  await eventually('the deadline has passed', () => machineNow() > frozenAt + 700);
  redis.thaw();
  await late.finish();
  assert.ok(late.ledger.sightings.late > 0, JSON.stringify(late.ledger.notes));
});

const PACE = { sequential: 20, pipelined: 10, depth: 8, perSecond: 5_000, answerWithinMs: 500 };

/** Clients → naive forwarder → bad network → Redis. */
async function stage(
  t: TestContext,
  {
    habits = HABITS,
    isDirect = false,
    deeds = SIMPLE,
  }: { habits?: NaiveHabits; isDirect?: boolean; deeds?: readonly Deed[] | undefined } = {},
) {
  const redis = await OutageRedis.start(t);
  const chaos = await ChaosForwarder.start(t, redis.port);
  const naive = isDirect ? null : await NaiveForwarder.start(t, chaos.port, habits);
  const ledger = new Ledger();
  const load = new LedgerLoad(ledger, {
    ...PACE,
    port: naive?.port ?? redis.port,
    ...(deeds === undefined ? {} : { deeds }),
  });
  t.after(() => load.close());
  const verdict = async (): Promise<Verdict> => {
    await load.finish();
    await eventually('it has come to rest', () => naive === null || !naive.isAway);
    await calm(redis);
    return checkLedger(ledger, redis.port);
  };
  return { redis, chaos, naive, ledger, load, verdict };
}

/** Nothing is written any more: neither by the replay nor from a connection that was given up. */
async function calm(redis: OutageRedis): Promise<void> {
  let before = '';
  await eventually(
    'no more writes',
    async () => {
      const now = /aof_current_size:.*/.exec(await redis.ask('INFO', 'persistence'))?.[0];
      const isCalm = now === before;
      before = now ?? '';
      return isCalm;
    },
    { everyMs: 100 },
  );
}
