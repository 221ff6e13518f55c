/**
 * Pinned connections: lent to one session while it needs a connection to itself (I7), kept for a while afterwards, and
 * lent again brought to the next session's state. A connection is in exactly one place: opening, idle, or lent.
 *
 *        acquire                     release (nothing in flight, clean)
 *   opening ──► lent ◄────────────► idle ──(unused for a while)──► closed
 *                 └── discard (dirty, or its client left) ──► reset
 *
 * Who waits is denied after `holdMs`; while the upstream is suspended nobody is, and nothing is opened.
 */
import type { Clock, Timer } from '../base/clock.js';
import { FRESH_STATE, type ConnectionState, type Identity } from '../command/connection-state.js';
import { UpstreamConnection, type ConnectionOptions, type Unsent } from './connection.js';
import { GreetingRefused } from './greeting.js';
import type { Knocking } from './knocking.js';

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
  /** Whether its connections can be brought to another database; where not, what is said next would run in the wrong one. */
  readonly maySelect: (identity: Identity) => boolean;
  readonly clock: Clock;
  readonly knocking: Knocking;
  /** Connections, whatever their state. */
  readonly maxConnections: number;
  /** How long a request waits. */
  readonly holdMs: number;
  readonly onReady: () => void;
  /** A connection is lost, or could not be made. */
  readonly onLost: (connection: UpstreamConnection, cause: Error) => void;
  /** Requests are about to be denied because no connection can be made. */
  readonly onHoldExpired: (cause: Error) => void;
  readonly onDelivered: () => boolean | void;
}

interface Wanted {
  readonly identity: Identity;
  readonly state: ConnectionState;
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
  private readonly opening = new Map<UpstreamConnection, Wanted>();
  private waiters: Waiter[] = [];
  private check: Timer | null = null;
  private attempt: Timer | null = null;
  private lastProblem: Error | null = null;
  private phase: 'open' | 'suspended' | 'closed' = 'open';

  constructor(private readonly options: PoolOptions) {}

