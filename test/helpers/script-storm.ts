/**
 * Somebody who empties the upstream's script cache all the time, past the sidecar, and the clients that run scripts
 * meanwhile: `faults/script-storm.test.ts`, and for longer `npm run test:faults -- scripts` (`scripts/faults.mjs`).
 *
 *   redis-benchmark ── SCRIPT FLUSH, thousands per second ──────────┐
 *   ioredis, node-redis, redis-py ── rounds ──► sidecar ──────────► Redis
 */
import assert from 'node:assert/strict';
import { ManagedProcess, type Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import { OutageRedis } from './outage-redis.js';
import { OutageSidecar, PATIENT } from './outage-sidecar.js';
import { ScriptLoad } from './script-load.js';

/** More than a run can last. */
const ENDLESS = 2_000_000_000;

/** SCRIPT FLUSH in a tight loop, by a process of its own. */
export class FlushStorm {
  #process: ManagedProcess | null = null;

  constructor(
    t: Cleanup,
    private readonly redis: OutageRedis,
  ) {
    t?.after(() => this.end());
  }

  /** Resolves when it rages. */
  async begin(): Promise<void> {
    const args = ['-p', String(this.redis.port), '-c', '1', '-n', String(ENDLESS), '--csv'];
    const file = 'redis-benchmark';
    args.push('SCRIPT', 'FLUSH');
    this.#process = new ManagedProcess({ file, args, cwd: process.cwd() });
    await eventually('the storm rages', async () => (await this.flushes()) > 0);
  }

  /** How many the upstream has obeyed since its start. */
  async flushes(): Promise<number> {
    const info = await this.redis.ask('INFO', 'commandstats');
    return Number(/cmdstat_script\|flush:calls=(\d+)/.exec(info)?.[1] ?? 0);
  }

  async end(): Promise<void> {
    await this.#process?.stop('SIGKILL');
  }
}

/** All clients in the storm, and nothing else goes wrong. Resolves with a line for people; rejects if anybody noticed it. */
export async function stormRun(t: Cleanup, scripts: number): Promise<string> {
  const redis = await OutageRedis.start(t, 'none');
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const storm = new FlushStorm(t, redis);
  const load = await ScriptLoad.connect(t, sidecar.port);
  await storm.begin();
  const startedAt = performance.now();
  await load.run(scripts);
  const seconds = (performance.now() - startedAt) / 1_000;
  const flushes = await storm.flushes();
  await storm.end();
  load.assertRight();
  await load.assertLogs(redis);
  assert.ok(flushes > scripts / 10, `only ${flushes} flushes`);
  const metrics = await sidecar.metrics();
  const [rewrites = 0, heals = 0] = ['script_rewrites_total', 'script_heals_total'].map((name) =>
    metrics.get(name),
  );
  assert.ok(rewrites > 0 && heals > 0, `${rewrites} rewritten, ${heals} healed`);
  return (
    `${load.scripts} scripts and ${flushes} flushes in ${seconds.toFixed(1)} s, ` +
    `${rewrites} rewritten, ${heals} healed`
  );
}
