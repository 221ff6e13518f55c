/**
 * Pinned connections: lent to one session while it needs a connection to itself (I7), kept for a while afterwards, and
 * lent again brought to the next session's state. A connection is in exactly one place: opening, idle, or lent.
 *
 *        acquire                     release (nothing in flight, clean)
 *   opening ──► lent ◄────────────► idle ──(unused for a while)──► closed
 *                 └── discard (dirty, or its client left) ──► reset
 */
import type { Backoff } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import { FRESH_STATE, type ConnectionState, type Identity } from '../command/connection-state.js';
import { UpstreamConnection, type ConnectionOptions, type Unsent } from './connection.js';
import { CredentialsRefused } from './greeting.js';

/** Who borrows. `granted` or `denied` is called once per request that was not served at once. */
export interface LeaseHolder {
  granted(connection: UpstreamConnection): void;
  denied(cause: Error): void;
  /** The lent connection is gone; it has told its receivers. `unsent` never left. */
  leaseLost(cause: Error, unsent: Unsent): void;
  /** The upstream takes bytes again. */
  leaseDrained(): void;
}

export interface PoolOptions {
  readonly connectionFor: (identity: Identity, state: ConnectionState) => ConnectionOptions;
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** Connections, whatever their state. */
  readonly maxConnections: number;
  /** How long a request waits. */
  readonly holdMs: number;
  readonly onChange: (cause: Error | null) => void;
  readonly onDelivered: () => boolean | void;
}

interface Waiter {
  readonly holder: LeaseHolder;
  readonly identity: Identity;
  readonly state: ConnectionState | null;
  readonly since: number;
}

interface Idle {
  readonly connection: UpstreamConnection;
  readonly since: number;
}

const IDLE_MS = 30_000;
const CHECK_MS = 25;
/** How many idle connections are looked at for one that is already in the wanted state. */
const MATCH_DEPTH = 16;

export class Pool {
  private readonly idle = new Map<Identity, Idle[]>();
  private readonly lent = new Map<UpstreamConnection, LeaseHolder>();
  private readonly opening = new Map<UpstreamConnection, Identity>();
  private waiters: Waiter[] = [];
  private check: Timer | null = null;
  private nextAttemptAt = 0;
  private lastProblem: Error | null = null;
  private closed = false;

  constructor(private readonly options: PoolOptions) {}

  get lentCount(): number {
    return this.lent.size;
  }
  get idleCount(): number {
    let count = 0;
    for (const connections of this.idle.values()) count += connections.length;
    return count;
  }
  get commandsInFlight(): number {
    let sum = 0;
    for (const connection of this.lent.keys()) sum += connection.commandsInFlight;
    return sum;
  }
  get waitingCount(): number {
    return this.waiters.length;
  }

  /**
   * A connection in `state` at once, or null: then `holder` is told later. `state` null: in whatever state it is, so that
   * nothing need be said first that an upstream busy with a script would refuse.
   */
  acquire(
    identity: Identity,
    state: ConnectionState | null,
    holder: LeaseHolder,
  ): UpstreamConnection | null {
    const connection = this.takeIdle(identity, state);
    if (connection !== null) {
      this.lend(connection, state, holder);
      return connection;
    }
    this.waiters.push({ holder, identity, state, since: this.options.clock.now() });
    this.openWhatIsMissing();
    this.check ??= this.options.clock.every(CHECK_MS, () => this.expire());
    return null;
  }

  /** The holder does not want to wait any longer. */
  withdraw(holder: LeaseHolder): void {
    this.waiters = this.waiters.filter((waiter) => waiter.holder !== holder);
  }

  /** Takes back a clean connection. */
  release(connection: UpstreamConnection): void {
    if (!this.lent.delete(connection) || connection.isLost) return;
    if (connection.commandsInFlight > 0)
      throw new Error('I7: a connection with commands in flight was released');
    if (this.serveWaiter(connection)) return;
    const connections = this.idle.get(connection.identity) ?? [];
    connections.push({ connection, since: this.options.clock.now() });
    this.idle.set(connection.identity, connections);
  }

  /** Drops a lent connection that is, or may be, dirty. What it was waiting for upstream is cancelled by its reset. */
  discard(connection: UpstreamConnection): void {
    this.lent.delete(connection);
    connection.abandon();
    this.openWhatIsMissing();
  }

  /** Closes what has been idle for long; called about once a second. */
  sweep(): void {
    const limit = this.options.clock.now() - IDLE_MS;
    for (const [identity, connections] of this.idle) {
      const kept = connections.filter((idle) => idle.since > limit);
      for (const idle of connections) if (idle.since <= limit) idle.connection.abandon();
      if (kept.length === 0) this.idle.delete(identity);
      else this.idle.set(identity, kept);
    }
  }

  close(): void {
    this.closed = true;
    this.check?.cancel();
    for (const connections of this.idle.values())
      connections.forEach((idle) => idle.connection.abandon());
    for (const connection of [...this.lent.keys(), ...this.opening.keys()]) connection.abandon();
    this.idle.clear();
    this.lent.clear();
    this.opening.clear();
  }