  get lentCount(): number {
    return this.lent.size;
  }
  /** Whoever can do without a connection should. */
  get isScarce(): boolean {
    return this.lent.size > this.options.maxConnections / 2;
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
    if (connection.isNameless) return connection.abandon();
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

  /** A client that was called so has left, or begun anew: CLIENT LIST must not show what is kept as if it were there. */
  forgetName(name: string): void {
    if (name === '') return;
    for (const { connection } of [...this.idle.values()].flat())
      if (connection.state.name === name) connection.adopt({ ...connection.state, name: '' });
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

  /**
   * Gives up every connection and denies those who wait; whoever asks from now on waits until `resume`, however long that
   * takes.
   */
  suspend(cause: Error): void {
    this.phase = 'suspended';
    this.stopOpening();
    const { waiters } = this;
    this.waiters = [];
    const idle = [...this.idle.values()].flat();
    this.idle.clear();
    for (const { connection } of idle) connection.abandon();
    for (const connection of [...this.opening.keys(), ...this.lent.keys()]) connection.fail(cause);
    for (const { holder } of waiters) holder.denied(cause);
    this.options.onDelivered();
  }

  resume(): void {
    this.phase = 'open';
    this.lastProblem = null;
    this.options.knocking.reset();
    const since = this.options.clock.now();
    this.waiters = this.waiters.map((waiter) => ({ ...waiter, since }));
    this.openWhatIsMissing();
  }

  close(): void {
    this.phase = 'closed';
    this.check?.cancel();
    this.stopOpening();
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
    let best = -1;
    const deepest = Math.max(0, connections.length - MATCH_DEPTH);
    for (let index = connections.length - 1; index >= deepest; index -= 1) {
      const { connection } = connections[index]!;
      if (best < 0 && this.canServe(connection, state)) best = index;
      if (state === null || !sameState(connection.state, state)) continue;
      best = index;
      break;
    }
    return best < 0 ? null : connections.splice(best, 1)[0]!.connection;
  }

  private canServe(connection: UpstreamConnection, wanted: ConnectionState | null): boolean {
    const isThere = wanted === null || connection.state.db === wanted.db;
    return isThere || this.options.maySelect(connection.identity);
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
    const { identity } = connection;
    const isServed = (one: Waiter): boolean =>
      one.identity === identity && this.canServe(connection, one.state);
    const urgent = this.waiters.findIndex((one) => isUrgent(one) && isServed(one));
    const index = urgent >= 0 ? urgent : this.waiters.findIndex(isServed);
    if (index === -1) return false;
    const { holder, state } = this.waiters.splice(index, 1)[0]!;
    this.lend(connection, state, holder);
    holder.granted(connection);
    return true;
  }

  /** One opening per waiter, as far as the limit and the pause after a loss allow. */
  private openWhatIsMissing(): void {
    if (this.phase !== 'open' || this.waiters.length === 0) return;
    const { pauseMs } = this.options.knocking;
    if (pauseMs > 0) {
      this.attempt ??= this.options.clock.after(pauseMs, () => {
        this.attempt = null;
        this.openWhatIsMissing();
      });
      return;
    }
    const promises = new Promises(this.opening.values());
    const inOrder = [
      ...this.waiters.filter(isUrgent),
      ...this.waiters.filter((one) => !isUrgent(one)),
    ];
    for (const waiter of inOrder) {
      if (promises.take(waiter)) continue;
      if (!this.makeRoom()) return;
      this.openOne(waiter.identity, waiter.state ?? FRESH_STATE);
    }
  }

  /** At the limit, an idle connection that serves nobody who waits makes room. */
  private makeRoom(): boolean {
    if (this.lent.size + this.opening.size + this.idleCount < this.options.maxConnections)
      return true;
    for (const connections of this.idle.values()) {
      if (connections.length === 0) continue;
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
    this.opening.set(connection, { identity, state });
  }

  private stopOpening(): void {
    this.attempt?.cancel();
    this.attempt = null;
  }

  private onReady(connection: UpstreamConnection): void {
    this.opening.delete(connection);
    this.options.knocking.reset();
    this.lastProblem = null;
    this.lent.set(connection, NOBODY);
    this.options.onReady();
    this.release(connection);
  }

  private onLost(connection: UpstreamConnection, cause: Error, unsent: Unsent): void {
    const holder = this.lent.get(connection);
    this.lent.delete(connection);
    this.forgetIdle(connection);
    if (!connection.expectsClose) this.options.knocking.lost(connection.readySinceMs);
    const wanted = this.opening.get(connection);
    this.opening.delete(connection);
    if (wanted !== undefined) this.failedToOpen(wanted, cause);
    this.options.onLost(connection, cause);
    holder?.leaseLost(cause, unsent);
    this.openWhatIsMissing();
  }

  private failedToOpen({ identity, state }: Wanted, cause: Error): void {
    const concerns = cause instanceof GreetingRefused ? cause.concerns : 'server';
    if (concerns === 'server') {
      this.lastProblem = cause;
      return;
    }
    // What the upstream has against them in particular, it will have the next time too.
    this.deny((waiter) => {
      const isSame = concerns === 'identity' || sameState(waiter.state ?? FRESH_STATE, state);
      return waiter.identity === identity && isSame;
    }, cause);
  }

  private forgetIdle(connection: UpstreamConnection): void {
    const connections = this.idle.get(connection.identity);
    if (connections === undefined) return;
    const kept = connections.filter((idle) => idle.connection !== connection);
    this.idle.set(connection.identity, kept);
  }

  private expire(): void {
    if (this.waiters.length === 0) {
      this.check?.cancel();
      this.check = null;
      return;
    }
    // As in a lane: a silence that is explained is waited out.
    for (const connection of this.opening.keys()) if (connection.isSilencedByOthers) return;
    const deadline = this.options.clock.now() - this.options.holdMs;
    const isLate = this.waiters.some((waiter) => waiter.since <= deadline);
    if (this.phase !== 'open' || !isLate) return this.openWhatIsMissing();
    // Where all connections are lent, nothing is wrong with the upstream.
    const isAway = this.lastProblem !== null || this.opening.size > 0;
    const cause =
      this.lastProblem ?? new Error('no connection to the upstream became free in time');
    if (isAway) this.options.onHoldExpired(cause);
    // That may have ended in `suspend`.
    if (this.phase === 'open') this.deny((waiter) => waiter.since <= deadline, cause);
    this.openWhatIsMissing();
  }

  private deny(chosen: (waiter: Waiter) => boolean, cause: Error): void {
    const denied = this.waiters.filter(chosen);
    if (denied.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !chosen(waiter));
    for (const { holder } of denied) holder.denied(cause);
    this.options.onDelivered();
  }
}

/** It takes a connection as it is: what it has to say must not wait. */
function isUrgent({ state }: Waiter): boolean {
  return state === null;
}

/** Connections that are being opened: each serves one waiter, an urgent one only if nothing is to be said on it first. */
class Promises {
  private readonly plain = new Map<Identity, number>();
  private readonly others = new Map<Identity, number>();

  constructor(opening: Iterable<Wanted>) {
    for (const { identity, state } of opening) {
      const counts = sameState(state, FRESH_STATE) ? this.plain : this.others;
      counts.set(identity, (counts.get(identity) ?? 0) + 1);
    }
  }

  /** Whether one of them will serve `waiter`; it is counted as taken then. */
  take(waiter: Waiter): boolean {
    const { identity } = waiter;
    const isServed = (counts: Map<Identity, number>): boolean => {
      const left = counts.get(identity) ?? 0;
      if (left > 0) counts.set(identity, left - 1);
      return left > 0;
    };
    return (!isUrgent(waiter) && isServed(this.others)) || isServed(this.plain);
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
