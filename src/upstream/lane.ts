/**
 * A lane: one upstream connection that many clients share, and what keeps it there. While there is no connection, what
 * is sent waits here in order (for at most `holdMs`, and senders are paused); then it goes out first. A lane never
 * reorders: a client that stays on one lane gets its replies in the order it asked.
 *
 *   client A ┐                 ┌ ready ──► UpstreamConnection.send
 *   client B ┼─► Lane.send ────┤
 *   client C ┘                 └ else ───► queue ──(ready)──► send      (older than holdMs, or suspended)──► refuse
 *
 * Whatever a lost connection had taken comes back to its senders: `lose` what was sent, then `refuse` what was not.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  UpstreamConnection,
  type ConnectionOptions,
  type Returned,
  type Unsent,
} from './connection.js';
import type { Patience } from './in-flight.js';
import { UpstreamBusy } from './greeting.js';
import type { Knocking } from './knocking.js';
import { NeverSent, type ReplyReceiver } from './receiver.js';

/** Above this many bytes that the upstream has not taken, senders are asked to pause. */
const HIGH_WATER_BYTES = 1024 * 1024;
const EXPIRY_CHECK_MS = 25;

export interface LaneOptions {
  readonly connection: ConnectionOptions;
  readonly clock: Clock;
  readonly knocking: Knocking;
  /** Stays connected while nobody uses it. */
  readonly eager: boolean;
  /** How long a command waits for a connection. */
  readonly holdMs: number;
  /** Why nothing is to be connected for now; null: it may be. */
  readonly suspendedBy: Error | null;
  readonly onReady: (lane: Lane) => void;
  /** The connection is lost, or could not be made. */
  readonly onLost: (connection: UpstreamConnection, cause: Error) => void;
  /** Commands have waited as long as they may; they are refused when this returns. */
  readonly onHoldExpired: (cause: Error) => void;
  readonly onDelivered: () => boolean | void;
}

/** A run that waits for a connection. */
interface Queued extends Returned {
  readonly requests: Buffer;
  readonly since: number;
}

export class Lane {
  private connection: UpstreamConnection | null = null;
  private queue: Queued[] = [];
  private queuedBytes = 0;
  private readonly waiting = new Set<() => void>();
  private expiry: Timer | null = null;
  private retry: Timer | null = null;
  private suspendedBy: Error | null;
  private isRefusalPlanned = false;
  private lastProblem: Error = new Error('the upstream has not been reached yet');
  private lastUsedAt: number;
  /** Closed for good: whoever still refers to it takes another. */
  isRetired = false;

  constructor(private readonly options: LaneOptions) {
    this.lastUsedAt = options.clock.now();
    this.suspendedBy = options.suspendedBy;
    this.connectSoon();
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
    return this.queue.reduce((sum, { count }) => sum + count, 0);
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

  /** As `UpstreamConnection.send`, whole commands only; may be called at any time and never calls back from within. */
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
    const requests = Buffer.from(buffer.subarray(start, end));
    this.queue.push({ receiver, count, patience, requests, since: this.options.clock.now() });
    this.queuedBytes += requests.length;
    this.expiry ??= this.options.clock.every(EXPIRY_CHECK_MS, () => this.expire());
    if (this.suspendedBy === null) this.connectSoon();
    else this.refuseSoon();
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

  /** Connects, if it is not connected: others have seen that it can be done. */
  wake(): void {
    this.connectSoon();
  }

  /** Gives up the connection; until `resume` nothing is connected, and everything sent is refused in its tick. */
  suspend(cause: Error): void {
    this.suspendedBy = this.lastProblem = cause;
    this.stopRetrying();
    this.connection?.fail(cause);
    this.refuseQueued(Infinity, cause);
  }

  resume(): void {
    this.suspendedBy = null;
    this.options.knocking.reset();
    if (this.options.eager || this.queue.length > 0) this.connectSoon();
  }

  retire(): void {
    this.isRetired = true;
    this.stopRetrying();
    this.connection?.abandon();
    this.connection = null;
    this.refuseQueued(Infinity, this.lastProblem);
  }

  private connectSoon(): void {
    const isUnderWay = this.connection !== null || this.retry !== null;
    if (this.isRetired || this.suspendedBy !== null || isUnderWay) return;
    const { pauseMs } = this.options.knocking;
    if (pauseMs === 0) this.connect();
    else this.retry = this.options.clock.after(pauseMs, () => this.connect());
  }

  private stopRetrying(): void {
    this.retry?.cancel();
    this.retry = null;
  }

  private connect(): void {
    this.retry = null;
    this.connection = new UpstreamConnection(this.options.connection, {
      onReady: () => this.becomeReady(),
      onLost: (connection, cause, unsent) => this.becomeLost(connection, cause, unsent),
      onDrain: () => this.wakeSenders(),
      onDelivered: this.options.onDelivered,
    });
  }

  private becomeReady(): void {
    const queue = this.takeQueued(Infinity);
    for (const { receiver, requests, count, patience } of queue)
      this.connection!.send(receiver, requests, 0, requests.length, count, patience);
    this.options.onReady(this);
    this.wakeSenders();
  }

  private becomeLost(connection: UpstreamConnection, cause: Error, unsent: Unsent): void {
    this.connection = null;
    this.lastProblem = cause;
    this.options.knocking.lost(connection.readySinceMs);
    this.options.onLost(connection, cause);
    const neverSent = new NeverSent(cause);
    for (const { receiver, count, requests } of unsent.entries)
      receiver.refuse(count, neverSent, requests);
    if (cause instanceof UpstreamBusy) this.refuseQueued(Infinity, cause);
    if (this.options.eager || this.queue.length > 0) this.connectSoon();
    this.wakeSenders();
  }

  private expire(): void {
    // Not away, only silent: as long as there is a reason for that, waiting is what Redis' own clients would do.
    if (this.connection?.isSilencedByOthers === true) return;
    const deadline = this.options.clock.now() - this.options.holdMs;
    const isDue = this.queue.length > 0 && this.queue[0]!.since <= deadline;
    if (isDue) this.options.onHoldExpired(this.lastProblem);
    this.refuseQueued(deadline, this.lastProblem);
  }

  private refuseSoon(): void {
    if (this.isRefusalPlanned) return;
    this.isRefusalPlanned = true;
    this.options.clock.endOfTick(() => {
      this.isRefusalPlanned = false;
      if (this.suspendedBy !== null) this.refuseQueued(Infinity, this.suspendedBy);
    });
  }

  /** Refuses what has waited since before `deadline`. */
  private refuseQueued(deadline: number, cause: Error): void {
    const refused = this.takeQueued(deadline);
    for (const { receiver, count, requests } of refused) receiver.refuse(count, cause, requests);
    // Only when somebody was told something: asked in the midst of another connection's chunk, it would take the answer
    // whether that chunk may be filled anew.
    if (refused.length === 0) return;
    this.options.onDelivered();
    this.wakeSenders();
  }

  /** Takes out what has waited since before `deadline`. */
  private takeQueued(deadline: number): Queued[] {
    const first = this.queue.findIndex(({ since }) => since > deadline);
    const taken = this.queue.splice(0, first === -1 ? this.queue.length : first);
    for (const { requests } of taken) this.queuedBytes -= requests.length;
    if (this.queue.length === 0) {
      this.expiry?.cancel();
      this.expiry = null;
    }
    return taken;
  }

  private wakeSenders(): void {
    if (this.waiting.size === 0 || this.isOverloaded) return;
    const senders = [...this.waiting];
    this.waiting.clear();
    for (const resume of senders) resume();
  }
}
