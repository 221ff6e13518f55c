/**
 * Where one client's commands go: a lane shared with others, or a connection borrowed from the pool, of the upstream or
 * of the outage store. Keeps the books of
 * borrowing, and the two brakes: a client that sends faster than the upstream takes is paused, a client that reads too
 * slowly slows its own borrowed connection. Knows nothing of commands.
 *
 *   lane ◄──send──┐
 *                 link ──borrow──► (asked) ──granted──► lease ──giveBack──► pool
 *   lease ◄─send──┘                   └──denied──► owner          └─drop───► reset
 */
import type { ClientConnection } from '../downstream/connection.js';
import type { Session } from '../session/session.js';
import type { UpstreamConnection, Unsent } from '../upstream/connection.js';
import type { Patience } from '../upstream/in-flight.js';
import type { Lane } from '../upstream/lane.js';
import type { LeaseHolder } from '../upstream/pool.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import type { Backend } from './backend.js';
import type { Lingering, ProxyContext } from './context.js';

/** What happens to a borrowed connection, told to the one whose commands run on it. */
export interface LinkOwner extends Lingering {
  readonly session: Session;
  readonly isGone: boolean;
  /** The connection that was asked for is there. */
  leaseArrived(lease: UpstreamConnection): void;
  /** It cannot be had. */
  leaseDenied(cause: Error): void;
  /** It is gone. Receivers of what was sent know; `unsent` never left. */
  leaseLost(cause: Error, unsent: Unsent): void;
}

/** More than this unsent, or unread, and the faster side is paused. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** A client that was sent a long reply keeps a connection of its own for this long, off the lanes of the others. */
const HEAVY_MS = 5000;
/** A client that goes on sending without reading for this long is hung up on. */
const STUCK_MS = 5000;

export class UpstreamLink implements LeaseHolder {
  /** What it leads to at this moment. */
  backend: Backend;
  /** The borrowed connection, while there is one. */
  lease: UpstreamConnection | null = null;
  /** A connection was asked for and has not come yet. */
  isAsking = false;
  private wasUrgent = false;
  private lane: Lane | null = null;
  private heavyUntil = 0;
  /** Since when the lease does not read, because the client does not. */
  private slowedAt: number | null = null;

  constructor(
    private readonly owner: LinkOwner,
    private readonly client: ClientConnection,
    private readonly context: ProxyContext,
  ) {
    this.backend = context.upstream;
  }

  /** Leads elsewhere from now on. Only for a client that awaits no replies (I4). */
  turnTo(backend: Backend): void {
    this.stopAsking();
    this.giveBack();
    this.leaveLane();
    this.backend = backend;
  }

  /** The client's replies have lately been long. */
  get isHeavy(): boolean {
    return this.heavyUntil > 0 && this.context.clock.now() < this.heavyUntil;
  }

  /** The client has read nothing for long, although there is something to read. */
  get isStuck(): boolean {
    return this.slowedAt !== null && this.context.clock.now() - this.slowedAt > STUCK_MS;
  }

  /** The upstream has not taken what was sent last. */
  get isClogged(): boolean {
    if (this.lease !== null) return this.lease.pendingBytes > HIGH_WATER_BYTES;
    return this.lane?.isOverloaded === true;
  }

  /** Sends where the client is. `awaitsNothing`: it may be moved, because no reply of it is outstanding (I4). */
  send(
    receiver: ReplyReceiver,
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
    awaitsNothing: boolean,
  ): void {
    if (awaitsNothing && this.lease === null) this.choosePlace();
    if (this.lease !== null) return this.sendOnLease(receiver, buffer, start, end, count, patience);
    const lane = this.lane!;
    lane.send(receiver, buffer, start, end, count, patience);
    if (!lane.isOverloaded) return;
    this.client.pauseInput();
    lane.whenWritable(() => this.client.resumeInput());
  }

  /** Sends on the borrowed connection, which the caller knows to be there. */
  sendOnLease(
    receiver: ReplyReceiver,
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
  ): void {
    this.lease!.send(receiver, buffer, start, end, count, patience);
    if (this.lease!.pendingBytes > HIGH_WATER_BYTES) this.client.pauseInput();
  }

