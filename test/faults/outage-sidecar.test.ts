/**
 * FAULTS.md, rows of a sidecar that is killed: in every phase of the breaker and of the replay, together with the
 * upstream, with another one on its journal or on its Redis, and replaced under busy clients.
 *
 * A client whose own socket is lost knows nothing of what was in flight (`dropped`); everything else is as promised.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../conformance/random.js';
import { ManagedProcess } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { assertClean, checkLedger } from '../helpers/ledger-check.js';
import { LedgerLoad } from '../helpers/ledger-load.js';
import { freePorts } from '../helpers/ports.js';
import { mainFile } from '../helpers/project.js';
import { untilReplayBatch } from '../helpers/replay-batch.js';
import { OutageSidecar } from '../helpers/outage-sidecar.js';
import { OutageStage } from '../helpers/outage-stage.js';

/** R: drained so soon after it has been started again. */
const RECOVERS_WITHIN_MS = 3_000;

/** A replay of stream entries watches their keys too, which would hide a missing watch on the cursor. */
const WITHOUT_STREAMS = ['push', 'push', 'set', 'pair', 'read'] as const;

/** Kills the sidecar now, starts it again, and expects everything to be in order. */
async function killedNow(stage: OutageStage, prepareReturn?: () => Promise<void>): Promise<void> {
  await stage.sidecar.kill();
  await prepareReturn?.();
  await stage.sidecar.start();
}

test('a sidecar killed while the breaker is closed: L D O', async (t) => {
  const stage = await OutageStage.start(t);
  for (let round = 0; round < 4; round += 1) {
    await stage.load.untilMore(300);
    await killedNow(stage);
  }
  await stage.load.untilMore(300);
  await stage.assertClean();
});

test('a sidecar killed while the breaker is open: it starts with its journal, serves, and loses nothing', async (t) => {
  const stage = await OutageStage.start(t);
  const { sidecar, redis, load } = stage;
  await load.untilMore(300);
  await stage.outage(400);
  for (let round = 0; round < 3; round += 1) {
    await killedNow(stage);
    const { journal } = await sidecar.status();
    assert.ok(journal.records > 0, JSON.stringify(journal));
    await load.untilMore(200);
  }
  await redis.start();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await stage.assertClean();
});

test('a sidecar killed while the breaker is half-open: L D O', async (t) => {
  const stage = await OutageStage.start(t);
  const { sidecar, redis, load } = stage;
  for (let round = 0; round < 2; round += 1) {
    await load.untilMore(300);
    await redis.freeze();
    await sidecar.until('the probe is out', ({ breaker }) => breaker.state === 'half-open');
    await killedNow(stage);
    await load.untilMore(100);
    redis.thaw();
    await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  }
  await stage.assertClean();
});

test('a sidecar killed during the replay: the next one goes on at the cursor', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--replay-rate', '4000'] });
  const { sidecar, redis, load } = stage;
  await load.untilMore(200);
  await stage.outage(2_500);
  await redis.start();
  for (let round = 0; round < 3; round += 1) {
    await sidecar.untilReplayIsUnderWay();
    await killedNow(stage);
  }
  await stage.assertClean();
});

for (const [what, direction] of [
  ['the batch ran, the answer did not come', 'toClient'],
  ['the batch is on its way, and arrives after its successor has replayed it', 'toServer'],
] as const) {
  test(`a sidecar killed between EXEC sent and answered (${what}): D`, async (t) => {
    const stage = await OutageStage.start(t, { load: { deeds: WITHOUT_STREAMS } });
    const { sidecar, redis, network, load } = stage;
    await load.untilMore(200);
    await stage.outage(500);
    const batch = untilReplayBatch(network, direction);
    await redis.start();
    await batch;
    await killedNow(stage);
    await sidecar.untilDrained(RECOVERS_WITHIN_MS);
    await load.untilMore(100);
    network.heal();
    await load.untilMore(200);
    await stage.assertClean();
  });

  test(`a replay whose connection falls silent between EXEC sent and answered (${what}): D`, async (t) => {
    const stage = await OutageStage.start(t, { load: { deeds: WITHOUT_STREAMS } });
    const { sidecar, redis, network, load } = stage;
    await load.untilMore(200);
    await stage.outage(500);
    const batch = untilReplayBatch(network, direction);
    await redis.start();
    await batch;
    await sidecar.untilDrained(5_000);
    await load.untilMore(100);
    network.heal();
    await load.untilMore(200);
    await stage.assertClean();
  });
}

