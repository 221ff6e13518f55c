/**
 * What `GET /status`, `RESPOOL STATUS`, `INFO respool` and `respool status` show: the sidecar's condition at one moment,
 * as plain JSON. The composition root fills it. Fields may be added, never renamed (CONTRACT.md, "Admin HTTP"), and all
 * are always there: where nothing can be away (the embedded engine) they are those of `NEVER_AWAY`.
 */
import type { Breaker, BreakerState } from '../breaker/breaker.js';
import type { Transition } from './transitions.js';

/** The state of the whole sidecar. `holding`: the upstream connection is lost or not yet made, commands wait. */
export const CONDITIONS = ['healthy', 'holding', 'outage', 'replaying', 'draining'] as const;
export type Condition = (typeof CONDITIONS)[number];

/**
 * One stretch of time in one condition. Not called `condition`, as the present one is: whoever looks for that in the JSON
 * with grep must find one.
 */
export interface ConditionSpell {
  readonly to: Condition;
  /** When it began: ISO 8601, UTC. */
  readonly time: string;
  /** What had failed, as the upstream or the system said it: text of others. Null where nothing had. */
  readonly cause: string | null;
  /** How long it lasted; null while it does. */
  readonly seconds: number | null;
}

export interface BreakerStatus {
  readonly state: BreakerState;
  readonly consecutiveFailures: number;
  /** Null while it is closed. */
  readonly openedSecondsAgo: number | null;
  /** What an operator holds it at (`RESPOOL BREAKER OPEN|CLOSE`); null when it is automatic. */
  readonly forced: 'open' | 'closed' | null;
  /** Null when none is planned: closed, or held open. */
  readonly nextProbeInSeconds: number | null;
  /** The last failure of the upstream, kept after it has recovered; null when there was none. */
  readonly lastCause: string | null;
}

export interface JournalStatus {
  /** Not yet replayed. */
  readonly records: number;
  /** Of these records. */
  readonly bytes: number;
  /** Age of the oldest of them; null when there is none. */
  readonly oldestSeconds: number | null;
  readonly deadLetters: number;
  /** It is on disk: what it holds survives the process. */
  readonly durable: boolean;
  /** Why it takes no writes at this moment, as a clause of its own; null when it takes them. */
  readonly refuses: string | null;
  /** Option journal-max-bytes; 0 when there is no journal. */
  readonly maxBytes: number;
}

export interface ReplayStatus {
  readonly active: boolean;
  /** An operator said so (`RESPOOL JOURNAL PAUSE`). */
  readonly paused: boolean;
  /** Records since the process began. */
  readonly replayed: number;
  readonly remaining: number;
  /** Records of the replay that is under way; 0 when none is. */
  readonly done: number;
  /** Its speed so far, and how long the rest takes at that; null when that cannot be said. */
  readonly perSecond: number;
  readonly secondsToGo: number | null;
}

/** Whether a script keeps the upstream from serving, and how many commands wait for its end. */
export interface BusyStatus {
  readonly active: boolean;
  /** How long it has lasted; null when there is none. */
  readonly sinceSeconds: number | null;
  readonly waiting: number;
}

export interface SidecarStatus {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly condition: Condition;
  readonly conditionSinceSeconds: number;
  /** The last ones, oldest first; the last one is the present one. */
  readonly conditions: readonly ConditionSpell[];
  readonly upstream: {
    /** Masked: it never holds a password. */
    readonly url: string;
    /** Whether the upstream answered last time it was asked. */
    readonly connected: boolean;
    /** Open shared connections. */
    readonly lanes: number;
  };
  readonly breaker: BreakerStatus;
  readonly journal: JournalStatus;
  readonly replay: ReplayStatus;
  readonly busy: BusyStatus;
  readonly commands: {
    /** Of clients, since the process began. */
    readonly total: number;
    /** Over the last seconds. */
    readonly perSecond: number;
  };
  /** The last ones of the breaker, oldest first. */
  readonly transitions: readonly Transition[];
  readonly clients: {
    readonly connected: number;
    /** Clients that hold an upstream connection of their own at this moment. */
    readonly pinned: number;
  };
}

/** The fields of a sidecar whose upstream lives in the same process: no breaker to open, no journal to write. */
export const NEVER_AWAY: Pick<SidecarStatus, 'breaker' | 'journal' | 'replay' | 'transitions'> = {
  breaker: {
    state: 'closed',
    consecutiveFailures: 0,
    openedSecondsAgo: null,
    forced: null,
    nextProbeInSeconds: null,
    lastCause: null,
  },
  journal: {
    records: 0,
    bytes: 0,
    oldestSeconds: null,
    deadLetters: 0,
    durable: false,
    refuses: null,
    maxBytes: 0,
  },
  replay: {
    active: false,
    paused: false,
    replayed: 0,
    remaining: 0,
    done: 0,
    perSecond: 0,
    secondsToGo: null,
  },
  transitions: [],
};

/** No script keeps the upstream from serving. */
export const NOT_BUSY: BusyStatus = { active: false, sinceSeconds: null, waiting: 0 };

/** Milliseconds as the status shows them: seconds with one decimal. */
export function inSeconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}

/** The breaker's part of the status. */
export function breakerStatus(breaker: Breaker, nowMs: number): BreakerStatus {
  const { openedAtMs, nextProbeInMs } = breaker;
  return {
    state: breaker.state,
    consecutiveFailures: breaker.consecutiveFailures,
    openedSecondsAgo: openedAtMs === null ? null : inSeconds(nowMs - openedAtMs),
    forced: breaker.forced,
    nextProbeInSeconds: nextProbeInMs === null ? null : inSeconds(nextProbeInMs),
    lastCause: breaker.lastCause?.message ?? null,
  };
}
