/**
 * What stays in memory: with a thousand clients that do nothing, and after one and two million commands of others.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { put } from '../load.js';
import { startField, type PeerName, type Target, type TargetName } from '../peers.js';
import { residentBytesOf } from '../process-usage.js';
import { scaled, type Goal, type Scenario, type Settings } from '../scenario.js';
import { format, table } from '../table.js';
import { connectRaw, type RawClient } from '../../test/helpers/raw-client.js';

/** Resident bytes at the moments that the table shows. */
interface Footprint {
  readonly started: number;
  readonly idle: number;
  readonly afterOneMillion: number;
  readonly afterTwoMillion: number;
}

const TARGETS: readonly PeerName[] = ['direct', 'twemproxy', 'HAProxy', 'respool', 'other build'];
const IDLE_CLIENTS = 1_000;
const MILLION = 1_000_000;
const MEGABYTE = 1_000_000;
/** What was only borrowed is given back, or at least not taken anew. */
const SETTLE_MS = 1_000;

/** Resident memory. */
export const memory: Scenario = {
  name: 'memory',
  title: 'Memory: 1,000 idle clients, then two million commands',
  async run(settings) {
    const field = await startField(TARGETS, settings);
    try {
      const footprints = new Map<TargetName, Footprint>();
      for (const target of field.targets) {
        process.stderr.write(`  ${target.name}\n`);
        footprints.set(target.name, await observe(target, settings));
      }
      return {
        method:
          'Once, not in rounds. Every client has said PING. The commands are half SET, half GET (P=16, c=50, 64 bytes), ' +
          'while the idle clients stay.',
        table: table(
          ['RSS in MB', 'started', '1,000 idle clients', 'after 1,000,000', 'after 2,000,000'],
          [...footprints].map(([name, footprint]) => [name, ...cells(footprint)]),
        ),
        goals: goalsOf(footprints.get('respool')),
      };
    } finally {
      await field.stop();
    }
  },
};

async function observe(target: Target, settings: Settings): Promise<Footprint> {
  const resident = async (): Promise<number> => {
    await pause(scaled(settings, SETTLE_MS));
    return residentBytesOf(target.pid);
  };
  const started = await resident();
  const clients = await connectIdle(target.port, scaled(settings, IDLE_CLIENTS));
  const idle = await resident();
  await sendCommands(target.port, scaled(settings, MILLION, 2_000));
  const afterOneMillion = await resident();
  await sendCommands(target.port, scaled(settings, MILLION, 2_000));
  const afterTwoMillion = await resident();
  await Promise.all(clients.map((client) => client.close()));
  return { started, idle, afterOneMillion, afterTwoMillion };
}

/** In batches, so that no backlog of connections overflows. */
async function connectIdle(port: number, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  while (clients.length < count) {
    const size = Math.min(50, count - clients.length);
    const batch = Array.from({ length: size }, async () => {
      const client = await connectRaw(port);
      await client.command('PING');
      return client;
    });
    clients.push(...(await Promise.all(batch)));
  }
  return clients;
}

async function sendCommands(port: number, requests: number): Promise<void> {
  const load = { clients: 50, pipeline: 16, valueBytes: 64, keys: 10_000 };
  for (const command of ['set', 'get'] as const) {
    await put(port, { ...load, command, requests: requests / 2 });
  }
}

function cells(footprint: Footprint): string[] {
  const { started, idle, afterOneMillion, afterTwoMillion } = footprint;
  return [started, idle, afterOneMillion, afterTwoMillion].map((bytes) =>
    format(bytes / MEGABYTE, 1),
  );
}

function goalsOf(ours: Footprint | undefined): Goal[] {
  return [
    {
      what: 'memory: RSS with 1,000 idle clients',
      bound: 'at most',
      wanted: 120,
      measured: (ours?.idle ?? NaN) / MEGABYTE,
      unit: 'MB',
    },
    {
      what: 'memory: RSS after the second million over that after the first',
      bound: 'at most',
      wanted: 1.05,
      measured: (ours?.afterTwoMillion ?? NaN) / (ours?.afterOneMillion ?? NaN),
    },
  ];
}
