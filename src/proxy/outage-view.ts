/** What a dispatcher sees of outages: how things stand, and what to do its part with. Filled by the composition root. */
import type { Identity } from '../command/connection-state.js';
import type { OutageRules } from '../command/rules.js';
import type { Mode } from '../outage/health.js';
import type { JournalDesk } from '../outage/journal-desk.js';
import type { Fences } from '../upstream/fences.js';
import type { Backend } from './backend.js';
import type { Ambiguity } from './recovery.js';

export interface OutageView {
  readonly mode: Mode;
  /** The outage store. */
  readonly store: Backend;
  /** How many databases the store has; clients in others are refused. */
  readonly databases: number;
  readonly desk: JournalDesk;
  readonly fences: Fences;
  readonly rules: OutageRules;
  readonly ambiguity: Ambiguity;
  /** Reads get an answer from the store (`outage-reads`); writes go to the journal (`outage-writes`). */
  readonly answersReads: boolean;
  readonly buffersWrites: boolean;
  /** The upstream's wall clock, as far as it is known: expiries are judged by it. */
  wallMs(): number;
  /** How long a command waits for something better than its outage treatment. */
  readonly holdMs: number;
  /**
   * The upstream answered that it cannot serve now: it counts as a failure; what has waited for `waitedMs` is enough of
   * one. False: it never could, pass it on.
   */
  cannotServe(error: string, waitedMs: number): boolean;
  /** Why the upstream cannot be asked and when the next try is, for people. */
  reason(): string;
  /** Replay acts with the sidecar's own rights: nobody else's commands may be done in an outage (I8). */
  ownsRights(identity: Identity): boolean;
  /** The identity that the upstream has accepted these credentials for in this process's life, or null. */
  acceptedIdentity(user: string | null, password: string): Identity | null;
  /** Replay may be over before a command has waited for as long as it may; not when it is paused, or long. */
  readonly endsSoon: boolean;
  isReadable(db: number, keys: readonly Buffer[] | null): boolean;
  /** Calls `task` once, as soon as more has been replayed or the mode has changed; unless `neverMind` comes first. */
  whenMoved(task: () => void): void;
  neverMind(task: () => void): void;
}
