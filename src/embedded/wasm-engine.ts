/**
 * Valkey inside this process: compiles the engine, runs it in a worker thread, and starts another when it dies. Only
 * life and death are decided here; bytes travel through `engine-link`, and the thread itself is `worker`.
 *
 *     idle ──start──► booting ──ready, settings made──► running ──stop──► stopped
 *                        ▲                                 │
 *                        └───────── a pause ◄── died ◄─────┘
 */
import { Worker } from 'node:worker_threads';
import { Backoff } from '../base/backoff.js';
import type { ByteStream, ByteStreamHandlers } from '../base/byte-stream.js';
import type { Timer } from '../base/clock.js';
import {
  EmbeddedEngineError,
  engineSettings,
  MAX_EMBEDDED_MEMORY_BYTES,
  MIN_EMBEDDED_MEMORY_BYTES,
  RESTART_PAUSES,
  WELL_AFTER_MS,
  type EmbeddedEngine,
  type EmbeddedEngineOptions,
} from './engine.js';
import { LastLines } from './boot-failure.js';
import { MAX_STREAMS } from './bridge.js';
import { closedStream } from './closed-stream.js';
import { EngineLink } from './engine-link.js';
import { EngineTalk } from './engine-talk.js';
import type { WorkerInput, WorkerNotice } from './messages.js';
import { prepareSnapshot, takeSnapshot } from './snapshot.js';
import type { WasmModule } from './wasm-api.js';
import { loadEngine, wasmFileUrl } from './wasm-file.js';

export interface WasmEngineOptions extends EmbeddedEngineOptions {
  /** Where linear memory ends for good, in bytes; reaching it ends the engine. Default: see `memoryLimitBytes`. */
  readonly memoryLimitBytes?: number;
  /** Another valkey.wasm, which must be the same one: for tests. */
  readonly wasmFile?: URL;
}

const GIB = 1024 ** 3;

/**
 * The default end of linear memory: the data, as much again for fragmentation, and a gibibyte for clients' buffers and
 * scripts, which `maxmemory` does not count. Memory that is not used costs nothing.
 */
export function defaultMemoryLimitBytes(maxMemoryBytes: number): number {
  return Math.min(4 * GIB, 2 * maxMemoryBytes + GIB);
}

/** One worker's life. */
interface Life {
  readonly worker: Worker;
  readonly link: EngineLink;
  /** Kept open for SAVE where a snapshot is configured, because settings may change who is let in later. */
  readonly talk: EngineTalk | null;
}

type State =
  | { readonly kind: 'idle' | 'booting' | 'stopped' }
  | { readonly kind: 'pausing'; readonly timer: Timer }
  | { readonly kind: 'running'; readonly life: Life };

/** Creates the engine without starting anything. Throws when the memory asked for is out of range. */
export function createWasmEngine(options: WasmEngineOptions): EmbeddedEngine {
  const { maxMemoryBytes } = options;
  if (maxMemoryBytes < MIN_EMBEDDED_MEMORY_BYTES || maxMemoryBytes > MAX_EMBEDDED_MEMORY_BYTES) {
    throw new EmbeddedEngineError(
      `the embedded Valkey takes 8mb to 2gb of memory, not ${maxMemoryBytes} bytes`,
    );
  }
  return new WasmEngine(options);
}

class WasmEngine implements EmbeddedEngine {
  readonly description = 'embedded';
  restarts = 0;
  private state: State = { kind: 'idle' };
  private module: WasmModule | null = null;
  private readonly pauses = new Backoff(RESTART_PAUSES);
  private runningSinceMs = 0;

  constructor(private readonly options: WasmEngineOptions) {}

  async start(): Promise<void> {
    const limit =
      this.options.memoryLimitBytes ?? defaultMemoryLimitBytes(this.options.maxMemoryBytes);
    this.state = { kind: 'booting' };
    try {
      await prepareSnapshot(this.options.snapshotFile);
      this.module = await loadEngine(this.options.wasmFile ?? wasmFileUrl(), limit);
      await this.boot(this.module);
    } catch (error) {
      this.state = { kind: 'idle' };
      throw error;
    }
  }

  open(handlers: ByteStreamHandlers): ByteStream {
    if (this.state.kind === 'running') return this.state.life.link.open(handlers);
    const cause = new EmbeddedEngineError(
      `the embedded Valkey is not running (${this.state.kind})`,
    );
    return closedStream(handlers, cause, this.options.clock);
  }

