/**
 * The other engine: a valkey-server or redis-server from PATH, run as a child that only this process can reach, over a
 * unix socket in a private directory. Started again when it dies. Lanes see the same port as with `wasm-engine`; the
 * socket itself is `upstream/`'s business and is passed in.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Backoff } from '../base/backoff.js';
import type { ByteStream, ByteStreamHandlers, Transport } from '../base/byte-stream.js';
import type { Timer } from '../base/clock.js';
import { LastLines } from './boot-failure.js';
import { closedStream } from './closed-stream.js';
import {
  EmbeddedEngineError,
  engineSettings,
  RESTART_PAUSES,
  WELL_AFTER_MS,
  type EmbeddedEngine,
  type EmbeddedEngineOptions,
} from './engine.js';
import { EngineTalk } from './engine-talk.js';
import { spawnServer, type ServerProcess } from './server-process.js';
import { prepareSnapshot, takeSnapshot } from './snapshot.js';

export interface ProcessEngineOptions extends EmbeddedEngineOptions {
  /** Opens streams to a unix socket. */
  readonly unixTransport: (path: string) => Transport;
  /** Programs to try, in this order. Default: valkey-server, redis-server. */
  readonly programs?: readonly string[];
}

const PROGRAMS = ['valkey-server', 'redis-server'];
const SOCKET = 'engine.sock';
const RETRY_MS = 10;
/** A server that does not answer by then will not; one that says it is loading is given all the time it takes. */
const BOOT_TIMEOUT_MS = 10_000;

interface Life {
  readonly server: ServerProcess;
  readonly directory: string;
  readonly transport: Transport;
}

type State =
  | { readonly kind: 'idle' | 'booting' | 'stopped' }
  | { readonly kind: 'pausing'; readonly timer: Timer }
  | { readonly kind: 'running'; readonly life: Life; readonly sinceMs: number };

/** Creates the engine without starting anything. */
export function createProcessEngine(options: ProcessEngineOptions): EmbeddedEngine {
  return new ProcessEngine(options);
}

class ProcessEngine implements EmbeddedEngine {
  readonly description = 'embedded';
  restarts = 0;
  private state: State = { kind: 'idle' };
  private readonly pauses = new Backoff(RESTART_PAUSES);

  constructor(private readonly options: ProcessEngineOptions) {}

  async start(): Promise<void> {
    this.state = { kind: 'booting' };
    try {
      await prepareSnapshot(this.options.snapshotFile);
      await this.boot();
    } catch (error) {
      this.state = { kind: 'idle' };
      throw error;
    }
  }

  open(handlers: ByteStreamHandlers): ByteStream {
    if (this.state.kind === 'running') return this.state.life.transport.open(handlers);
    const cause = new EmbeddedEngineError(
      `the embedded server is not running (${this.state.kind})`,
    );
    return closedStream(handlers, cause, this.options.clock);
  }

  async stop(): Promise<void> {
    const { state } = this;
    if (state.kind === 'pausing') state.timer.cancel();
    if (state.kind === 'running' && this.options.snapshotFile !== null) {
      const talk = new EngineTalk((handlers) => state.life.transport.open(handlers));
      await takeSnapshot(talk, this.options.snapshotFile, this.options);
      talk.end();
    }
    this.state = { kind: 'stopped' };
    if (state.kind === 'running') await this.endLife(state.life);
  }

  private async boot(): Promise<void> {
    const { clock, logger, snapshotFile } = this.options;
    const startMs = clock.now();
    const directory = await mkdtemp(join(tmpdir(), 'respool-engine-')); // mode 0700
    const lastLines = new LastLines();
    try {
      const server = await spawnServer(
        this.options.programs ?? PROGRAMS,
        this.settings(directory),
        directory,
        (line) => {
          lastLines.add(line);
          logger.debug('embedded engine says', { line });
        },
        clock,
      );
      const life: Life = {
        server,
        directory,
        transport: this.options.unixTransport(join(directory, SOCKET)),
      };
      await this.answering(life, lastLines);
      if (this.state.kind !== 'booting') {
        await this.endLife(life);
        throw new EmbeddedEngineError('the embedded server was stopped while it booted');
      }
      this.state = { kind: 'running', life, sinceMs: clock.now() };
      void server.ended.then((reason) => this.died(life, reason));
      logger.info('embedded engine ready', {
        program: server.program,
        snapshot: snapshotFile,
        milliseconds: Math.round(clock.now() - startMs),
      });
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The server's configuration: no port, no file but the snapshot, and the same settings as the other engine. */
  private settings(directory: string): string[] {
    const { snapshotFile } = this.options;
    const settings = new Map([
      ['port', '0'],
      ['unixsocket', join(directory, SOCKET)],
      ['unixsocketperm', '700'],
      ['daemonize', 'no'],
      ['save', ''],
      ['appendonly', 'no'],
      ['dir', snapshotFile === null ? directory : dirname(snapshotFile)],
      ['dbfilename', snapshotFile === null ? 'none.rdb' : basename(snapshotFile)],
      ...engineSettings(this.options.maxMemoryBytes),
    ]);
    return [...settings].flatMap(([name, value]) => [`--${name}`, value]);
  }

  /** Resolves once the server answers PING with PONG; otherwise the server has ended when this rejects. */
  private async answering({ server, transport }: Life, lastLines: LastLines): Promise<void> {
    const { clock, snapshotFile } = this.options;
    let deadline = clock.now() + BOOT_TIMEOUT_MS;
    let reason: string | null = null;
    void server.ended.then((end) => (reason = end));
    // The timer does not keep the process alive, the child does: its end must end every pause.
    const pause = (milliseconds: number): Promise<unknown> =>
      Promise.race([
        server.ended,
        new Promise<void>((resolve) => clock.after(milliseconds, resolve)),
      ]);
    while (reason === null && clock.now() < deadline) {
      const talk = new EngineTalk((handlers) => transport.open(handlers));
      const answer = talk.command('PING').catch(() => null);
      const reply = await Promise.race([answer, pause(BOOT_TIMEOUT_MS)]);
      talk.end();
      if (reply === '+PONG') return;
      if (typeof reply === 'string' && reply.startsWith('-LOADING')) {
        deadline = clock.now() + BOOT_TIMEOUT_MS;
      }
      await pause(RETRY_MS);
    }
    if (reason === null) await server.stop();
    throw lastLines.bootFailure(reason ?? `no answer within ${BOOT_TIMEOUT_MS} ms`, snapshotFile);
  }

  private died(life: Life, reason: string): void {
    const { state } = this;
    if (state.kind !== 'running' || state.life !== life) return;
    this.restarts += 1;
    this.options.logger.error('embedded engine died and is started again', {
      reason,
      restarts: this.restarts,
      data: this.options.snapshotFile === null ? 'lost' : 'as of the last snapshot',
    });
    if (this.options.clock.now() - state.sinceMs > WELL_AFTER_MS) this.pauses.reset();
    this.bootAfterPause();
    void this.endLife(life);
  }

  private bootAfterPause(): void {
    const timer = this.options.clock.after(this.pauses.next(), () => {
      this.state = { kind: 'booting' };
      this.boot().catch((error: unknown) => {
        if (this.state.kind !== 'booting') return;
        this.options.logger.error('embedded engine did not start again', { reason: String(error) });
        this.bootAfterPause();
      });
    });
    this.state = { kind: 'pausing', timer };
  }

  private async endLife({ server, directory }: Life): Promise<void> {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
