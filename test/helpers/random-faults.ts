/**
 * The faults that the randomised run mixes: each begins, lasts for a moment of chance, and is undone, so that any other
 * may follow. Killing takes place with as much in flight as there can be: often the upstream falls silent first, and
 * what clients send meanwhile is on its way when the process dies.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { chooseFrom, type Random } from '../conformance/random.js';
import type { ChaosForwarder } from './chaos-forwarder.js';
import type { OutageRedis } from './outage-redis.js';
import type { OutageSidecar } from './outage-sidecar.js';
import { connectRaw } from './raw-client.js';
import { untilReplayBatch } from './replay-batch.js';

/** What faults happen to. */
export interface Victims {
  readonly redis: OutageRedis;
  readonly network: ChaosForwarder;
  readonly sidecar: OutageSidecar;
  readonly random: Random;
  /** Called at the moment of each fault: what is in flight now has an uncertain fate. */
  readonly onStrike: () => void;
}

/** Makes the fault and undoes it. */
export type RandomFault = (victims: Victims) => Promise<void>;

const LONGEST_BATCH_WAIT_MS = 1_500;

/** By name; the more often in `FAULT_MIX`, the more often chosen. */
export const RANDOM_FAULTS: Readonly<Record<string, RandomFault>> = {
  upstreamKilled: async (victims) => {
    await fallSilent(victims);
    victims.onStrike();
    await victims.redis.kill();
    victims.network.heal();
    await moment(victims, 50, 600);
    await victims.redis.start();
  },
  sidecarKilled: async (victims) => {
    await fallSilent(victims);
    victims.onStrike();
    await victims.sidecar.kill();
    // What the dead one left on its way arrives before its successor is there, or after.
    const isLate = victims.random() < 0.5;
    if (!isLate) recover(victims);
    await victims.sidecar.start();
    if (isLate) await moment(victims, 0, 200);
    recover(victims);
  },
  bothKilled: async (victims) => {
    const { redis, sidecar, random } = victims;
    await fallSilent(victims);
    victims.onStrike();
    const order = random() < 0.5 ? [redis, sidecar] : [sidecar, redis];
    await order[0]?.kill();
    await moment(victims, 0, 500);
    await order[1]?.kill();
    victims.network.heal();
    if (random() < 0.5) order.reverse();
    await order[0]?.start();
    await moment(victims, 0, 200);
    await order[1]?.start();
  },
  silent: async (victims) => {
    await fallSilent(victims, 50, 1_200);
    victims.onStrike();
    recover(victims);
  },
  reset: async (victims) => {
    victims.onStrike();
    if (victims.random() < 0.5) await victims.network.refuse();
    victims.network.resetAll();
    await moment(victims, 0, 400);
    await victims.network.accept();
  },
  connectionsKilled: async ({ redis, onStrike }) => {
    onStrike();
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal');
  },
  busy: async ({ redis, random, onStrike }) => {
    const client = await connectRaw(redis.port);
    onStrike();
    await client.ask('DEBUG', 'SLEEP', (0.1 + random() * 0.8).toFixed(2));
    client.reset();
  },
  replayInterrupted: async (victims) => {
    const { redis, network, sidecar, random } = victims;
    await redis.kill();
    await moment(victims, 150, 500);
    const batch = untilReplayBatch(network, random() < 0.5 ? 'toServer' : 'toClient');
    await redis.start();
    await Promise.race([batch, pause(LONGEST_BATCH_WAIT_MS)]);
    network.watch = null;
    victims.onStrike();
    const victim = chooseFrom(random, [sidecar, redis, null]);
    await victim?.kill();
    const isLate = random() < 0.5;
    if (!isLate) recover(victims);
    await victim?.start();
    if (isLate) await moment(victims, 0, 700);
    recover(victims);
  },
};

/** More than half of them kill. */
export const FAULT_MIX: readonly string[] = [
  ...['upstreamKilled', 'upstreamKilled', 'upstreamKilled', 'sidecarKilled', 'sidecarKilled'],
  ...['bothKilled', 'replayInterrupted', 'replayInterrupted', 'replayInterrupted'],
  ...['silent', 'silent', 'reset', 'connectionsKilled', 'busy'],
];

/** The upstream, or the way to it, or the way back, falls silent (or nothing does); resolves after a while. */
async function fallSilent(victims: Victims, fromMs = 100, toMs = 450): Promise<void> {
  const { network, redis, random } = victims;
  network.afterReset = random() < 0.5 ? 'deliver' : 'forget';
  const ways = ['frozen', 'both', 'toServer', 'toClient', 'not at all'] as const;
  const way = chooseFrom(random, ways);
  switch (way) {
    case 'frozen':
      await redis.freeze();
      break;
    case 'both':
      network.hold();
      break;
    case 'toServer':
    case 'toClient':
      network.hold(way);
      break;
    case 'not at all':
      break;
    default:
      way satisfies never;
  }
  await moment(victims, fromMs, toMs);
}

/** Everything travels and runs again. */
function recover({ network, redis }: Victims): void {
  network.watch = null;
  network.heal();
  redis.thaw();
}

function moment({ random }: Victims, fromMs: number, toMs: number): Promise<void> {
  return pause(fromMs + random() * (toMs - fromMs));
}
