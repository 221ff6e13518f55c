/** A replayer between a journal that a test fills and a real redis-server, and what it told its owner. */
import { systemClock } from '../../src/base/clock.js';
import type { LogFields, Logger } from '../../src/base/logger.js';
import type { Journal } from '../../src/journal/journal.js';
import { FRESH_STATE, IdentityRegister } from '../../src/command/connection-state.js';
import type { ReplayerOptions } from '../../src/outage/replay/replay-options.js';
import { Replayer } from '../../src/outage/replay/replayer.js';
import { UpstreamConnection, type ConnectionEvents } from '../../src/upstream/connection.js';
import { FenceRegister } from '../../src/upstream/fences.js';
import { Silence } from '../../src/upstream/silence.js';
import { socketTransport } from '../../src/upstream/socket-transport.js';
import { eventually, type Patience } from './eventually.js';
import { HeldJournal } from './held-journal.js';
import { TestTraffic } from './test-connection.js';

export interface ReplayingOptions extends Partial<ReplayerOptions> {
  port: number;
  /** One that an earlier replayer has worked on. */
  held?: HeldJournal | Journal;
  /** Of the cursor; tells two journals apart. */
  id?: string;
  /** The sidecar's own user upstream. */
  user?: { user: string; password: string };
  timeoutMs?: number;
}

/** Keeps what is logged, as `<event> <fields as JSON>`. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = [];

  debug(event: string, fields?: LogFields): void {
    this.#note(event, fields);
  }
  info(event: string, fields?: LogFields): void {
    this.#note(event, fields);
  }
  warn(event: string, fields?: LogFields): void {
    this.#note(event, fields);
  }
  error(event: string, fields?: LogFields): void {
    this.#note(event, fields);
  }
  #note(event: string, fields: LogFields = {}): void {
    this.lines.push(`${event} ${JSON.stringify(fields)}`);
  }
}

export class Replaying {
  /** Only where none was given, or one of this kind. */
  readonly journal: HeldJournal;
  readonly fences = new FenceRegister(() => undefined);
  readonly logger = new RecordingLogger();
  readonly cursorKey: string;
  readonly replayer: Replayer;
  private readonly replayed: HeldJournal | Journal;
  readonly failures: Error[] = [];
  readonly labels: string[] = [];
  timesCaughtUp = 0;
  /** Connections that were opened. */
  readonly connections: UpstreamConnection[] = [];

  constructor(options: ReplayingOptions) {
    const { port, held, id = 'a', user, timeoutMs = 2000, ...rest } = options;
    this.replayed = held ?? new HeldJournal();
    this.journal = this.replayed as HeldJournal;
    this.cursorKey = `respool:cursor:${id}`;
    const transport = socketTransport({ kind: 'tcp', host: '127.0.0.1', port, tls: null });
    const identity = new IdentityRegister().identityOf(user ?? null);
    const open = (events: ConnectionEvents): UpstreamConnection => {
      const connection = new UpstreamConnection(
        {
          kind: 'pinned',
          transport,
          identity,
          state: FRESH_STATE,
          clock: systemClock,
          traffic: new TestTraffic(),
          timeoutMs,
          slowTimeoutMs: 60_000,
          busyWaitMs: 60_000,
          silence: new Silence(systemClock),
          fences: this.fences,
        },
        events,
      );
      this.connections.push(connection);
      return connection;
    };
    this.replayer = new Replayer({
      journal: this.replayed,
      connect: open,
      fences: this.fences,
      clock: systemClock,
      logger: this.logger,
      cursorKey: this.cursorKey,
      ratePerSecond: null,
      onApplied: () => undefined,
      onCaughtUp: () => (this.timesCaughtUp += 1),
      onFailed: (cause) => this.failures.push(cause),
      onDeadLetter: (label) => this.labels.push(label),
      ...rest,
    });
  }

  get isDone(): boolean {
    return this.replayed.pendingRecords === 0;
  }

  /** Starts, again and again after failures, until everything has been replayed. */
  async finish(patience: Patience = { withinMs: 20_000 }): Promise<void> {
    await eventually(
      'everything is replayed',
      () => {
        this.replayer.start();
        return this.isDone && this.replayer.isActive;
      },
      patience,
    );
  }
}
