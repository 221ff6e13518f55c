/**
 * The upstream as the rest of the program sees it: lanes to share, connections to borrow, and whether it is there.
 * Lanes are kept by (identity, database, protocol) and made when first needed.
 */
import { Backoff } from '../base/backoff.js';
import type { Transport } from '../base/byte-stream.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { FRESH_STATE, type ConnectionState, type Identity } from '../command/connection-state.js';
import {
  TimeoutError,
  type ConnectionKind,
  type ConnectionOptions,
  type UpstreamTraffic,
} from './connection.js';
import { CredentialsRefused } from './greeting.js';
import { Lane } from './lane.js';
import { Pool } from './pool.js';
import { Silence } from './silence.js';

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
  readonly holdMs: number;
  /** Lanes per (identity, database, protocol). */
  readonly sharedLanes: number;
  readonly maxPinned: number;
  readonly onFailure: (reason: FailureReason) => void;
  /** Receivers may write now: all replies of a chunk have been handed over. False: the chunk is free. */
  readonly onDelivered: () => boolean | void;
}

/** The label `reason` of `respool_upstream_failures_total`. */
export type FailureReason = 'refused' | 'reset' | 'timeout' | 'credentials' | 'closed' | 'other';

/** Name under which the shared connections appear in the upstream's CLIENT LIST. */
const LANE_NAME = 'respool';
/** Extra lanes of a group while others are blocked by long replies. */
const RELIEF_LANES = 2;
/** All lanes of all identities, databases and protocols. */
const MAX_LANES = 1024;
const LANE_IDLE_MS = 60_000;
const SWEEP_MS = 1000;
const BACKOFF = { firstMs: 50, factor: 1.5, jitter: 0.25 };
const LONGEST_PAUSE_MS = 500;
/** Part of the hold that a pause may take, so that a command held from its beginning still sees an attempt. */
const PAUSE_SHARE_OF_HOLD = 0.4;

interface LaneGroup {
  readonly lanes: Lane[];
  next: number;
}

export class Upstream {
  readonly pool: Pool;
  private readonly groups = new Map<string, LaneGroup>();
  readonly silence: Silence;
  private readonly sweeper: Timer;
  private readonly homeKey: string;
  private wasReady: boolean | null = null;
  private draining = false;

  constructor(private readonly options: UpstreamOptions) {
    this.silence = new Silence(options.clock);
    this.pool = new Pool({
      connectionFor: (identity, state) => this.connectionOptions('pinned', identity, state),
      clock: options.clock,
      backoff: this.newBackoff(),
      maxConnections: options.maxPinned,
      holdMs: options.holdMs,
      onChange: (cause) => cause !== null && this.noteFailure(cause),
      onDelivered: options.onDelivered,
    });
    this.sweeper = options.clock.every(SWEEP_MS, () => this.sweep());
    const home = this.homeState;
    this.homeKey = laneKey(options.identity, home);
    this.lane(options.identity, home);
  }

  /** The state a client begins in. */
  get homeState(): ConnectionState {
    return { ...FRESH_STATE, db: this.options.initialDb };
  }
  /** A shared connection stands ready. */
  get isConnected(): boolean {
    return this.groups.get(this.homeKey)?.lanes.some((lane) => lane.isReady) ?? false;
  }
  get laneCount(): number {
    return this.sumLanes(() => 1);
  }
  get readyLaneCount(): number {
    return this.sumLanes((lane) => (lane.isReady ? 1 : 0));
  }
  get pendingBytes(): number {
    return this.sumLanes((lane) => lane.pendingBytes);
  }
  get waitingCommands(): number {
    return this.sumLanes((lane) => lane.queuedCommands) + this.pool.waitingCount;
  }
  /** Commands sent and not answered, on lanes and on lent connections. */
  get commandsInFlight(): number {
    return this.sumLanes((lane) => lane.commandsInFlight) + this.pool.commandsInFlight;
  }
  /** The upstream wants a password and the sidecar itself has none to give. */
  get refusesStrangers(): boolean {
    return this.groups.get(this.homeKey)?.lanes.some((lane) => lane.refusesStrangers) ?? false;
  }

