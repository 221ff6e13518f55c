/**
 * The upstream as the rest of the program sees it: lanes to share, connections to borrow, and whether it is there.
 * Decides what of all that happens to connections is a failure, and suspends and resumes them together.
 */
import type { Transport } from '../base/byte-stream.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { FRESH_STATE, type ConnectionState, type Identity } from '../command/connection-state.js';
import { encodeCommand } from '../resp/encoder.js';
import type { ErrorJudge } from '../resp/reply-framer.js';
import { Busy } from './busy.js';
import {
  UpstreamConnection,
  type ConnectionEvents,
  type ConnectionKind,
  type ConnectionOptions,
  type UpstreamTraffic,
} from './connection.js';
import { TimeoutError } from './deadline.js';
import { Demotion } from './demotion.js';
import { concernsServer, failureReason, isFailure, type FailureReason } from './failure.js';
import { FenceKeeper } from './fence-keeper.js';
import type { Fences } from './fences.js';
import { Kills } from './kills.js';
import { Knocking } from './knocking.js';
import { LaneGroups, type LanePlace } from './lane-groups.js';
import { Lane } from './lane.js';
import { PROMPT } from './in-flight.js';
import { Pool } from './pool.js';
import type { ReplyWatch } from './reply-watch.js';
import { Silence } from './silence.js';
import { beginsWithOneOf, CANNOT_SERVE } from './unserved.js';

export type { FailureReason } from './failure.js';

export interface UpstreamOptions {
  readonly transport: Transport;
  /** Whose connections are kept ready; the sidecar's own. */
  readonly identity: Identity;
  readonly initialDb: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly traffic: UpstreamTraffic;
  readonly timeoutMs: number;
  readonly slowTimeoutMs: number;
  readonly busyWaitMs: number;
  readonly holdMs: number;
  /** Lanes per (identity, database, protocol). */
  readonly sharedLanes: number;
  readonly maxPinned: number;
  /** What was sent on a connection that was given up may still be run. Default true; false for an engine in this process. */
  readonly isFenced?: boolean;
  /** First words of errors that `ReplyReceiver.unserved` is asked about. Default: `CANNOT_SERVE`. */
  readonly unservedWords?: readonly string[];
  /** Who sees some of the replies that clients' commands get, for a log or a trace. */
  readonly watch?: ReplyWatch | null;
  /** A connection could not be made, or was lost with something on it. */
  readonly onFailure: (reason: FailureReason, cause: Error) => void;
  /** Commands, or requests for a connection, have waited for `holdMs` and are about to be refused. May `suspend`. */
  readonly onHoldExpired?: (cause: Error) => void;
  /** A script keeps the upstream from serving, or (with how long it took) does so no more. */
  readonly onBusyChange?: (episodeMs: number | null) => void;
  /** Receivers may write now: all replies of a chunk have been handed over. False: the chunk is free. */
  readonly onDelivered: () => boolean | void;
}

/** Name under which the shared connections appear in the upstream's CLIENT LIST. */
const LANE_NAME = 'respool';
const PING = encodeCommand(['PING']);
const SWEEP_MS = 1000;
/** Between two connections of a lane, and of the pool, of which the first was made and lost. */
const LANE_PERIOD_MS = 100;
const POOL_PERIOD_MS = 10;
/** Connections lost together are one failure: CLIENT KILL TYPE normal is no outage, however many there were. */
const SAME_LOSS_MS = 20;

export class Upstream {
  readonly pool: Pool;
  readonly silence: Silence;
  readonly kills: Kills;
  readonly demotion: Demotion;
  readonly busy: Busy;
  private readonly lanes: LaneGroups;
  private readonly keeper: FenceKeeper;
  private readonly unserved: ErrorJudge;
  private readonly sweeper: Timer;
  private suspendedBy: Error | null = null;
  private wasReady: boolean | null = null;
  private draining = false;
  private refusedStrangers = false;
  private lastLossAt = -Infinity;

