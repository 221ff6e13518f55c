/**
 * Twenty clients that read and write while scripts keep Redis busy: those of the ledger (one command after the other and
 * pipelined, in RESP2 and RESP3, with transactions in pieces and whole) and ioredis with its scripts.
 * `faults/busy.test.ts` has short episodes, `npm run test:faults -- busy` long ones.
 */
import assert from 'node:assert/strict';
import { BUSY_ARGS, BusyEpisode, timedScripts } from './busy-episode.js';
import type { Cleanup } from './child-process.js';
import { assertClean, checkLedger } from './ledger-check.js';
import { MIXED } from './ledger-client.js';
import { LedgerLoad } from './ledger-load.js';
import { Ledger } from './ledger.js';
import { OutageRedis } from './outage-redis.js';
import { OutageSidecar, PATIENT } from './outage-sidecar.js';
import { IOREDIS_WAYS } from './script-client-ioredis.js';
import { ScriptLoad } from './script-load.js';

/** With the four of ioredis there are twenty. */
const OF_THE_LEDGER = { sequential: 8, pipelined: 8, depth: 8, perSecond: 2_000 } as const;
/** Writes acknowledged before, between and after episodes. */
const IN_CALM = 200;

/** Redis as busy tests need it; `t` ends it. */
export function startBusyRedis(t: Cleanup): Promise<OutageRedis> {
  return OutageRedis.start(t, 'none', BUSY_ARGS);
}

/** Puts the load on `port` while `meanwhile` lasts; resolves when everything is answered. */
export async function underBusyLoad(
  t: Cleanup,
  port: number,
  meanwhile: (load: LedgerLoad, scripts: ScriptLoad) => Promise<void>,
): Promise<{ ledger: Ledger; scripts: ScriptLoad }> {
  const scripts = await ScriptLoad.connect(t, port, IOREDIS_WAYS);
  const ledger = new Ledger();
  const load = new LedgerLoad(ledger, {
    ...OF_THE_LEDGER,
    ...{ port, deeds: MIXED, isVaried: true },
  });
  t?.after(() => load.close());
  await scripts.run(0, () => meanwhile(load, scripts));
  await load.finish();
  return { ledger, scripts };
}

/** What everybody is promised: no error of any kind, each write there once, each client's in its order. */
export async function assertUnnoticed(
  { ledger, scripts }: { ledger: Ledger; scripts: ScriptLoad },
  redis: OutageRedis,
): Promise<void> {
  assert.deepEqual([...ledger.errors], []);
  assert.equal(ledger.counts.dropped, 0, 'a client lost its socket');
  assertClean(await checkLedger(ledger, redis.port));
  scripts.assertRight();
  await scripts.assertLogs(redis);
}

/**
 * Episodes of so many seconds, one after the other, by a script that is sent past the sidecar or through it. Nobody
 * notices; rejects if anybody did. Resolves with a line for people.
 */
export async function busyRun(
  t: Cleanup,
  seconds: readonly number[],
  sent: 'directly' | 'through the sidecar',
): Promise<string> {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const port = sent === 'directly' ? redis.port : sidecar.port;
  const timed = await timedScripts(
    redis,
    seconds.map((length) => length * 1_000),
  );
  const lasted = { atLeastMs: 0, atMostMs: 0 };
  const outcome = await underBusyLoad(t, sidecar.port, async (load) => {
    await load.untilMore(IN_CALM);
    for (const script of timed) {
      const sentAt = performance.now();
      const { ended } = await BusyEpisode.begin(t, redis, script, { port });
      const knownAt = performance.now();
      assert.equal(await ended, ':1\r\n');
      lasted.atLeastMs += performance.now() - knownAt;
      await load.untilMore(IN_CALM);
      lasted.atMostMs += performance.now() - sentAt;
    }
  });
  await assertUnnoticed(outcome, redis);
  await assertToldOf(sidecar, seconds.length, lasted);
  const { ledger, scripts } = outcome;
  return `${sent}: ${ledger.counts.ok} writes, ${scripts.scripts} scripts, busy for ${Math.round(lasted.atLeastMs)} ms`;
}

/** The episodes are in the log, one line each, and in the metrics; the breaker has not moved. */
async function assertToldOf(
  sidecar: OutageSidecar,
  count: number,
  { atLeastMs, atMostMs }: { readonly atLeastMs: number; readonly atMostMs: number },
): Promise<void> {
  const lines = sidecar.output().match(/the upstream was busy with a script/g) ?? [];
  assert.equal(lines.length, count, sidecar.output().slice(-4_000));
  const metrics = await sidecar.metrics();
  assert.equal(metrics.get('busy_wait_seconds_count'), count);
  const seconds = metrics.get('busy_wait_seconds_sum') ?? 0;
  const isTrue = seconds > atLeastMs / 2_000 && seconds < atMostMs / 1_000;
  assert.ok(isTrue, `${seconds} s of ${atLeastMs} to ${atMostMs} ms`);
  assert.ok((metrics.get('busy_waits_total') ?? 0) > 0);
  assert.equal(metrics.get('breaker_transitions_total') ?? 0, 0);
}