  /**
   * A lane for a client in this state: the calmest of its group, in turn. Never call it for a client that awaits replies
   * on another lane (I4).
   */
  lane(identity: Identity, state: ConnectionState): Lane {
    const key = laneKey(identity, state);
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { lanes: [], next: 0 };
      this.groups.set(key, group);
    }
    const { lanes } = group;
    const calm = lanes.filter((lane) => !lane.isCongested);
    const most = this.options.sharedLanes + (calm.length === 0 ? RELIEF_LANES : 0);
    const isWanted = lanes.length < most && (calm.length === 0 || group.next >= calm.length);
    if (isWanted && (this.hasRoomBesides(group) || lanes.length === 0)) {
      const lane = this.newLane(identity, state);
      lanes.push(lane);
      group.next = 0;
      return lane;
    }
    const candidates = calm.length > 0 ? calm : lanes;
    group.next = (group.next % candidates.length) + 1;
    const lane = candidates[group.next - 1]!;
    lane.touch();
    return lane;
  }

  close(): void {
    this.draining = true;
    this.sweeper.cancel();
    this.pool.close();
    for (const group of this.groups.values()) group.lanes.forEach((lane) => lane.retire());
    this.groups.clear();
  }

  private hasRoomBesides(group: LaneGroup): boolean {
    return this.laneCount < MAX_LANES || this.retireIdlest(group);
  }

  /** At the limit, the lane that has been idle for longest makes room. False: all others are in use. */
  private retireIdlest(wanted: LaneGroup): boolean {
    const now = this.options.clock.now();
    let idlest: { lane: Lane; group: LaneGroup; idleMs: number } | null = null;
    for (const group of this.groups.values()) {
      if (group === wanted || group === this.groups.get(this.homeKey)) continue;
      for (const lane of group.lanes) {
        const idleMs = lane.idleForMs(now);
        if (idleMs > (idlest?.idleMs ?? 0)) idlest = { lane, group, idleMs };
      }
    }
    if (idlest === null) return false;
    this.retire(idlest.lane, idlest.group);
    return true;
  }

  private retire(lane: Lane, group: LaneGroup): void {
    lane.retire();
    group.lanes.splice(group.lanes.indexOf(lane), 1);
  }

  private newLane(identity: Identity, state: ConnectionState): Lane {
    // Under a client's own rights nothing is said that the client did not ask for (I8; ACL LOG would show it).
    const name = identity === this.options.identity ? LANE_NAME : '';
    const laneState = { ...FRESH_STATE, db: state.db, resp: state.resp, name };
    return new Lane({
      connection: this.connectionOptions('shared', identity, laneState),
      clock: this.options.clock,
      backoff: this.newBackoff(),
      eager: laneKey(identity, state) === this.homeKey,
      holdMs: this.options.holdMs,
      onChange: (_, cause) => this.noteChange(cause),
      onDelivered: this.options.onDelivered,
    });
  }

  private connectionOptions(
    kind: ConnectionKind,
    identity: Identity,
    state: ConnectionState,
  ): ConnectionOptions {
    const { transport, clock, traffic, timeoutMs, slowTimeoutMs } = this.options;
    const { silence } = this;
    return {
      kind,
      transport,
      identity,
      state,
      clock,
      traffic,
      timeoutMs,
      slowTimeoutMs,
      silence,
    };
  }

  private newBackoff(): Backoff {
    const { holdMs, random } = this.options;
    const maxMs = Math.max(
      BACKOFF.firstMs,
      Math.min(LONGEST_PAUSE_MS, holdMs * PAUSE_SHARE_OF_HOLD),
    );
    return new Backoff({ ...BACKOFF, maxMs, random });
  }

  /** One line per change of the whole, not one per lane and attempt. */
  private noteChange(cause: Error | null): void {
    if (cause !== null) this.noteFailure(cause);
    const ready = this.isConnected;
    if (this.draining || ready === this.wasReady) return;
    const upstream = this.options.transport.description;
    if (ready) this.options.logger.info('connected to the upstream', { upstream });
    else this.options.logger.warn('the upstream is away', { upstream, cause: cause?.message });
    this.wasReady = ready;
  }

  private noteFailure(cause: Error): void {
    if (!this.draining) this.options.onFailure(failureReason(cause));
  }

  private sweep(): void {
    this.pool.sweep();
    const now = this.options.clock.now();
    for (const [key, group] of this.groups) {
      if (key === this.homeKey) continue;
      const idle = group.lanes.filter((lane) => lane.idleForMs(now) > LANE_IDLE_MS);
      for (const lane of idle) this.retire(lane, group);
      if (group.lanes.length === 0) this.groups.delete(key);
    }
  }

  private sumLanes(of: (lane: Lane) => number): number {
    let sum = 0;
    for (const group of this.groups.values()) for (const lane of group.lanes) sum += of(lane);
    return sum;
  }
}

function laneKey(identity: Identity, state: ConnectionState): string {
  return `${identity.id}/${state.db}/${state.resp}`;
}

function failureReason(cause: Error): FailureReason {
  if (cause instanceof TimeoutError) return 'timeout';
  if (cause instanceof CredentialsRefused) return 'credentials';
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return 'refused';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'timeout';
  return cause.message.includes('closed') ? 'closed' : 'other';
}