  constructor(private readonly options: UpstreamOptions) {
    const { clock } = options;
    this.silence = new Silence(clock);
    this.kills = new Kills(clock);
    this.demotion = new Demotion(clock);
    this.busy = new Busy({
      clock,
      random: options.random,
      logger: options.logger,
      ask: (answered) => this.ask(PING, answered),
      onChange: (episodeMs) => options.onBusyChange?.(episodeMs),
    });
    this.keeper = new FenceKeeper(clock, () => this.readyHomeLane);
    this.unserved = beginsWithOneOf(options.unservedWords ?? CANNOT_SERVE);
    this.pool = new Pool({
      connectionFor: (identity, state) => ({
        ...this.connectionOptions('pinned', identity, state),
        kills: this.kills,
      }),
      maySelect: (identity) => identity === options.identity,
      clock,
      knocking: this.newKnocking(POOL_PERIOD_MS),
      maxConnections: options.maxPinned,
      holdMs: options.holdMs,
      onReady: () => this.noteChange(null),
      onLost: (connection, cause) => this.lost(connection, cause),
      onHoldExpired: (cause) => this.holdExpired(cause),
      onDelivered: options.onDelivered,
    });
    this.sweeper = clock.every(SWEEP_MS, () => this.sweep());
    const home = { identity: options.identity, state: this.homeState };
    this.lanes = new LaneGroups({
      clock,
      home,
      sharedLanes: options.sharedLanes,
      newLane: (identity, state, place) => this.newLane(identity, state, place),
    });
    this.lane(home.identity, home.state);
  }

  /** The state a client begins in. */
  get homeState(): ConnectionState {
    return { ...FRESH_STATE, db: this.options.initialDb };
  }
  /** A shared connection stands ready. */
  get isConnected(): boolean {
    return this.readyHomeLane !== null;
  }
  /** Nothing is sent to the upstream; see `suspend`. */
  get isSuspended(): boolean {
    return this.suspendedBy !== null;
  }
  /** Connections that were given up and may still run what they were told. */
  get fences(): Fences {
    return this.keeper.fences;
  }
  get laneCount(): number {
    return this.lanes.count;
  }
  get readyLaneCount(): number {
    return this.lanes.sum((lane) => (lane.isReady ? 1 : 0));
  }
  get pendingBytes(): number {
    return this.lanes.sum((lane) => lane.pendingBytes);
  }
  get waitingCommands(): number {
    return this.lanes.sum((lane) => lane.queuedCommands) + this.pool.waitingCount;
  }
  /** Commands sent and not answered, on lanes and on lent connections. */
  get commandsInFlight(): number {
    return this.lanes.sum((lane) => lane.commandsInFlight) + this.pool.commandsInFlight;
  }
  /** The upstream wants a password and the sidecar itself has none to give; as it was when it was last there. */
  get refusesStrangers(): boolean {
    const lane = this.readyHomeLane;
    if (lane !== null) this.refusedStrangers = lane.refusesStrangers;
    return this.refusedStrangers;
  }

  /**
   * A lane for a client in this state: the calmest of its group, in turn. Never call it for a client that awaits replies
   * on another lane (I4).
   */
  lane(identity: Identity, state: ConnectionState): Lane {
    return this.lanes.choose(identity, state);
  }

  /**
   * The upstream is away: gives up every connection and tells everybody who waits on one (`lose`, `refuse`, `leaseLost`,
   * `denied`, all before this returns). Until `resume` nothing is connected, what is sent on a lane is refused at the end
   * of its tick, and who asks for a connection waits without limit.
   */
  suspend(cause: Error): void {
    if (this.suspendedBy !== null || this.draining) return;
    this.suspendedBy = cause;
    for (const lane of this.lanes.all) lane.suspend(cause);
    this.pool.suspend(cause);
    this.keeper.fences.suspend();
    this.busy.end();
    this.noteChange(cause);
  }

  /** The upstream is back: what is needed is connected at once. */
  resume(): void {
    if (this.suspendedBy === null) return;
    this.suspendedBy = null;
    this.keeper.fences.resume();
    for (const lane of this.lanes.all) lane.resume();
    this.pool.resume();
  }

  /** A connection of the sidecar's own beside lanes and pool, also while suspended; it is the caller's to `abandon`. */
  openConnection(events: ConnectionEvents, state = FRESH_STATE): UpstreamConnection {
    const options = this.connectionOptions('pinned', this.options.identity, state);
    return new UpstreamConnection({ ...options, watch: null }, events);
  }

  close(): void {
    this.draining = true;
    this.sweeper.cancel();
    this.keeper.close();
    this.pool.close();
    this.lanes.close();
  }

