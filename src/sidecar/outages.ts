/**
 * The part of the composition root that deals with outages: breaker, probe, journal, outage store, replayer and the
 * condition that they make up together. Built only where there is an upstream that can go away.
 */
import type { Transport } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { Breaker, type BreakerState } from '../breaker/breaker.js';
import type { Identity, IdentityRegister } from '../command/connection-state.js';
import { OutageRules } from '../command/rules.js';
import type { Config } from '../config/config.js';
import type { OutageGauges } from '../metrics/metric.js';
import type { EmbeddedEngine } from '../embedded/engine.js';
import { diskFiles } from '../journal/disk-files.js';
import { memoryFiles } from '../journal/memory-files.js';
import { Journal } from '../journal/journal.js';
import { Health, type Mode } from '../outage/health.js';
import { JournalDesk } from '../outage/journal-desk.js';
import { OutageStore } from '../outage/outage-store.js';
import { PendingKeys } from '../outage/pending-keys.js';
import { Replayer } from '../outage/replay/replayer.js';
import type { Backend } from '../proxy/backend.js';
import type { Observer } from '../proxy/observer.js';
import type { OutageView } from '../proxy/outage-view.js';
import type { OutageControl } from '../proxy/respool-command.js';
import { breakerStatus, inSeconds, type SidecarStatus } from '../proxy/status.js';
import { TransitionLog } from '../proxy/transitions.js';
import type { ConnectionEvents, UpstreamConnection } from '../upstream/connection.js';
import type { Fences } from '../upstream/fences.js';
import type { Probe } from '../upstream/probe.js';
import type { Upstream } from '../upstream/upstream.js';

export interface OutagesOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly observer: Observer;
  readonly upstream: Upstream;
  /** The sidecar's own. */
  readonly identity: Identity;
  readonly identities: IdentityRegister;
  readonly probe: Probe;
  /** An engine for the outage store: fresh, not started, without a snapshot. */
  readonly createEngine: () => EmbeddedEngine;
  readonly createStoreUpstream: (transport: Transport) => Upstream;
  /** A connection to the upstream for the replayer. */
  readonly connect: (events: ConnectionEvents) => UpstreamConnection;
  /** Writes what clients have been answered. */
  readonly flush: () => void;
  readonly onModeChange: (mode: Mode) => void;
}

/** Of an engine with its default configuration. */
const STORE_DATABASES = 16;
const SEGMENT_BYTES = 8 * 1024 * 1024;
const FIRST_PROBE_MS = 250;

/** Opens the journal and puts the rest around it. Rejects with an Error for people when the journal cannot be opened. */
export async function openOutages(options: OutagesOptions): Promise<Outages> {
  const { config, clock, logger, random } = options;
  const { directory, fsync, maxBytes } = config.journal;
  const pendingKeys = new PendingKeys();
  const late: { outages: Outages | null } = { outages: null };
  const desk = new JournalDesk({
    clock,
    pendingKeys,
    onIdle: () => late.outages?.health.idle(),
    onSettled: () => late.outages?.replayer.poke(),
    onStoreAhead: () => late.outages?.health.storeIsAhead(),
    onReleased: options.flush,
  });
  const journal = await Journal.open({
    files: directory === null ? memoryFiles() : diskFiles(directory),
    fsync,
    maxBytes,
    segmentBytes: SEGMENT_BYTES,
    clock,
    logger,
    random,
    onSettled: (throughSeq, problem) => desk.settled(throughSeq, problem),
  });
  desk.serve(journal);
  if (directory === null)
    logger.warn('the journal is in memory: what it holds is lost on exit', { maxBytes });
  const outages = new Outages(options, journal, desk, pendingKeys);
  late.outages = outages;
  return outages;
}

export class Outages implements OutageView {
  readonly health: Health;
  readonly breaker: Breaker;
  readonly replayer: Replayer;
  readonly store: Backend;
  readonly fences: Fences;
  rules: OutageRules;
  private readonly outageStore: OutageStore;
  readonly databases = STORE_DATABASES;
  private readonly transitions: TransitionLog;
  private readonly recoveredRecords: number;
  /** Why the breaker was open when it last was. */
  private toldCause: string | null = null;
  private wasToldOpen = false;

  constructor(
    private readonly options: OutagesOptions,
    readonly journal: Journal,
    readonly desk: JournalDesk,
    pendingKeys: PendingKeys,
  ) {
    const { config, clock, logger, upstream } = options;
    this.rules = config.rules;
    this.recoveredRecords = journal.pendingRecords;
    this.transitions = new TransitionLog(clock);
    this.fences = upstream.fences;
    this.breaker = this.createBreaker();
    this.outageStore = this.createStore();
    this.store = this.storeAsBackend();
    this.replayer = this.createReplayer();
    this.health = new Health({
      clock,
      logger,
      breaker: this.breaker,
      upstream,
      store: this.outageStore,
      journal,
      desk,
      pendingKeys,
      replayer: this.replayer,
      repliesSoFar: () => options.observer.upstreamReplies,
      holdMs: config.holdMs,
      onModeChange: options.onModeChange,
    });
  }