  async stop(): Promise<void> {
    const state = this.state;
    if (state.kind === 'pausing') state.timer.cancel();
    if (state.kind !== 'running') {
      this.state = { kind: 'stopped' };
      return;
    }
    const { life } = state;
    if (this.options.snapshotFile !== null) {
      const talk =
        life.talk?.closed === false
          ? life.talk
          : new EngineTalk((handlers) => life.link.open(handlers));
      await takeSnapshot(talk, this.options.snapshotFile, this.options);
    }
    this.state = { kind: 'stopped' };
    life.link.fail(new EmbeddedEngineError('the embedded Valkey was stopped'));
    await life.worker.terminate();
  }

  private async boot(module: WasmModule): Promise<void> {
    const startMs = this.options.clock.now();
    const input: WorkerInput = { module, snapshotFile: this.options.snapshotFile };
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: input,
      name: 'embedded-valkey',
    });
    const link = new EngineLink(worker, this.options.clock);
    try {
      await this.ready(worker, link);
      const life: Life = { worker, link, talk: await this.configure(link) };
      if (this.state.kind !== 'booting')
        throw new EmbeddedEngineError('the embedded Valkey was stopped while it booted');
      this.state = { kind: 'running', life };
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    this.runningSinceMs = this.options.clock.now();
    this.options.logger.info('embedded engine ready', {
      milliseconds: Math.round(this.options.clock.now() - startMs),
    });
  }

  /** Resolves when the thread has booted Valkey. From then on its end is the business of `died`. */
  private ready(worker: Worker, link: EngineLink): Promise<void> {
    const lastLines = new LastLines();
    return new Promise((resolve, reject) => {
      const over = (reason: string): void => {
        reject(lastLines.bootFailure(reason, this.options.snapshotFile));
        this.died(worker, link, reason);
      };
      worker.on('message', (message: ArrayBuffer | WorkerNotice) => {
        if (message instanceof ArrayBuffer) link.receive(message);
        else if (message.kind === 'ready') resolve();
        else if (message.kind === 'died') over(message.reason);
        else {
          lastLines.add(message.line);
          this.options.logger.debug('embedded engine says', { line: message.line });
        }
      });
      worker.on('error', (error: Error) => over(`${error.name}: ${error.message}`));
      worker.on('exit', () => over('its thread ended'));
    });
  }

  private async configure(link: EngineLink): Promise<EngineTalk | null> {
    const talk = new EngineTalk((handlers) => link.open(handlers));
    // The event loop's table of descriptors is as large as maxclients, and sockets are numbered from 4096.
    const settings = new Map([
      ['maxclients', String(MAX_STREAMS + 4096)],
      ...engineSettings(this.options.maxMemoryBytes),
    ]);
    const reply = await talk.command('CONFIG', 'SET', ...[...settings].flat());
    if (reply !== '+OK')
      throw new EmbeddedEngineError(`the embedded Valkey refused its settings: ${reply}`);
    if (this.options.snapshotFile !== null) return talk;
    talk.end();
    return null;
  }

  /** Called for every end of a worker, also for those that were asked for; acts once per life. */
  private died(worker: Worker, link: EngineLink, reason: string): void {
    if (this.state.kind !== 'running' || this.state.life.worker !== worker) {
      link.fail(new EmbeddedEngineError(`the embedded Valkey did not boot: ${reason}`));
      return;
    }
    this.restarts += 1;
    this.options.logger.error('embedded engine died and is started again', {
      reason,
      restarts: this.restarts,
      data: this.options.snapshotFile === null ? 'lost' : 'as of the last snapshot',
    });
    this.bootAfterPause();
    link.fail(new EmbeddedEngineError(`the embedded Valkey died: ${reason}`));
  }

  private bootAfterPause(): void {
    if (this.options.clock.now() - this.runningSinceMs > WELL_AFTER_MS) this.pauses.reset();
    const timer = this.options.clock.after(this.pauses.next(), () => {
      this.state = { kind: 'booting' };
      this.boot(this.module!).catch((error: unknown) => {
        if (this.state.kind !== 'booting') return;
        this.options.logger.error('embedded engine did not start again', { reason: String(error) });
        this.bootAfterPause();
      });
    });
    this.state = { kind: 'pausing', timer };
  }
}
