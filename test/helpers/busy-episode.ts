/**
 * A script that keeps a redis-server busy: from when the server refuses everybody else with -BUSY until it has ended, by
 * itself, by SCRIPT KILL or with the server. The server has `BUSY_ARGS`.
 */
import { busyScript } from './busy-script.js';
import type { Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import type { OutageRedis } from './outage-redis.js';
import { connectRaw } from './raw-client.js';

/** Redis' own default is 5,000 ms. */
export const BUSY_ARGS = ['--busy-reply-threshold', '100'];

/** Ends only when it is killed. */
export const ENDLESS = 'while true do end';
/** The same, and it cannot be killed any more. */
export const ENDLESS_WRITER = "redis.call('SET', KEYS[1], 1) while true do end";

const UNTIL_CALM_MS = 60_000;

export interface EpisodeOptions {
  readonly port?: number;
  /** The script's. */
  readonly keys?: readonly string[];
  readonly atFirst?: () => void;
}

/** Scripts that last about so many milliseconds each; to be measured while the server has nothing else to do. */
export async function timedScripts(
  redis: OutageRedis,
  milliseconds: readonly number[],
): Promise<string[]> {
  const client = await connectRaw(redis.port);
  const scripts: string[] = [];
  for (const length of milliseconds) scripts.push(await busyScript(client, length));
  client.reset();
  return scripts;
}

export class BusyEpisode {
  private constructor(
    /** The script's reply or error, when it has ended; rejects when its connection was lost. */
    readonly ended: Promise<string>,
  ) {}

  /**
   * Runs `script` on a connection of its own to `port` (the server's, or a sidecar's before it); resolves when the server
   * says that it is busy. `atFirst` is called when it runs and nobody has been told yet.
   */
  static async begin(
    t: Cleanup,
    redis: OutageRedis,
    script: string,
    { port = redis.port, keys = [], atFirst }: EpisodeOptions = {},
  ): Promise<BusyEpisode> {
    const client = await connectRaw(port);
    t?.after(() => client.reset());
    client.send('EVAL', script, keys.length, ...keys);
    const ended = client.readFrame(UNTIL_CALM_MS).then((frame) => frame.toString('latin1'));
    // Who waits for it hears of it; nobody need wait.
    ended.catch(() => undefined);
    atFirst?.();
    await eventually('the server is busy', async () =>
      (await redis.ask('GET', 'busy')).startsWith('-BUSY'),
    );
    return new BusyEpisode(ended);
  }
}
