/**
 * A real Prometheus scrapes a real sidecar through all that can happen to it: the alerts of deploy/prometheus fire when
 * they should and resolve afterwards, and every query of the dashboard finds data. One long test, since each event is
 * also what the next query needs; test/helpers/prometheus says how the night is made short.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { run } from '../helpers/child-process.js';
import { dashboardQueries, filledIn } from '../helpers/dashboard.js';
import { eventually } from '../helpers/eventually.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { OutageSidecar } from '../helpers/outage-sidecar.js';
import { mainFile, readProjectFile } from '../helpers/project.js';
import { Prometheus, shorten } from '../helpers/prometheus.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';

/** A night of an hour takes eighteen seconds. */
const FACTOR = 200;
const MAX_CLIENTS = 20;
/** What waits for so short a time that no scrape need see it, and the pops of which none need outlast the silence. */
const MAY_BE_ZERO =
  /held_commands|waiting_commands|in_flight_commands|pending_bytes|blocked_resent_total/;
/** It writes, so that it is no read that could be answered by anybody. */
const SCRIPT = "return redis.call('INCR', 'scripted')";
const BUSY_SCRIPT = `local i = 0 repeat i = i + 1 until i > tonumber(ARGV[1]) return i`;

test('alerts fire in real events and resolve after them, and every query of the dashboard finds data', async (t) => {
  const redis = await OutageRedis.start(t, 'always', ['--busy-reply-threshold', '100']);
  const args = ['--journal-max-bytes', '2mb', '--max-clients', String(MAX_CLIENTS)];
  const sidecar = await OutageSidecar.start(t, redis.port, { args });
  const prometheus = await Prometheus.start(t, sidecar.adminPort, FACTOR);
  const client = traffic(t, sidecar.port);
  if (client.status !== 'ready') await once(client, 'ready');
  // Prometheus looks for targets every five seconds, whatever its configuration says.
  const isScraping = async (): Promise<boolean> => (await prometheus.history('up')).length > 0;
  await eventually('Prometheus has data', isScraping, { withinMs: 20_000, everyMs: 100 });
  await prometheus.quiet();

  await runScripts(client, redis);
  await turnClientsAway(sidecar, prometheus);
  await keepBusy(sidecar, redis, prometheus);
  await fallSilent(sidecar, redis, prometheus);
  await goAway(sidecar, redis, prometheus);
  await comeBack(sidecar, redis, prometheus);
  await settleDeadLetters(sidecar);

  await prometheus.quiet();
  assertAllFired(prometheus);
  await assertDashboardFindsData(prometheus);
});

/** An application that writes, reads and waits, whatever it is told, until the test ends. */
function traffic(t: TestContext, port: number): Redis {
  const client = new Redis({ port, retryStrategy: () => 50, enableOfflineQueue: false });
  client.on('error', () => undefined);
  const ignore = (): void => undefined;
  const value = 'x'.repeat(2_000);
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    client.set(`page:${round % 500}`, value).catch(ignore);
    client.get(`page:${round % 500}`).catch(ignore);
    client.incr('visits').catch(ignore);
    client.multi().set('pair:a', round).set('pair:b', round).exec().catch(ignore);
  }, 10);
  const waiter = client.duplicate();
  waiter.on('error', ignore);
  const waiting = setInterval(() => {
    waiter.blpop('never', 3).catch(ignore);
  }, 500);
  t.after(() => {
    clearInterval(timer);
    clearInterval(waiting);
    client.disconnect();
    waiter.disconnect();
  });
  return client;
}

/** Scripts are rewritten in transactions, and healed after somebody has flushed them. */
async function runScripts(client: Redis, redis: OutageRedis): Promise<void> {
  const sha = String(await client.script('LOAD', SCRIPT));
  for (let round = 0; round < 3; round += 1) {
    await redis.ask('SCRIPT', 'FLUSH');
    await client.evalsha(sha, 0);
    await redis.ask('SCRIPT', 'FLUSH');
    await client.multi().evalsha(sha, 0).exec();
  }
}