test('sidecar and upstream killed with a gap of 0 to 500 ms: L D O', async (t) => {
  const stage = await OutageStage.start(t);
  const { sidecar, redis, load } = stage;
  const random = seededRandom(42);
  for (let round = 0; round < 4; round += 1) {
    await load.untilMore(200);
    const [first, second] = round % 2 === 0 ? [sidecar, redis] : [redis, sidecar];
    await first.kill();
    await pause(random() * 500);
    await second.kill();
    const [sooner, later] = random() < 0.5 ? [sidecar, redis] : [redis, sidecar];
    await sooner.start();
    await pause(random() * 300);
    await later.start();
  }
  await load.untilMore(300);
  await stage.assertClean();
});

test('a second sidecar on the same journal refuses, even while the first one is frozen: D', async (t) => {
  const stage = await OutageStage.start(t, { load: { answerWithinMs: Number.POSITIVE_INFINITY } });
  const { sidecar, redis, network, load } = stage;
  await load.untilMore(200);
  await stage.outage(300);
  await sidecar.freeze();
  const second = await startsOn(t, sidecar.journalDirectory, network.port);
  assert.notEqual(await second.exited(), 0);
  assert.match(second.output(), /journal|lock/i);
  await redis.start();
  sidecar.thaw();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await load.untilMore(200);
  await stage.assertClean();
});

async function startsOn(
  t: TestContext,
  journalDirectory: string,
  upstream: number,
): Promise<ManagedProcess> {
  const [port, admin] = await freePorts(2);
  const args = [mainFile(), '--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`];
  args.push('--upstream', `redis://127.0.0.1:${upstream}`, '--journal-dir', journalDirectory);
  const second = new ManagedProcess({ file: process.execPath, args, cwd: journalDirectory });
  t.after(() => second.killNow());
  return second;
}

test('two sidecars on one Redis: each replays its own, and nothing is lost or doubled', async (t) => {
  const stage = await OutageStage.start(t, {
    load: { sequential: 15, pipelined: 5, perSecond: 1_500 },
  });
  const { sidecar, redis, network } = stage;
  const other = await OutageSidecar.start(t, network.port);
  const load = stage.loadOn(other.port);
  await load.untilMore(300);
  for (let round = 0; round < 2; round += 1) {
    await stage.outage(200);
    await other.untilOutage();
    await load.untilMore(400);
    await redis.start();
    await Promise.all([sidecar.untilDrained(), other.untilDrained()]);
  }
  await load.finish();
  await other.untilDrained();
  await stage.assertClean();
});

test('a rolling restart under 200 busy clients, in calm and in an outage: L D O', async (t) => {
  const stage = await OutageStage.start(t, {
    // Promise T is not made here: a sidecar that has just been started is met by all of them at once.
    load: {
      ...{ sequential: 150, pipelined: 50, depth: 4, perSecond: 4_000 },
      answerWithinMs: Number.POSITIVE_INFINITY,
    },
    sidecarArgs: ['--drain', '2s'],
  });
  const { sidecar, redis, load } = stage;
  await load.untilMore(500);
  for (const isAway of [false, true]) {
    if (isAway) await stage.outage(300);
    assert.equal(await sidecar.stop(), 0, sidecar.output().slice(-2_000));
    await sidecar.start();
    await load.untilMore(300);
  }
  await redis.start();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await stage.assertClean();
});

test('a successor at another address takes the journal of a dead sidecar, and nobody else gets it: L D O', async (t) => {
  const stage = await OutageStage.start(t);
  const { sidecar, redis, network, ledger, load } = stage;
  await load.untilMore(200);
  await stage.outage(300);
  await load.finish();
  await sidecar.kill();
  // Its successor has another address, as in a rolling deployment.
  const successor = await OutageSidecar.start(t, network.port, {
    journalDirectory: sidecar.journalDirectory,
  });
  const again = await startsOn(t, sidecar.journalDirectory, network.port);
  assert.notEqual(await again.exited(), 0);
  const next = new LedgerLoad(ledger, {
    sequential: 10,
    pipelined: 5,
    perSecond: 2_000,
    port: successor.port,
  });
  t.after(() => next.close());
  await eventually('it serves', () => next.ledger.counts.open > 0);
  await next.untilMore(100);
  await redis.start();
  await successor.untilDrained();
  await next.finish();
  await successor.untilDrained();
  assertClean(await checkLedger(ledger, redis.port));
});