  /** The most recently used one, better still one that needs no commands to be brought to `state`. */
  private takeIdle(identity: Identity, state: ConnectionState | null): UpstreamConnection | null {
    const connections = this.idle.get(identity);
    if (connections === undefined || connections.length === 0) return null;
    let best = connections.length - 1;
    for (let index = best; index >= 0 && index > connections.length - MATCH_DEPTH; index -= 1) {
      if (state !== null && sameState(connections[index]!.connection.state, state)) {
        best = index;
        break;
      }
    }
    return connections.splice(best, 1)[0]!.connection;
  }

  private lend(
    connection: UpstreamConnection,
    state: ConnectionState | null,
    holder: LeaseHolder,
  ): void {
    this.lent.set(connection, holder);
    if (state !== null) connection.adopt(state);
  }

  private serveWaiter(connection: UpstreamConnection): boolean {
    const index = this.waiters.findIndex((waiter) => waiter.identity === connection.identity);
    if (index === -1) return false;
    const { holder, state } = this.waiters.splice(index, 1)[0]!;
    this.lend(connection, state, holder);
    holder.granted(connection);
    return true;
  }

  /** One opening per waiter, as far as the limit and the pause after a failure allow. */
  private openWhatIsMissing(): void {
    if (this.closed || this.options.clock.now() < this.nextAttemptAt) return;
    const promised = new Map<Identity, number>();
    for (const identity of this.opening.values())
      promised.set(identity, (promised.get(identity) ?? 0) + 1);
    for (const { identity, state } of this.waiters) {
      const left = promised.get(identity) ?? 0;
      if (left > 0) promised.set(identity, left - 1);
      else if (this.makeRoom(identity)) this.openOne(identity, state ?? FRESH_STATE);
      else return;
    }
  }

  /** At the limit, an idle connection of somebody else makes room. */
  private makeRoom(wanted: Identity): boolean {
    if (this.lent.size + this.opening.size + this.idleCount < this.options.maxConnections)
      return true;
    for (const [identity, connections] of this.idle) {
      if (identity === wanted || connections.length === 0) continue;
      connections.shift()!.connection.abandon();
      return true;
    }
    return false;
  }

  private openOne(identity: Identity, state: ConnectionState): void {
    const connection = new UpstreamConnection(this.options.connectionFor(identity, state), {
      onReady: (ready) => this.onReady(ready),
      onLost: (lost, cause, unsent) => this.onLost(lost, cause, unsent),
      onDrain: (drained) => this.lent.get(drained)?.leaseDrained(),
      onDelivered: this.options.onDelivered,
    });
    this.opening.set(connection, identity);
  }

  private onReady(connection: UpstreamConnection): void {
    this.opening.delete(connection);
    this.options.backoff.reset();
    this.lastProblem = null;
    this.lent.set(connection, NOBODY);
    this.options.onChange(null);
    this.release(connection);
  }

  private onLost(connection: UpstreamConnection, cause: Error, unsent: Unsent): void {
    const holder = this.lent.get(connection);
    this.lent.delete(connection);
    const connections = this.idle.get(connection.identity);
    if (connections !== undefined) {
      this.idle.set(
        connection.identity,
        connections.filter((idle) => idle.connection !== connection),
      );
    }
    if (this.opening.delete(connection)) {
      this.lastProblem = cause;
      this.nextAttemptAt = this.options.clock.now() + this.options.backoff.next();
      if (cause instanceof CredentialsRefused)
        this.deny((waiter) => waiter.identity === connection.identity, cause);
    }
    if (!connection.expectsClose) this.options.onChange(cause);
    holder?.leaseLost(cause, unsent);
  }

  private expire(): void {
    // As in a lane: a silence that is explained is waited out.
    for (const connection of this.opening.keys()) if (connection.isSilencedByOthers) return;
    const deadline = this.options.clock.now() - this.options.holdMs;
    const cause =
      this.lastProblem ?? new Error('no connection to the upstream became free in time');
    this.deny((waiter) => waiter.since <= deadline, cause);
    if (this.waiters.length > 0) return this.openWhatIsMissing();
    this.check?.cancel();
    this.check = null;
  }

  private deny(chosen: (waiter: Waiter) => boolean, cause: Error): void {
    const denied = this.waiters.filter(chosen);
    if (denied.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !chosen(waiter));
    for (const { holder } of denied) holder.denied(cause);
    this.options.onDelivered();
  }
}

const NOBODY: LeaseHolder = { granted() {}, denied() {}, leaseLost() {}, leaseDrained() {} };

function sameState(a: ConnectionState, b: ConnectionState): boolean {
  return (
    a.db === b.db &&
    a.resp === b.resp &&
    a.name === b.name &&
    a.libraryName === b.libraryName &&
    a.libraryVersion === b.libraryVersion
  );
}
