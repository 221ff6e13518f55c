/**
 * What every end-to-end test runs against: one sidecar in front of a real redis-server, and one in
 * front of the embedded engine. A test is written once and may not know which of the two it has,
 * except where a feature of Redis itself is missing in the other.
 *
 * RESPOOL_E2E_DIRECT=1 leaves the sidecar out: what fails then is wrong in the test, not in Respool.
 */
import { after, before, describe } from 'node:test';
import type { Cleanup } from '../helpers/child-process.js';
import { Cleanups } from '../helpers/cleanups.js';
import { startRedis, startSidecar, type RedisServer, type Sidecar } from '../helpers/servers.js';

/** The kind of upstream behind the sidecar. */
export type UpstreamKind = 'redis' | 'embedded';

/** Where a client connects, and what is behind it. */
export interface Target {
  readonly upstream: UpstreamKind;
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** The real redis-server behind it; null when the upstream is embedded. */
  readonly redis: RedisServer | null;
  /** Null only with RESPOOL_E2E_DIRECT. */
  readonly sidecar: Sidecar | null;
}

/** A replica (`redis-cli --rdb`) gets its snapshot at once and not after the usual five seconds. */
const REDIS_ARGUMENTS = ['--repl-diskless-sync-delay', '0'];

const direct = process.env['RESPOOL_E2E_DIRECT'] === '1';

/** The upstreams to test with: the embedded one cannot be had without the sidecar. */
export const upstreamKinds: readonly UpstreamKind[] = direct ? ['redis'] : ['redis', 'embedded'];

/**
 * Runs `define` once per upstream as a suite of its own. The target is started before the suite's
 * first test and stopped after its last; `target()` may be called inside tests and hooks only.
 */
export function describeTargets(
  name: string,
  define: (target: () => Target) => void,
  kinds: readonly UpstreamKind[] = upstreamKinds,
): void {
  for (const upstream of kinds) {
    describe(`${name}, upstream ${upstream}`, () => {
      const cleanup = new Cleanups();
      let target: Target | null = null;
      before(async () => {
        target = await startTarget(cleanup, upstream);
      });
      after(() => cleanup.run());
      define(() => {
        if (target === null) throw new Error('the target is started before the first test');
        return target;
      });
    });
  }
}

/** Starts the servers of one target; `t` stops them. */
export async function startTarget(t: Cleanup, upstream: UpstreamKind): Promise<Target> {
  const redis = upstream === 'redis' ? await startRedis(t, { args: REDIS_ARGUMENTS }) : null;
  if (direct && redis !== null) {
    return { upstream, redis, sidecar: null, host: redis.host, port: redis.port, url: redis.url };
  }
  const sidecar = await startSidecar(t, { upstream: redis?.url ?? 'embedded:' });
  return { upstream, redis, sidecar, host: sidecar.host, port: sidecar.port, url: sidecar.url };
}
