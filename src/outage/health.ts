/**
 * The condition of the whole: where commands go at this moment, and the one place where that changes. Puts together what
 * knows nothing of each other: the breaker, the upstream, the outage store, the journal and the replayer.
 *
 *   through ──breaker opens──► outage ──the probe succeeds──► replaying ──few are left──► change-over
 *      ▲                         ▲                              │  │                         │
 *      │                         └───────connection lost────────┘  └── nothing left ──┐      │
 *      └──────────────────────────────────────────────────────────────────────────────┴──────┘
 *
 * `through` is healthy and holding. Every command is routed by `mode`; whoever waits for it to change is told.
 */
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Breaker, BreakerState } from '../breaker/breaker.js';
import type { Journal } from '../journal/journal.js';
import { TimeoutError } from '../upstream/connection.js';
import type { Upstream } from '../upstream/upstream.js';
import type { JournalDesk } from './journal-desk.js';
import type { OutageStore } from './outage-store.js';
import type { PendingKeys } from './pending-keys.js';
import type { Replayer } from './replay/replayer.js';

/**
 * - `through` commands go to the upstream; while it is not connected its lanes hold them.
 * - `outage` to the outage store, writes to the journal.
 * - `replaying` as in an outage, but reads of what is not waiting in the journal go to the upstream again.
 * - `change-over` the last records are on their way: writes are held for a moment, so that none overtakes (I4).
 */
export type Mode = 'through' | 'outage' | 'replaying' | 'change-over';

export interface HealthParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly breaker: Breaker;
  readonly upstream: Upstream;
  readonly store: OutageStore;
  readonly journal: Journal;
  readonly desk: JournalDesk;
  readonly pendingKeys: PendingKeys;
  readonly replayer: Replayer;
  /** Replies of the upstream since the process began. */
  readonly repliesSoFar: () => number;
  /** How long writes may be held in a change-over. */
  readonly holdMs: number;
  /** Told after each change of `mode`; every client looks again where it stands. */
  readonly onModeChange: (mode: Mode) => void;
}

const OPENED_BY_HAND = new Error('an operator opened the breaker');
const COUNT_REPLIES_MS = 1000;
const REPLAY_AGAIN_MS = 1000;
/** With fewer records left than this, writes are held until the last one is in. */
const CHANGE_OVER_RECORDS = 512;

export class Health {
  mode: Mode = 'through';
  private readonly waiting = new Set<() => void>();
  private changeOverTimer: Timer | null = null;
  private openedAtMs: number | null = null;
  /** Why it was away when that was last told, since it was last healthy. */
  private toldCause: string | null = null;
  /** False: it went for the reason it had gone before, as it does each second where replay is refused. */
  private isNews = true;
  private repliesTold = 0;
  /** Since replay began. */
  private hasCaughtUp = false;
  private replayTimer: Timer | null = null;
  private readonly counting: Timer;

  constructor(private readonly parts: HealthParts) {
    this.counting = parts.clock.every(COUNT_REPLIES_MS, () => this.countReplies());
  }

  /** Records left by an earlier process are replayed before anything else. */
  start(): void {
    // A process that was killed at the very end may have left its cursor.
    if (this.parts.journal.pendingRecords === 0) return this.parts.replayer.deleteCursor();
    this.parts.logger.warn('the journal holds writes of an earlier run: replaying them first', {
      records: this.parts.journal.pendingRecords,
    });
    this.parts.pendingKeys.noteAll(this.parts.journal.lastSeq);
    this.parts.store.begin();
    this.enter('replaying');
    this.startReplay();
  }

  stop(): void {
    this.counting.cancel();
    this.stopReplay();
    this.parts.breaker.close();
    this.parts.store.end();
  }

  /** For how long the upstream has been away; null when it is not. */
  get outageMs(): number | null {
    return this.openedAtMs === null ? null : this.parts.clock.now() - this.openedAtMs;
  }

  /** A read of these keys of database `db` may be answered by the upstream: no record that touches them waits. */
  isReadable(db: number, keys: readonly Buffer[] | null): boolean {
    const { pendingKeys, replayer, journal } = this.parts;
    if (keys === null) return replayer.appliedSeq >= journal.lastSeq;
    return keys.every((key) => pendingKeys.seqOf(db, key) <= replayer.appliedSeq);
  }

  /** Calls `task` once, as soon as more has been replayed or the mode has changed. */
  whenMoved(task: () => void): void {
    this.waiting.add(task);
  }

  neverMind(task: () => void): void {
    this.waiting.delete(task);
  }

  // ── what happens ─────────────────────────────────────────────────────────────────────────────────