  get mode(): Mode {
    return this.health.mode;
  }
  get ambiguity(): Config['ambiguous'] {
    return this.options.config.ambiguous;
  }
  get answersReads(): boolean {
    return this.options.config.outageReads === 'answer';
  }
  get buffersWrites(): boolean {
    return this.options.config.outageWrites === 'buffer';
  }
  get holdMs(): number {
    return this.options.config.holdMs;
  }

  cannotServe(error: string, waitedMs: number): boolean {
    // A replica that clients were meant to read from says so to every write, and always will.
    if (error.startsWith('READONLY') && !this.options.probe.wasWritable) return false;
    if (this.options.upstream.demotion.explains(error)) return false;
    const cause = new Error(`the upstream says: ${error}`);
    this.health.upstreamRefused(cause);
    if (waitedMs < this.holdMs) return true;
    this.health.holdExpired(cause);
    // An operator who holds the breaker closed wants to hear it.
    return this.mode !== 'through';
  }

  /** What has failed at this moment, for people; null when nothing has. */
  get cause(): string | null {
    const { state, forced, consecutiveFailures, lastCause } = this.breaker;
    if (forced === 'open') return 'an operator opened the breaker';
    const isWell = state === 'closed' && consecutiveFailures === 0;
    return isWell ? null : (lastCause?.message ?? null);
  }

  reason(): string {
    if (this.health.mode !== 'outage')
      return `the upstream is back, and ${this.journal.pendingRecords} earlier writes have to reach it first`;
    const { nextProbeInMs, lastCause } = this.breaker;
    const cause = lastCause === null ? '' : ` (${lastCause.message})`;
    const next =
      nextProbeInMs === null
        ? ''
        : `, next try in ${Math.max(0.1, nextProbeInMs / 1000).toFixed(1)} s`;
    return `the upstream is away${cause}${next}, and this needs its data`;
  }

  /** Its part of what the sidecar says of itself. */
  status(): Pick<SidecarStatus, 'breaker' | 'journal' | 'replay' | 'transitions'> {
    const { journal, replayer, options } = this;
    const { clock, config } = options;
    const { oldestWallMs } = journal;
    const progress = replayer.progress;
    return {
      breaker: breakerStatus(this.breaker, clock.now()),
      journal: {
        records: journal.pendingRecords,
        bytes: journal.pendingBytes,
        oldestSeconds: oldestWallMs === null ? null : inSeconds(clock.wallMs() - oldestWallMs),
        deadLetters: journal.deadLetters.count,
        durable: journal.isDurable,
        refuses: journal.problem?.message ?? null,
        maxBytes: config.journal.maxBytes,
      },
      replay: {
        active: replayer.isActive && this.mode !== 'outage',
        paused: replayer.isPaused,
        replayed: replayer.replayedTotal,
        remaining: journal.pendingRecords,
        done: progress?.done ?? 0,
        perSecond: progress?.perSecond ?? 0,
        secondsToGo: progress?.secondsToGo ?? null,
      },
      transitions: this.transitions.list,
    };
  }

  gauges(): OutageGauges {
    const { journal, replayer, options } = this;
    const { oldestWallMs } = journal;
    const ageMs = oldestWallMs === null ? 0 : options.clock.wallMs() - oldestWallMs;
    return {
      breakerState: this.breaker.state,
      journalRecords: journal.pendingRecords,
      journalBytes: journal.pendingBytes,
      journalUsedBytes: journal.usedBytes,
      journalLimitBytes: options.config.journal.maxBytes,
      journalOldestSeconds: Math.max(0, ageMs / 1000),
      journalRecoveredRecords: this.recoveredRecords,
      journalAppendedTotal: journal.appendedTotal,
      replayedTotal: replayer.replayedTotal,
      renamedEntriesTotal: replayer.renamedEntriesTotal,
      deadLetters: journal.deadLetters.count,
    };
  }

  /** What an operator may do over RESP. */
  control(): OutageControl {
    return {
      forceBreaker: (to) => this.breaker.force(to),
      pauseReplay: () => this.replayer.pause(),
      resumeReplay: () => this.replayer.resume(),
      deadLetters: (limit) => this.journal.deadLetters.list(limit),
    };
  }

  useRules(rules: OutageRules): void {
    this.rules = rules;
    // What may pass unseen has changed.
    this.options.onModeChange(this.mode);
  }

  /** Writes that are on their way are settled; what the journal holds is replayed by the next run. */
  async close(): Promise<void> {
    this.health.stop();
    const records = this.journal.pendingRecords;
    const { config, logger } = this.options;
    const { directory } = config.journal;
    if (records > 0 && directory === null) logger.error('journaled writes are lost', { records });
    if (records > 0 && directory !== null)
      logger.warn('journaled writes wait for the next start', { records, directory });
    await this.journal.close();
  }

