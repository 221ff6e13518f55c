/**
 * Load by redis-benchmark, with the CPU time that the measured process spent on it.
 */
import { run } from '../test/helpers/child-process.js';
import type { Target } from './peers.js';
import { cpuMicrosOf } from './process-usage.js';

/** What redis-benchmark is asked to do. */
export interface Load {
  readonly command: 'set' | 'get' | 'lpush';
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
  readonly valueBytes: number;
  /** Size of the key space; keys are chosen at random. */
  readonly keys: number;
}

/** What came of it. CPU times are per command; NaN where there is no Redis behind the target. */
export interface LoadSample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
  readonly redisCpuMicros: number;
}

const TIMEOUT_MS = 600_000;

/** Puts the load on `target` and reads the CPU time of it and of the Redis behind it, if any, before and after. */
export async function measure(
  target: Target,
  redis: Target | null,
  load: Load,
): Promise<LoadSample> {
  const redisCpu = (): number => (redis === null ? NaN : cpuMicrosOf(redis.pid));
  const cpuBefore = cpuMicrosOf(target.pid);
  const redisCpuBefore = redisCpu();
  const { perSecond, p50Ms, p99Ms } = await put(target.port, load);
  return {
    perSecond,
    p50Ms,
    p99Ms,
    cpuMicros: (cpuMicrosOf(target.pid) - cpuBefore) / load.requests,
    redisCpuMicros: (redisCpu() - redisCpuBefore) / load.requests,
  };
}

/** The arguments of redis-benchmark for a load. */
export function benchmarkArguments(port: number, load: Load): string[] {
  const numbers = { p: port, c: load.clients, P: load.pipeline, n: load.requests };
  const sizes = { d: load.valueBytes, r: load.keys };
  const options = Object.entries({ ...numbers, ...sizes });
  return [...options.flatMap(([name, value]) => [`-${name}`, String(value)]), '-t', load.command];
}

/** Puts the load on a port. Throws if redis-benchmark fails or meets an error. */
export async function put(
  port: number,
  load: Load,
): Promise<Pick<LoadSample, 'perSecond' | 'p50Ms' | 'p99Ms'>> {
  const args = [...benchmarkArguments(port, load), '--csv'];
  const { code, stdout, stderr } = await run('redis-benchmark', args, { timeoutMs: TIMEOUT_MS });
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",...
  const row = stdout.trim().split('\n').at(-1) ?? '';
  const fields = row.split(',').map((field) => Number(field.replaceAll('"', '')));
  const [, perSecond = NaN, , , p50Ms = NaN, , p99Ms = NaN] = fields;
  if (code !== 0 || Number.isNaN(p99Ms) || /error/i.test(stderr)) {
    throw new Error(`redis-benchmark ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
  }
  return { perSecond, p50Ms, p99Ms };
}