  /** The upstream failed in some way; the breaker counts. Silence in the midst of work needs no second opinion. */
  upstreamFailed(cause: Error): void {
    this.countReplies();
    // An outage may be about to begin; booting takes longer than five refused connections.
    if (this.mode === 'through') this.parts.store.prepare();
    if (cause instanceof TimeoutError) this.parts.breaker.trip(cause);
    else this.parts.breaker.failed(cause);
  }

  /** Tells the breaker of what went well since it was last told; nobody need do so for every reply. */
  private countReplies(): void {
    const replies = this.parts.repliesSoFar();
    const calls = replies - this.repliesTold;
    this.repliesTold = replies;
    if (calls > 0) this.parts.breaker.succeeded(calls);
  }

  /** A reply said that the upstream cannot serve; it has been counted among the good ones. */
  upstreamRefused(cause: Error): void {
    this.repliesTold += 1;
    this.upstreamFailed(cause);
  }

  /** Commands have been held for as long as they may. */
  holdExpired(cause: Error): void {
    this.parts.breaker.trip(cause);
  }

  breakerChanged(state: BreakerState, cause: Error | null): void {
    if (state === 'open' && this.mode !== 'outage') this.beginOutage(cause ?? OPENED_BY_HAND);
    else if (state === 'closed' && this.mode === 'outage') this.beginReplay();
  }

  /** The upstream has everything up to and with `appliedSeq`. */
  applied(): void {
    this.move();
    const { journal, replayer } = this.parts;
    if (this.mode === 'replaying' && journal.lastSeq - replayer.appliedSeq < CHANGE_OVER_RECORDS)
      this.beginChangeOver();
  }

  /** The replayer has heard the upstream, and found nothing more to do. */
  caughtUp(): void {
    this.hasCaughtUp = true;
    this.endIfDone();
  }

  /** No write is on its way any more. */
  idle(): void {
    this.endIfDone();
  }

  private endIfDone(): void {
    const { journal, desk, replayer } = this.parts;
    const isReplaying = this.mode === 'replaying' || this.mode === 'change-over';
    if (!isReplaying || !this.hasCaughtUp || !desk.isIdle) return;
    if (replayer.appliedSeq >= journal.lastSeq) this.endOutage();
  }

  /** Unless an operator holds the breaker closed, that is an outage again. */
  replayFailed(cause: Error): void {
    this.parts.breaker.trip(cause);
    if (this.mode === 'outage' || this.mode === 'through') return;
    this.replayTimer = this.parts.clock.after(REPLAY_AGAIN_MS, () => this.startReplay());
  }

  /** The store has applied a write that the journal refused: it must be made again from the journal. */
  storeIsAhead(): void {
    this.parts.store.rebuild();
  }

  private beginOutage(cause: Error): void {
    const { upstream, store, logger } = this.parts;
    this.openedAtMs ??= this.parts.clock.now();
    const { message } = cause;
    this.isNews = message !== this.toldCause;
    this.toldCause = message;
    logger[this.isNews ? 'warn' : 'debug'](
      'outage: the upstream is away, writes go to the journal',
      { cause: message },
    );
    this.stopReplay();
    store.begin();
    // First the mode: what the upstream gives back must find its way to the store.
    this.enter('outage');
    upstream.suspend(cause);
  }

  private beginReplay(): void {
    const { upstream, journal, logger } = this.parts;
    upstream.resume();
    logger[this.isNews ? 'info' : 'debug']('the upstream is back', {
      records: journal.pendingRecords,
    });
    this.enter('replaying');
    this.startReplay();
  }

  private startReplay(): void {
    this.hasCaughtUp = false;
    this.parts.replayer.start();
  }

  private stopReplay(): void {
    this.changeOverTimer?.cancel();
    this.replayTimer?.cancel();
    this.parts.replayer.stop();
  }

  private beginChangeOver(): void {
    this.enter('change-over');
    this.changeOverTimer = this.parts.clock.after(this.parts.holdMs, () => {
      if (this.mode === 'change-over') this.enter('replaying');
    });
  }

  private endOutage(): void {
    const { replayer, store, logger } = this.parts;
    this.stopReplay();
    logger.info('healthy again', { outageMs: Math.round(this.outageMs ?? 0) });
    this.openedAtMs = null;
    this.toldCause = null;
    this.enter('through');
    // What clients still await from the store comes back to them, and goes to the upstream.
    store.end();
    replayer.deleteCursor();
  }

  private enter(mode: Mode): void {
    this.mode = mode;
    this.parts.onModeChange(mode);
    this.move();
  }

  private move(): void {
    const tasks = [...this.waiting];
    this.waiting.clear();
    for (const task of tasks) task();
  }
}
