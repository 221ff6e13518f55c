/**
 * The port behind which an embedded Valkey lives: a transport whose other end is an engine that this process starts,
 * stops and restarts. Two adapters exist: `wasm-engine` (Valkey as WebAssembly in a worker thread) and `process-engine`
 * (a valkey-server or redis-server from PATH). Lanes see a `Transport` and cannot tell which one they talk to.
 */
import type { Transport } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';

/** An engine inside, or owned by, this process. It refuses streams until `start` has resolved. */
export interface EmbeddedEngine extends Transport {
  /** Resolves when the engine answers; rejects with an `EmbeddedEngineError` that says what to do. Called once. */
  start(): Promise<void>;
  /** Takes the snapshot if one is configured, then ends the engine and every stream. Never rejects; failures are logged. */
  stop(): Promise<void>;
  /** How often the engine died (trap, out of memory, crash) and was started again. Its data is then the last snapshot's. */
  readonly restarts: number;
}

/** What both adapters need. */
export interface EmbeddedEngineOptions {
  /** The engine's `maxmemory`; beyond it writes get `-OOM` (policy `noeviction`). */
  readonly maxMemoryBytes: number;
  /** An RDB file that `start` restores and `stop` writes atomically; null keeps nothing. */
  readonly snapshotFile: string | null;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Why an engine could not be started, or why its streams ended. The message is for people and holds no secrets. */
export class EmbeddedEngineError extends Error {
  override readonly name = 'EmbeddedEngineError';
}

/** The smallest `maxmemory` an engine is useful with: Valkey itself takes about 3 MB before the first key. */
export const MIN_EMBEDDED_MEMORY_BYTES = 8 * 1024 * 1024;

/**
 * The largest `maxmemory` the WebAssembly engine takes: its address space ends at 4 GiB, and buffers, scripts and
 * fragmentation need room beside the data.
 */
export const MAX_EMBEDDED_MEMORY_BYTES = 2 * 1024 * 1024 * 1024;

/** The settings an engine of `maxMemoryBytes` is given at boot, by Valkey's own names, in the order they are set. */
export function engineSettings(maxMemoryBytes: number): ReadonlyMap<string, string> {
  return new Map([
    ['maxmemory', String(maxMemoryBytes)],
    ['maxmemory-policy', 'noeviction'],
    // A value above maxmemory can never be stored, yet its declared size would be allocated when its header arrives.
    ['proto-max-bulk-len', String(maxBulkBytes(maxMemoryBytes))],
    ['client-query-buffer-limit', String(2 * maxBulkBytes(maxMemoryBytes))],
    // Valkey's default for normal clients is no limit at all: one reader that stalls would end the engine.
    ['client-output-buffer-limit', 'normal 536870912 0 0'],
    // Nothing can be saved in the background; a client that sets `save` must not stop everybody's writes.
    ['stop-writes-on-bgsave-error', 'no'],
  ]);
}

/** The largest single value such an engine accepts, in bytes. A front that checks sizes should use the same limit. */
export function maxBulkBytes(maxMemoryBytes: number): number {
  return Math.min(512 * 1024 * 1024, maxMemoryBytes);
}

/** Pauses before an engine that died is started again, so that one that cannot live does not take a core. */
export const RESTART_PAUSES = {
  firstMs: 20,
  maxMs: 5_000,
  factor: 2,
  // Nobody else waits for the same engine.
  jitter: 0,
  random: () => 0,
} as const;

/** An engine that ran this long was well: its next restart is quick again. */
export const WELL_AFTER_MS = 30_000;
