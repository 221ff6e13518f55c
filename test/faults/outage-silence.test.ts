/**
 * FAULTS.md, rows of an upstream that is there but silent, slow or cut off: frozen, partitioned in one or both
 * directions, half-open, reset, sliced; DEBUG SLEEP and CLIENT PAUSE. A command that timed out may still run: these are
 * the rows where implementations double.
 *
 * A forwarder in Node makes the network's part (`helpers/chaos-forwarder.ts`); it stands for iptables, which not every
 * machine lets a test use.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../helpers/eventually.js';
import { machineNow } from '../helpers/machine-time.js';
import { connectMany } from '../helpers/many-clients.js';
import { connectRaw } from '../helpers/raw-client.js';
import { ANSWER_WITHIN_MS, TIMES, type OutageSidecar } from '../helpers/outage-sidecar.js';
import { OutageStage } from '../helpers/outage-stage.js';

/** R, after a partition has healed. */
const RECOVERS_WITHIN_MS = 3_000;

test('an upstream frozen for 0.2 to 1.5 s: L D O T, and the shortest is no outage', async (t) => {
  const stage = await OutageStage.start(t, waiting(1_000));
  const { redis, sidecar, load } = stage;
  for (const frozenMs of [200, 600, 1_500]) {
    await load.untilMore(300);
    const before = await transitions(sidecar);
    await redis.freeze();
    await pause(frozenMs);
    redis.thaw();
    await sidecar.untilDrained(RECOVERS_WITHIN_MS);
    if (frozenMs === 200) assert.equal(await transitions(sidecar), before);
  }
  await load.untilMore(200);
  await stage.assertClean();
});

test('a frozen upstream is known within the deadline plus 250 ms, and its clients are answered', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  await redis.freeze();
  const frozenAt = machineNow();
  await sidecar.until('the breaker is open', ({ breaker }) => breaker.state !== 'closed');
  const knownAfterMs = machineNow() - frozenAt;
  assert.ok(knownAfterMs <= TIMES.upstreamTimeoutMs + 250, `${knownAfterMs} ms`);
  await load.untilMore(500);
  redis.thaw();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await stage.assertClean();
});

test('an upstream frozen again and again, with scripts in flight too: L D O', async (t) => {
  const stage = await OutageStage.start(t, {
    load: {
      deeds: ['push', 'script', 'script', 'pair', 'stream'],
      answerWithinMs: Number.POSITIVE_INFINITY,
    },
  });
  const { redis, sidecar, load } = stage;
  for (let round = 0; round < 3; round += 1) {
    await load.untilMore(300);
    await redis.freeze();
    await pause(700);
    redis.thaw();
    await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  }
  await stage.assertClean();
});

for (const [what, ...directions] of [
  ['both ways', 'toServer', 'toClient'],
  ['of requests only', 'toServer'],
  ['of replies only', 'toClient'],
] as const) {
  for (const afterReset of ['deliver', 'forget'] as const) {
    test(`a partition ${what}, after which the network would ${afterReset} what it held: L D O T, R within 3 s`, async (t) => {
      const stage = await OutageStage.start(t);
      const { network, sidecar, load } = stage;
      network.afterReset = afterReset;
      await load.untilMore(300);
      network.hold(...directions);
      await sidecar.untilOutage();
      await load.untilMore(300);
      network.heal();
      await sidecar.untilDrained(RECOVERS_WITHIN_MS);
      await load.untilMore(200);
      await stage.assertClean();
    });
  }
}

test('one connection alone falls silent and is healed when its commands are long done elsewhere: D O', async (t) => {
  const stage = await OutageStage.start(t, {
    // Promise T is not made here.
    load: {
      deeds: ['push', 'push', 'set', 'stream'],
      answerWithinMs: Number.POSITIVE_INFINITY,
    },
  });
  const { network, sidecar, load } = stage;
  for (const direction of ['toServer', 'toClient'] as const) {
    await load.untilMore(300);
    let isFound = false;
    network.watch = (chunk, seen) => {
      const isFirst =
        !isFound && seen === direction && (seen === 'toClient' || chunk.includes('RPUSH'));
      isFound ||= isFirst;
      return isFirst ? 'hold' : 'pass';
    };
    await eventually('one is silent', () => isFound);
    // It is given up after its deadline; what follows takes another connection, or waits for the verdict.
    await load.untilMore(1_500);
    network.heal();
    await load.untilMore(300);
  }
  await sidecar.untilDrained();
  await stage.assertClean();
});

test('half-open connections of an idle sidecar are noticed before a client comes', async (t) => {
  const stage = await OutageStage.start(t);
  const { network, sidecar, load } = stage;
  await load.untilMore(200);
  await load.finish();
  network.hold();
  await sidecar.untilOutage(1_000 + 5 * TIMES.upstreamTimeoutMs);
  network.heal();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await stage.assertClean();
});

test('CLIENT KILL TYPE normal every 100 ms: L D O T, at most 10 connects a second per lane', async (t) => {
  // One database and one protocol: one lane.
  const stage = await OutageStage.start(t, {
    load: { deeds: ['push', 'set', 'stream'], isVaried: false },
  });
  const { network, redis, sidecar, load } = stage;
  await load.untilMore(300);
  const KILLS = 20;
  const connectedBefore = network.connectedAt.length;
  const startedAt = performance.now();
  for (let kill = 0; kill < KILLS; kill += 1) {
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal');
    await pause(100);
  }
  const connects = network.connectedAt.length - connectedBefore;
  const seconds = (performance.now() - startedAt) / 1_000;
  // One lane; the health check, the probe and a replay have connections of their own.
  assert.ok(connects / seconds <= 4 * 10, `${connects} connects in ${seconds} s`);
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await load.untilMore(200);
  await stage.assertClean();
});

