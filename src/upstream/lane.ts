/**
 * A lane: one upstream connection that many clients share, and what keeps it there. While there is no connection, what
 * is sent waits here in order (for at most `holdMs`, and senders are paused); then it goes out first. A lane never reorders: a client that
 * stays on one lane gets its replies in the order it asked.
 *
 *   client A ┐                 ┌ ready ──► UpstreamConnection.send
 *   client B ┼─► Lane.send ────┤
 *   client C ┘                 └ else ───► queue ──(ready)──► send      (older than holdMs)──► refuse
 */
import type { Backoff } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import { UpstreamConnection, type ConnectionOptions, type Unsent } from './connection.js';
import type { InFlightEntry, Patience } from './in-flight.js';
import type { ReplyReceiver } from './receiver.js';

/** Above this many bytes that the upstream has not taken, senders are asked to pause. */
const HIGH_WATER_BYTES = 1024 * 1024;
const EXPIRY_CHECK_MS = 25;

export interface LaneOptions {
  readonly connection: ConnectionOptions;
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** Stays connected while nobody uses it. */
  readonly eager: boolean;
  /** How long a command waits for a connection. */
  readonly holdMs: number;
  /** A connection of this lane became ready, or was lost (with the reason). */
  readonly onChange: (lane: Lane, cause: Error | null) => void;
  readonly onDelivered: () => boolean | void;
}

/** A run of one tick that waits for a connection: its bytes and whose commands they are. */
interface Queued {
  readonly bytes: Buffer;
  readonly entries: readonly InFlightEntry[];
  readonly since: number;
}

export class Lane {
  private connection: UpstreamConnection | null = null;
  private queue: Queued[] = [];
  private queuedBytes = 0;
  private readonly waiting = new Set<() => void>();
  private expiry: Timer | null = null;
  private retry: Timer | null = null;
  private lastProblem: Error = new Error('the upstream has not been reached yet');
  private lastUsedAt: number;
  /** Closed for good: whoever still refers to it takes another. */
  isRetired = false;

  constructor(private readonly options: LaneOptions) {
    this.lastUsedAt = options.clock.now();
    this.connect();
  }

  get isReady(): boolean {
    return this.connection?.isReady ?? false;
  }
  get refusesStrangers(): boolean {
    return this.connection?.refusesStrangers ?? false;
  }
  get commandsInFlight(): number {
    return this.connection?.commandsInFlight ?? 0;
  }
  get queuedCommands(): number {
    return this.queue.reduce(
      (sum, item) => sum + item.entries.reduce((n, entry) => n + entry.count, 0),
      0,
    );
  }
  /** Bytes that the upstream has not taken yet. */
  get pendingBytes(): number {
    return this.queuedBytes + (this.connection?.pendingBytes ?? 0);
  }
  /** A long reply blocks the way; a client that awaits nothing is better off elsewhere. */
  get isCongested(): boolean {
    return this.connection?.isCongested ?? false;
  }
  /** The upstream takes less than is sent: pause until `whenWritable` calls. */
  get isOverloaded(): boolean {
    return this.pendingBytes > HIGH_WATER_BYTES;
  }

  /** As `UpstreamConnection.send`; may be called at any time. */
  send(
    receiver: ReplyReceiver,
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
  ): void {
    if (this.connection !== null && this.connection.isReady) {
      this.connection.send(receiver, buffer, start, end, count, patience);
      return;
    }
    // Copied: what waits must not pin the whole chunk that it came in.
    this.enqueue(Buffer.from(buffer.subarray(start, end)), [{ receiver, count, patience }]);
  }

  /** Calls `resume` once, when the lane is not overloaded any more. */
  whenWritable(resume: () => void): void {
    this.waiting.add(resume);
  }

  idleForMs(now: number): number {
    if (this.commandsInFlight > 0 || this.queue.length > 0) this.lastUsedAt = now;
    return now - this.lastUsedAt;
  }

  touch(): void {
    this.lastUsedAt = this.options.clock.now();
  }

  retire(): void {
    this.isRetired = true;
    this.retry?.cancel();
    this.connection?.abandon();
    this.connection = null;
    this.refuseQueued(Infinity, this.lastProblem);
  }

  private connectSoon(): void {
    if (this.isRetired || this.connection !== null || this.retry !== null) return;
    this.retry = this.options.clock.after(this.options.backoff.next(), () => this.connect());
  }

  private connect(): void {
    this.retry = null;
    this.connection = new UpstreamConnection(this.options.connection, {
      onReady: () => this.becomeReady(),
      onLost: (_, cause, unsent) => this.becomeLost(cause, unsent),
      onDrain: () => this.wakeSenders(),
      onDelivered: this.options.onDelivered,
    });
  }

  private becomeReady(): void {
    this.options.backoff.reset();
    const queue = this.queue;
    this.queue = [];
    this.queuedBytes = 0;
    for (const { bytes, entries } of queue) {
      // The bytes go with the first entry; the others only take their places in the FIFO.
      entries.forEach(({ receiver, count, patience }, index) =>
        this.connection!.send(receiver, bytes, 0, index === 0 ? bytes.length : 0, count, patience),
      );
    }
    this.options.onChange(this, null);
    this.wakeSenders();
  }

  private becomeLost(cause: Error, unsent: Unsent): void {
    this.connection = null;
    this.lastProblem = cause;
    if (unsent.entries.length > 0) this.enqueue(unsent.bytes, unsent.entries);
    this.options.onChange(this, cause);
    if (this.options.eager || this.queue.length > 0) this.connectSoon();
    this.wakeSenders();
  }

  private enqueue(bytes: Buffer, entries: Queued['entries']): void {
    this.queue.push({ bytes, entries, since: this.options.clock.now() });
    this.queuedBytes += bytes.length;
    this.connectSoon();
    this.expiry ??= this.options.clock.every(EXPIRY_CHECK_MS, () => {
      // Not away, only silent: as long as there is a reason for that, waiting is what Redis' own clients would do.
      if (this.connection?.isSilencedByOthers === true) return;
      this.refuseQueued(this.options.clock.now() - this.options.holdMs, this.lastProblem);
    });
  }

  /** Refuses what has waited since before `deadline`. */
  private refuseQueued(deadline: number, cause: Error): void {
    const before = this.queue.length;
    while (this.queue.length > 0 && this.queue[0]!.since <= deadline) {
      const { bytes, entries } = this.queue.shift()!;
      this.queuedBytes -= bytes.length;
      for (const { receiver, count } of entries) receiver.refuse(count, cause);
    }
    // Only when somebody was told something: asked in the midst of another connection's chunk, it would take the answer
    // whether that chunk may be filled anew.
    if (this.queue.length < before) this.options.onDelivered();
    if (this.queue.length > 0) return;
    this.expiry?.cancel();
    this.expiry = null;
    this.wakeSenders();
  }

  private wakeSenders(): void {
    if (this.waiting.size === 0 || this.isOverloaded) return;
    const senders = [...this.waiting];
    this.waiting.clear();
    for (const resume of senders) resume();
  }
}
