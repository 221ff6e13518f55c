/**
 * FAULTS.md, the row of an upstream that answers, but not what it was asked for: MISCONF, NOREPLICAS, MASTERDOWN,
 * READONLY, OOM, NOAUTH, NOPERM, too many clients. Each state lasts for a while under load and is then undone. What
 * must hold: T, E (an error means that nothing was run and nothing will be), R, and no spinning.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../helpers/eventually.js';
import type { Deed } from '../helpers/ledger-client.js';
import { freePort } from '../helpers/ports.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { OutageStage, PROMPT } from '../helpers/outage-stage.js';

const LASTS_MS = 600;
const RECOVERS_WITHIN_MS = 3_000;

interface Refusal {
  readonly name: string;
  /** The upstream no longer serves. */
  readonly begin: (view: RawClient) => Promise<unknown>;
  readonly end: (view: RawClient) => Promise<unknown>;
  /** Whether the upstream counts as away then, so that writes are buffered. */
  readonly isOutage: boolean;
  /** What clients do, where not everything. */
  readonly deeds?: readonly Deed[];
}

const set = (name: string, value: string) => async (view: RawClient) =>
  assert.equal(await view.ask('CONFIG', 'SET', name, value), '+OK\r\n');

const REFUSALS: readonly Refusal[] = [
  { name: 'MISCONF', begin: failBackgroundSave, end: saveAgain, isOutage: true },
  {
    name: 'NOREPLICAS',
    begin: set('min-replicas-to-write', '1'),
    end: set('min-replicas-to-write', '0'),
    isOutage: false,
  },
  {
    name: 'MASTERDOWN',
    begin: async (view) => {
      await set('replica-serve-stale-data', 'no')(view);
      await view.ask('REPLICAOF', '127.0.0.1', await freePort());
    },
    end: (view) => view.ask('REPLICAOF', 'NO', 'ONE'),
    isOutage: true,
  },
  {
    name: 'READONLY',
    begin: async (view) => view.ask('REPLICAOF', '127.0.0.1', await freePort()),
    end: (view) => view.ask('REPLICAOF', 'NO', 'ONE'),
    isOutage: true,
  },
  { name: 'OOM', begin: set('maxmemory', '1'), end: set('maxmemory', '0'), isOutage: false },
  {
    name: 'NOAUTH for new connections',
    begin: async (view) => {
      await set('requirepass', 'changed')(view);
      await view.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
    end: set('requirepass', ''),
    isOutage: false,
    // MULTI is refused too; who pipelines behind it has its halves run alone when that is over, as with Redis itself.
    deeds: ['push', 'stream', 'set', 'read'],
  },
  {
    name: 'NOPERM',
    begin: (view) => view.ask('ACL', 'SETUSER', 'default', '-rpush', '-xadd'),
    end: (view) => view.ask('ACL', 'SETUSER', 'default', '+@all'),
    isOutage: false,
  },
  {
    name: 'too many clients',
    begin: async (view) => {
      await set('maxclients', '1')(view);
      await view.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
    end: set('maxclients', '10000'),
    isOutage: true,
  },
];

for (const { name, begin, end, isOutage, deeds = PROMPT } of REFUSALS) {
  test(`${name}: T E R, no spinning`, async (t) => {
    const stage = await OutageStage.start(t, { load: { deeds } });
    const { redis, sidecar, load } = stage;
    const view = await connectRaw(redis.port);
    t.after(() => view.reset());
    await load.untilMore(300);
    await begin(view);
    const before = await effort(view);
    const startedAt = performance.now();
    if (isOutage) await sidecar.untilOutage();
    const known = await effort(view);
    await pause(LASTS_MS);
    if (isOutage) await load.untilMore(200);
    const after = await effort(view);
    await end(view);
    const seconds = Math.max(1, (performance.now() - startedAt) / 1_000);
    const made = after.connections - before.connections;
    assert.ok(made <= 40 * seconds, `${made} connects in ${seconds} s`);
    if (isOutage) {
      // Only probes and health checks: what clients send is buffered, and not tried in vain.
      const tried = after.commands - known.commands;
      t.diagnostic(`${made} connects, ${tried} commands in ${seconds} s`);
      assert.ok(tried <= 300 * seconds, `${tried} commands in ${seconds} s`);
    }
    await sidecar.untilDrained(RECOVERS_WITHIN_MS);
    await load.untilMore(300);
    await stage.assertClean();
  });
}

test('no right to kill connections: the fence is missing, so nothing ambiguous is repeated (D O)', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, network, load } = stage;
  assert.equal(await redis.ask('ACL', 'SETUSER', 'default', '-client|kill'), '+OK\r\n');
  for (const direction of ['toServer', 'toClient'] as const) {
    await load.untilMore(300);
    network.hold(direction);
    await sidecar.untilOutage();
    await load.untilMore(300);
    network.heal();
    await sidecar.untilDrained(RECOVERS_WITHIN_MS);
  }
  await load.untilMore(200);
  await stage.assertClean();
});

/** Connections and commands that the upstream has seen. */
async function effort(view: RawClient): Promise<{ connections: number; commands: number }> {
  const text = await view.ask('INFO', 'stats');
  // An upstream without a master answers nothing else than that; then there is nothing to count.
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    connections: field('total_connections_received'),
    commands: field('total_commands_processed'),
  };
}

/** A directory stands where the file should go, so the save fails, and Redis takes no writes any more. */
async function failBackgroundSave(view: RawClient): Promise<void> {
  mkdirSync(await dumpPath(view));
  await set('save', '3600 1')(view);
  await view.ask('BGSAVE');
  await untilSaveStatus(view, 'err');
}

async function saveAgain(view: RawClient): Promise<void> {
  rmdirSync(await dumpPath(view));
  await view.ask('BGSAVE');
  await untilSaveStatus(view, 'ok');
}

async function untilSaveStatus(view: RawClient, status: 'ok' | 'err'): Promise<void> {
  await eventually(`a background save ends with ${status}`, async () =>
    (await view.ask('INFO', 'persistence')).includes(`rdb_last_bgsave_status:${status}`),
  );
}

async function dumpPath(view: RawClient): Promise<string> {
  const [, , , , directory = ''] = (await view.ask('CONFIG', 'GET', 'dir')).split('\r\n');
  return join(directory, 'dump.rdb');
}