test('resets of all connections with much in flight: L D O T', async (t) => {
  const stage = await OutageStage.start(t, {
    load: { sequential: 50, pipelined: 50, depth: 16, perSecond: 10_000 },
  });
  const { network, sidecar, load } = stage;
  for (let reset = 0; reset < 12; reset += 1) {
    await load.untilMore(300);
    network.hold('toClient');
    await eventually('much is in flight', () => load.inFlight >= 100, { everyMs: 1 });
    network.resetAll();
    network.heal();
  }
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  const { ambiguous, report } = await stage.assertClean();
  assert.ok(ambiguous > 0, report);
});

test('slow, jittering, one-byte replies: no false trip, nothing refused', async (t) => {
  const TIMEOUT_MS = 3_000;
  const { sidecarArgs, load: patience } = waiting(TIMEOUT_MS);
  const stage = await OutageStage.start(t, { sidecarArgs, load: { ...patience, perSecond: 400 } });
  const { network, sidecar, load } = stage;
  await load.untilMore(50);
  const before = await transitions(sidecar);
  for (const shape of [
    { sliceBytes: 1 },
    { delayMs: TIMEOUT_MS / 4, jitterMs: TIMEOUT_MS / 5 },
    { delayMs: 20, jitterMs: 50, sliceBytes: 3 },
  ]) {
    network.shape('toClient', shape);
    await load.untilMore(60);
    network.shape('toServer', shape);
    network.shape('toClient', {});
    await load.untilMore(60);
    network.shape('toServer', {});
  }
  assert.equal(await transitions(sidecar), before);
  const { refused, ambiguous, report } = await stage.assertClean();
  assert.equal(refused + ambiguous, 0, report);
});

test('DEBUG SLEEP beyond the timeout: L D O T, and the sleep runs once', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  const sleeper = await connectRaw(redis.port);
  t.after(() => sleeper.reset());
  sleeper.send('DEBUG', 'SLEEP', 1.2);
  await sidecar.untilOutage();
  await load.untilMore(300);
  assert.equal(String(await sleeper.readFrame()), '+OK\r\n');
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await stage.assertClean();
});

test('CLIENT PAUSE WRITE: reads go on, and writes are answered when it is over or before', async (t) => {
  const PAUSE_MS = 900;
  const stage = await OutageStage.start(t, {
    load: { answerWithinMs: PAUSE_MS + ANSWER_WITHIN_MS },
  });
  const { redis, sidecar, load } = stage;
  await load.untilMore(300);
  const reader = await connectRaw(sidecar.port);
  t.after(() => reader.reset());
  await redis.ask('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
  const pausedAt = performance.now();
  while (performance.now() - pausedAt < PAUSE_MS) {
    const askedAt = machineNow();
    assert.match(await reader.ask('GET', 'nothing'), /^\$-1\r\n$/);
    const tookMs = machineNow() - askedAt;
    assert.ok(tookMs < ANSWER_WITHIN_MS, `${tookMs} ms`);
  }
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await load.untilMore(200);
  await stage.assertClean();
});

test('a probe that never returns ends by its own deadline, and there is one at a time', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, network, load } = stage;
  await load.untilMore(200);
  await stage.outage(200);
  // It comes back frozen: connecting works, and nothing else.
  await redis.start();
  await redis.freeze();
  for (let probe = 0; probe < 2; probe += 1) {
    await sidecar.until('a probe is out', ({ breaker }) => breaker.state === 'half-open');
    await sidecar.until('it is open again', ({ breaker }) => breaker.state === 'open', 2_000);
  }
  const [connects, since] = [network.connectedAt.length, performance.now()];
  await pause(1_000);
  const seconds = (performance.now() - since) / 1_000;
  assert.ok(network.connectedAt.length - connects <= 4 * seconds, 'probes do not pile up');
  await load.untilMore(200);
  redis.thaw();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  await stage.assertClean();
});

test('1,000 idle clients keep their sockets over an outage', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  const idle = await connectMany(t, sidecar.port, 1_000);
  for (const client of idle.slice(0, 50)) assert.equal(await client.ask('PING'), '+PONG\r\n');
  await load.untilMore(200);
  await stage.outage(300);
  await redis.start();
  await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  assert.ok(idle.every(({ ending }) => ending === null));
  for (const client of idle.slice(0, 50)) assert.equal(await client.ask('GET', 'x'), '$-1\r\n');
  await stage.assertClean();
});

/**
 * A sidecar that waits longer than the others do, and clients that bear it: where no outage is to be seen, the machine may
 * keep a process waiting for as long.
 */
function waiting(timeoutMs: number) {
  const holdMs = (timeoutMs * TIMES.holdMs) / TIMES.upstreamTimeoutMs;
  return {
    sidecarArgs: ['--upstream-timeout', `${timeoutMs}ms`, '--hold', `${holdMs}ms`],
    load: { answerWithinMs: timeoutMs + holdMs + 250 },
  };
}

async function transitions(sidecar: OutageSidecar): Promise<number> {
  return (await sidecar.metrics()).get('breaker_transitions_total') ?? 0;
}