  /**
   * A connection of the client's own: at once, or null and `leaseArrived` or `leaseDenied` later. `urgently`: in any
   * database, for a command that does not depend on it.
   */
  borrow(urgently = false): UpstreamConnection | null {
    if (this.lease !== null || this.isAsking) return this.lease;
    const { session } = this.owner;
    const identity = this.backend.identityOf(session);
    this.wasUrgent = urgently;
    this.lease = this.backend.pool.acquire(identity, urgently ? null : session.state, this);
    this.isAsking = this.lease === null;
    if (this.lease !== null) this.agreeOnProtocol(this.lease);
    return this.lease;
  }

  /** The borrowed connection is in any database: good for what it was borrowed for, and nothing else. */
  get isInAnyState(): boolean {
    return this.lease !== null && this.wasUrgent;
  }

  /** Nobody waits for a borrowed connection any more. */
  stopAsking(): void {
    if (this.isAsking) this.backend.pool.withdraw(this);
    this.isAsking = false;
  }

  /** Returns the borrowed connection, clean. */
  giveBack(): void {
    const { lease } = this;
    if (lease === null) return;
    this.lease = null;
    // The client's reading speed must not outlive its use of the connection.
    lease.resumeReading();
    this.client.resumeInput();
    // What it was to become for us is still on its way: nobody else may have it, and nobody waits for it.
    if (lease.commandsInFlight > 0) this.backend.pool.discard(lease);
    else this.backend.pool.release(lease);
  }

  /** Drops the borrowed connection with whatever it holds: a reset cancels what waits upstream. */
  drop(): void {
    this.stopAsking();
    if (this.lease !== null) this.backend.pool.discard(this.lease);
    this.lease = null;
    this.client.resumeInput();
  }

  /** The client has left, or is as new: nothing upstream may be called what it was called. */
  leave(): void {
    this.drop();
    this.leaveLane();
    this.backend.pool.forgetName(this.owner.session.state.name);
  }

  /** The session's identity, database or protocol has changed: the lane is not its lane any more. */
  leaveLane(): void {
    this.lane = null;
  }

  /** A part of a reply came. Long replies move the client off the shared lanes for a while. */
  notePartialReply(): void {
    const isLong = (this.lease ?? this.lane)?.isCongested === true;
    if (!isLong) return;
    if (this.heavyUntil === 0) this.context.lingers(this.owner);
    this.heavyUntil = this.context.clock.now() + HEAVY_MS;
  }

  /** A client that reads slowly makes only its own connection slow. */
  slowDown(): void {
    const { lease } = this;
    const isSlowed = this.slowedAt !== null;
    if (lease === null || isSlowed || this.client.unreadBytes <= HIGH_WATER_BYTES) return;
    this.slowedAt = this.context.clock.now();
    lease.pauseReading();
    this.client.whenDrained(() => {
      this.slowedAt = null;
      // Given back meanwhile, it reads for somebody else and has been resumed.
      if (this.lease === lease) lease.resumeReading();
    });
  }

  granted(connection: UpstreamConnection): void {
    this.isAsking = false;
    // Not released: it may have been told already what this client wanted it to be, and owe replies (I7).
    if (this.owner.isGone || !this.client.isOpen) return this.backend.pool.discard(connection);
    this.lease = connection;
    this.agreeOnProtocol(connection);
    this.owner.leaseArrived(connection);
  }

  /** What was borrowed in whatever state it was answers as the client understands it; a busy server serves HELLO, too. */
  private agreeOnProtocol(connection: UpstreamConnection): void {
    connection.adopt({ ...connection.state, resp: this.owner.session.state.resp });
  }

  denied(cause: Error): void {
    this.isAsking = false;
    if (!this.owner.isGone) this.owner.leaseDenied(cause);
  }

  leaseLost(cause: Error, unsent: Unsent): void {
    this.lease = null;
    this.client.resumeInput();
    this.owner.leaseLost(cause, unsent);
  }

  leaseDrained(): void {
    this.client.resumeInput();
  }

  /** What the upstream says unasked on the borrowed connection goes to the client from now on. */
  passPushes(): void {
    this.lease?.takePushes((chunk, start, end) => {
      this.client.reply(chunk, start, end);
      this.slowDown();
    });
  }

  /** The moment to move to a calmer lane, or to a connection of its own. */
  private choosePlace(): void {
    // While the upstream is paused, one held-back write would hold back everybody behind it on a lane.
    const goesAlone = this.isHeavy || this.backend.silence.isPaused;
    if (goesAlone && this.borrow() !== null) return;
    // None at hand: the one that is being opened will be idle by the next time.
    this.stopAsking();
    if (this.lane === null || this.lane.isRetired || this.lane.isCongested) {
      this.lane = this.backend.laneFor(this.owner.session);
    }
  }
}