  wallMs(): number {
    const { probe, clock } = this.options;
    return probe.upstreamWallMs ?? clock.wallMs();
  }

  ownsRights(identity: Identity): boolean {
    const { identity: own, upstream } = this.options;
    return identity === own && (own.credentials !== null || !upstream.refusesStrangers);
  }

  acceptedIdentity(user: string | null, password: string): Identity | null {
    return this.options.identities.accepted(user, password);
  }

  get endsSoon(): boolean {
    const { replayer, options } = this;
    const secondsToGo = replayer.progress?.secondsToGo ?? 0;
    return !replayer.isPaused && (secondsToGo <= 1 || secondsToGo * 1000 <= options.config.holdMs);
  }

  isReadable(db: number, keys: readonly Buffer[] | null): boolean {
    return this.health.isReadable(db, keys);
  }

  whenMoved(task: () => void): void {
    this.health.whenMoved(task);
  }

  neverMind(task: () => void): void {
    this.health.neverMind(task);
  }

  private createBreaker(): Breaker {
    const { config, clock, random, probe, logger } = this.options;
    const { failures, rate, recoveryMs } = config.breaker;
    return new Breaker({
      clock,
      random,
      failures,
      rate,
      firstPauseMs: Math.min(FIRST_PROBE_MS, recoveryMs),
      longestPauseMs: recoveryMs,
      probe: (done) => probe.ask(done),
      onChange: (state, cause) => {
        this.transitions.note(state, cause);
        this.options.observer.breakerMoved(state);
        const level = this.isNews(state, cause) ? 'info' : 'debug';
        logger[level]('breaker', { state, cause: cause?.message });
        this.health.breakerChanged(state, cause);
      },
    });
  }

  /**
   * In a long outage each probe that fails brings two changes, and where replay is refused each one that succeeds does:
   * of these, one for another reason is news.
   */
  private isNews(state: BreakerState, cause: Error | null): boolean {
    if (state === 'half-open') return false;
    const { wasToldOpen, toldCause } = this;
    if (state === 'closed') {
      this.wasToldOpen = false;
      return wasToldOpen;
    }
    this.toldCause = cause?.message ?? null;
    const isNews = this.mode === 'through' || this.toldCause !== toldCause;
    this.wasToldOpen ||= isNews;
    return isNews;
  }

  private createStore(): OutageStore {
    const { createEngine, createStoreUpstream, clock, logger } = this.options;
    const { journal } = this;
    return new OutageStore({
      createEngine,
      createUpstream: createStoreUpstream,
      journal,
      clock,
      logger,
    });
  }

  /** While there is none, nobody asks. */
  private storeAsBackend(): Backend {
    const { outageStore, options } = this;
    const stranger = options.identities.identityOf(null);
    // The last one, when it has ended: there is something to give back to it.
    let last: Upstream | null = null;
    const current = (): Upstream => {
      last = outageStore.backend ?? last;
      if (last === null) throw new Error('the outage store was asked before it began');
      return last;
    };
    return {
      get pool() {
        return current().pool;
      },
      get silence() {
        return current().silence;
      },
      get kills() {
        return current().kills;
      },
      get demotion() {
        return current().demotion;
      },
      get busy() {
        return current().busy;
      },
      laneFor: (session) => current().lane(stranger, session.state),
      identityOf: () => stranger,
    };
  }

  private createReplayer(): Replayer {
    const { config, clock, logger, connect, upstream, observer } = this.options;
    const { journal } = this;
    return new Replayer({
      journal,
      connect,
      fences: upstream.fences,
      clock,
      logger,
      cursorKey: `${config.journal.cursorPrefix}cursor:${journal.id}`,
      ratePerSecond: config.journal.replayRate,
      onApplied: () => this.health.applied(),
      onCaughtUp: () => this.health.caughtUp(),
      onFailed: (cause) => this.health.replayFailed(cause),
      onDeadLetter: (label) => observer.deadLetter(label),
    });
  }
}

/** Where the upstream cannot go away: it lives in this process. */
export function withoutOutages(upstream: Upstream, clock: Clock): OutageView {
  const nothing = (): void => undefined;
  return {
    mode: 'through',
    get store(): never {
      throw new Error('there is no outage store');
    },
    desk: new JournalDesk({
      clock,
      pendingKeys: new PendingKeys(),
      onIdle: nothing,
      onSettled: nothing,
      onStoreAhead: nothing,
      onReleased: nothing,
    }),
    fences: upstream.fences,
    rules: NO_RULES,
    databases: 0,
    wallMs: () => clock.wallMs(),
    ambiguity: 'report',
    answersReads: false,
    buffersWrites: false,
    holdMs: 0,
    cannotServe: () => false,
    reason: () => '',
    ownsRights: () => false,
    acceptedIdentity: () => null,
    endsSoon: true,
    isReadable: () => false,
    whenMoved: nothing,
    neverMind: nothing,
  };
}

const NO_RULES = new OutageRules([]);
