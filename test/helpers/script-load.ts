/** Client libraries that run rounds of scripts at the same time, and the last question to all of them. */
import assert from 'node:assert/strict';
import type { Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import type { OutageRedis } from './outage-redis.js';
import { IOREDIS_WAYS } from './script-client-ioredis.js';
import { NODE_REDIS_WAYS } from './script-client-node-redis.js';
import { REDIS_PY_WAYS } from './script-client-redis-py.js';
import type { ScriptClient, Way } from './script-client.js';
import { SCRIPTS_PER_ROUND } from './script-round.js';

/** Every library in every way. */
export const WAYS: readonly Way[] = [...IOREDIS_WAYS, ...NODE_REDIS_WAYS, ...REDIS_PY_WAYS];

/** All clients of a run. */
export class ScriptLoad {
  private constructor(readonly clients: readonly ScriptClient[]) {}

  /** Connects them and lets each run its scripts in calm, so that it believes them to be loaded. */
  static async connect(t: Cleanup, port: number, ways: readonly Way[] = WAYS): Promise<ScriptLoad> {
    return new ScriptLoad(await Promise.all(ways.map((way) => way.connect(t, port))));
  }

  /** Scripts answered as they must be, of all clients. */
  get scripts(): number {
    return this.clients.reduce((sum, { record }) => sum + record.scripts, 0);
  }

  /** Until each has run its share of `scripts` in all; `meanwhile` may do harm. */
  async run(
    scripts: number,
    meanwhile: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const share = scripts / this.clients.length;
    let isOver = false;
    const runs = this.clients.map((client) =>
      client.run(() => isOver && client.record.scripts >= share),
    );
    await Promise.all([...runs, meanwhile().finally(() => (isOver = true))]);
  }

  /** Resolves when every client has run `rounds` more than now. */
  async untilEachMore(rounds: number): Promise<void> {
    const goals = this.clients.map(({ record }) => record.scripts + rounds * SCRIPTS_PER_ROUND);
    const areReached = (): boolean =>
      this.clients.every(({ record }, index) => record.scripts >= (goals[index] ?? 0));
    await eventually('every client goes on', areReached, { withinMs: 30_000 }).catch(
      (error: unknown) => {
        throw new Error(this.describe(), { cause: error });
      },
    );
  }

  /** Nobody has seen NOSCRIPT, nor a reply that is not the right one; without `mayFail` no error either. */
  assertRight(...[mayFail]: 'mayFail'[]): void {
    for (const { record } of this.clients) {
      const { noScript, wrong, failed } = record.counts;
      const bad = noScript + wrong + (mayFail === undefined ? failed : 0);
      assert.equal(bad, 0, this.describe());
    }
  }

  /** What each client wrote is there, once and in its order. */
  async assertLogs(redis: OutageRedis, from: readonly number[] = []): Promise<void> {
    for (const [index, { record }] of this.clients.entries()) {
      await record.assertLogs(redis.port, from[index]);
    }
  }

  describe(): string {
    return this.clients.map(({ record }) => record.describe()).join('\n');
  }
}