async function turnClientsAway(sidecar: OutageSidecar, prometheus: Prometheus): Promise<void> {
  const crowd: RawClient[] = [];
  for (let count = 0; count < MAX_CLIENTS; count += 1) crowd.push(await connectRaw(sidecar.port));
  await prometheus.firing('RespoolClientsRefused');
  for (const client of crowd) client.reset();
}

/** A script that takes its time, until Prometheus has noticed. */
async function keepBusy(
  sidecar: OutageSidecar,
  redis: OutageRedis,
  prometheus: Prometheus,
): Promise<void> {
  const culprit = await connectRaw(redis.port);
  culprit.send('EVAL', BUSY_SCRIPT, 0, 1e12);
  await prometheus.firing('RespoolUpstreamBusy');
  await redis.ask('SCRIPT', 'KILL');
  culprit.reset();
  await sidecar.untilDrained();
}

async function fallSilent(
  sidecar: OutageSidecar,
  redis: OutageRedis,
  prometheus: Prometheus,
): Promise<void> {
  await redis.freeze();
  await sidecar.untilOutage();
  await Promise.all([
    prometheus.firing('RespoolUpstreamTimeouts'),
    prometheus.firing('RespoolUnknownOutcomes'),
  ]);
  redis.thaw();
  await sidecar.untilDrained();
}

/** Redis dies; the journal fills up; the sidecar dies as well and begins again with what it had. */
async function goAway(
  sidecar: OutageSidecar,
  redis: OutageRedis,
  prometheus: Prometheus,
): Promise<void> {
  await redis.ask('SET', 'not-a-list', 'but a string');
  await redis.kill();
  await sidecar.untilOutage();
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('RPUSH', 'not-a-list', 'element'), ':1\r\n');
  client.reset();
  await Promise.all([
    prometheus.firing('RespoolOutage'),
    prometheus.firing('RespoolJournalFillingUp').then(({ annotations }) => {
      assert.match(annotations.summary ?? '', /is full in \d/);
    }),
    prometheus.firing('RespoolJournalRefusesWrites'),
    prometheus.firing('RespoolOldestRecord'),
  ]);
  await sidecar.kill();
  await prometheus.firing('RespoolDown');
  await sidecar.start();
  await prometheus.firing('RespoolRestartedWithRecords');
}

/** Redis is back, but somebody has told the sidecar not to replay. */
async function comeBack(
  sidecar: OutageSidecar,
  redis: OutageRedis,
  prometheus: Prometheus,
): Promise<void> {
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('RESPOOL', 'JOURNAL', 'PAUSE'), '+OK\r\n');
  await redis.start();
  await prometheus.firing('RespoolReplayStuck');
  assert.equal(await client.ask('RESPOOL', 'JOURNAL', 'RESUME'), '+OK\r\n');
  client.reset();
  await sidecar.untilDrained();
  await prometheus.firing('RespoolDeadLetters');
}

async function settleDeadLetters(sidecar: OutageSidecar): Promise<void> {
  assert.equal(await sidecar.stop(), 0);
  const args = [mainFile(), 'journal', 'drop', 'all', '--dir', sidecar.journalDirectory];
  const dropped = await run(process.execPath, args);
  assert.equal(dropped.code, 0, dropped.stderr);
  await sidecar.start();
}

/** All of them, but for the one that would need a crash in a loop: promtool has tested that. */
function assertAllFired({ fired }: Prometheus): void {
  const names = [...readProjectFile('deploy/prometheus/alerts.yml').matchAll(/- alert: (\w+)/g)];
  const expected = names.map(([, name]) => name).filter((name) => name !== 'RespoolRestarts');
  assert.deepEqual([...fired].sort(), expected.sort());
}

async function assertDashboardFindsData(prometheus: Prometheus): Promise<void> {
  const interval = shorten('5m', FACTOR);
  const without: string[] = [];
  for (const { panel, expression } of dashboardQueries()) {
    const series = await prometheus.history(filledIn(expression, interval));
    const values = series.flatMap((one) => one.values).filter((value) => !Number.isNaN(value));
    if (values.length === 0) without.push(`${panel}: no data: ${expression}`);
    else if (values.every((value) => value === 0) && !MAY_BE_ZERO.test(expression))
      without.push(`${panel}: always zero: ${expression}`);
  }
  assert.deepEqual(without, []);
}