  /** Asks something with the sidecar's own rights. `answered` is called once, later; with null when no reply will come. */
  ask(command: Buffer, answered: (reply: Buffer | null) => void): void {
    const parts: Buffer[] = [];
    const noReply = (): void => answered(null);
    const receiver = {
      receive(chunk: Buffer, start: number, end: number, completed: number): void {
        parts.push(Buffer.from(chunk.subarray(start, end)));
        if (completed > 0) answered(Buffer.concat(parts));
      },
      lose: noReply,
      refuse: noReply,
    };
    const lane = this.lane(this.options.identity, this.homeState);
    lane.send(receiver, command, 0, command.length, 1, PROMPT);
  }

  private newLane(identity: Identity, state: ConnectionState, place: LanePlace): Lane {
    // Under a client's own rights nothing is said that the client did not ask for (I8; ACL LOG would show it).
    const name = identity === this.options.identity ? LANE_NAME : '';
    const laneState = { ...FRESH_STATE, db: state.db, resp: state.resp, name };
    return new Lane({
      connection: this.connectionOptions('shared', identity, laneState),
      clock: this.options.clock,
      knocking: this.newKnocking(LANE_PERIOD_MS),
      // One lane knocks for all; the others follow when it is let in.
      eager: place === 'first at home',
      holdMs: this.options.holdMs,
      suspendedBy: this.suspendedBy,
      onReady: () => (place === 'elsewhere' ? undefined : this.homeIsReady()),
      onLost: (connection, cause) => this.lost(connection, cause),
      onHoldExpired: (cause) => this.holdExpired(cause),
      onDelivered: this.options.onDelivered,
    });
  }

  private connectionOptions(
    kind: ConnectionKind,
    identity: Identity,
    state: ConnectionState,
  ): ConnectionOptions {
    const { transport, clock, traffic, timeoutMs, slowTimeoutMs, busyWaitMs } = this.options;
    const { isFenced, watch } = this.options;
    const { silence, unserved } = this;
    // Under a client's own rights its connection is not asked for its id (I8), and so cannot be fenced.
    const isOwn = identity === this.options.identity;
    const fences = isOwn && isFenced !== false ? this.keeper.fences : null;
    return {
      kind,
      transport,
      identity,
      isClients: !isOwn,
      state,
      clock,
      traffic,
      timeoutMs,
      slowTimeoutMs,
      busyWaitMs,
      silence,
      fences,
      ask: isOwn ? (command, answered) => this.ask(command, answered) : null,
      unserved,
      watch: watch ?? null,
    };
  }

  private newKnocking(leastPeriodMs: number): Knocking {
    const { clock, holdMs, random } = this.options;
    return new Knocking({ clock, holdMs, random, leastPeriodMs });
  }

  private homeIsReady(): void {
    this.noteChange(null);
    this.keeper.work();
    for (const lane of this.lanes.atHome) lane.wake();
  }

  private lost(connection: UpstreamConnection, cause: Error): void {
    this.noteChange(cause);
    const { expectsClose, wasBusy, readySinceMs } = connection;
    const wasReady = readySinceMs !== null;
    const isOwn = connection.identity === this.options.identity;
    if (this.draining || this.isSuspended) return;
    if (!isFailure({ cause, expectsClose, wasReady, wasBusy, isOwn })) return;
    const now = this.options.clock.now();
    if (wasReady && !(cause instanceof TimeoutError)) {
      const isSameLoss = now - this.lastLossAt < SAME_LOSS_MS;
      this.lastLossAt = now;
      if (isSameLoss) return;
    }
    this.options.onFailure(failureReason(cause), cause);
  }

  private holdExpired(cause: Error): void {
    const isAway = !this.draining && !this.isSuspended && concernsServer(cause);
    if (isAway) this.options.onHoldExpired?.(cause);
  }

  /** One line per change of the whole, not one per lane and attempt. Whoever suspends it says so. */
  private noteChange(cause: Error | null): void {
    const ready = this.isConnected;
    // Who answers next may be another server, or the same one started anew.
    if (!ready) this.demotion.forget();
    if (this.draining || this.isSuspended || ready === this.wasReady) return;
    const upstream = this.options.transport.description;
    if (ready) this.options.logger.info('connected to the upstream', { upstream });
    else this.options.logger.warn('the upstream is away', { upstream, cause: cause?.message });
    this.wasReady = ready;
  }

  private sweep(): void {
    this.pool.sweep();
    this.lanes.sweep();
  }

  private get readyHomeLane(): Lane | null {
    return this.lanes.atHome.find((lane) => lane.isReady) ?? null;
  }
}
