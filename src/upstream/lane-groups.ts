/**
 * All lanes of one upstream, in groups of the same kind: which one a client is to use, when one more is made, and when
 * one goes. Lanes are kept by (identity, database, protocol); the home group is the sidecar's own and stays.
 */
import type { Clock } from '../base/clock.js';
import type { ConnectionState, Identity } from '../command/connection-state.js';
import type { Lane } from './lane.js';

export interface LaneGroupsOptions {
  readonly clock: Clock;
  readonly home: { readonly identity: Identity; readonly state: ConnectionState };
  /** Lanes per group. */
  readonly sharedLanes: number;
  readonly newLane: (identity: Identity, state: ConnectionState, place: LanePlace) => Lane;
}

/** Where a lane stands: the first of the home group knocks for all, the others there follow it. */
export type LanePlace = 'first at home' | 'at home' | 'elsewhere';

/** Extra lanes of a group while others are blocked by long replies. */
const RELIEF_LANES = 2;
/** All lanes of all identities, databases and protocols. */
const MAX_LANES = 1024;
const LANE_IDLE_MS = 60_000;

interface LaneGroup {
  readonly lanes: Lane[];
  next: number;
}

export class LaneGroups {
  private readonly groups = new Map<string, LaneGroup>();
  private readonly home: LaneGroup = { lanes: [], next: 0 };

  constructor(private readonly options: LaneGroupsOptions) {
    const { identity, state } = options.home;
    this.groups.set(keyOf(identity, state), this.home);
  }

  get all(): Lane[] {
    return [...this.groups.values()].flatMap((group) => group.lanes);
  }
  get atHome(): readonly Lane[] {
    return this.home.lanes;
  }
  get count(): number {
    return this.sum(() => 1);
  }

  sum(of: (lane: Lane) => number): number {
    let sum = 0;
    for (const group of this.groups.values()) for (const lane of group.lanes) sum += of(lane);
    return sum;
  }

  /** A lane of this kind: the calmest of its group, in turn. */
  choose(identity: Identity, state: ConnectionState): Lane {
    const group = this.groupOf(keyOf(identity, state));
    const { lanes } = group;
    const calm = lanes.filter((lane) => !lane.isCongested);
    const most = this.options.sharedLanes + (calm.length === 0 ? RELIEF_LANES : 0);
    const isWanted = lanes.length < most && (calm.length === 0 || group.next >= calm.length);
    if (isWanted && (this.hasRoomBesides(group) || lanes.length === 0)) {
      const lane = this.options.newLane(identity, state, this.placeIn(group));
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

  /** Closes lanes that nobody uses; called about once a second. */
  sweep(): void {
    const now = this.options.clock.now();
    for (const [key, group] of this.groups) {
      if (group === this.home) continue;
      const idle = group.lanes.filter((lane) => lane.idleForMs(now) > LANE_IDLE_MS);
      for (const lane of idle) this.retire(lane, group);
      if (group.lanes.length === 0) this.groups.delete(key);
    }
  }

  close(): void {
    for (const lane of this.all) lane.retire();
    this.groups.clear();
    this.home.lanes.length = 0;
  }

  private groupOf(key: string): LaneGroup {
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { lanes: [], next: 0 };
      this.groups.set(key, group);
    }
    return group;
  }

  private placeIn(group: LaneGroup): LanePlace {
    if (group !== this.home) return 'elsewhere';
    return group.lanes.length === 0 ? 'first at home' : 'at home';
  }

  private hasRoomBesides(group: LaneGroup): boolean {
    return this.count < MAX_LANES || this.retireIdlest(group);
  }

  /** At the limit, the lane that has been idle for longest makes room. False: all others are in use. */
  private retireIdlest(wanted: LaneGroup): boolean {
    const now = this.options.clock.now();
    let idlest: { lane: Lane; group: LaneGroup; idleMs: number } | null = null;
    for (const group of this.groups.values()) {
      if (group === wanted || group === this.home) continue;
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
}

function keyOf(identity: Identity, state: ConnectionState): string {
  return `${identity.id}/${state.db}/${state.resp}`;
}
