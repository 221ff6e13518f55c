/**
 * An outage of the test's making: how things stand is what the test says, the outage store is a stream whose replies the
 * test gives, and the journal is a `HandJournal`. What a dispatcher sees of outages, for tests of dispatchers.
 */
import { silentLogger } from '../../src/base/logger.js';
import type { Identity, IdentityRegister } from '../../src/command/connection-state.js';
import { OutageRules } from '../../src/command/rules.js';
import type { Outbox } from '../../src/downstream/outbox.js';
import type { Journal } from '../../src/journal/journal.js';
import type { Mode } from '../../src/outage/health.js';
import { JournalDesk } from '../../src/outage/journal-desk.js';
import { PendingKeys } from '../../src/outage/pending-keys.js';
import type { Backend } from '../../src/proxy/backend.js';
import { Observer } from '../../src/proxy/observer.js';
import type { OutageView } from '../../src/proxy/outage-view.js';
import type { Ambiguity } from '../../src/proxy/recovery.js';
import type { Fences } from '../../src/upstream/fences.js';
import { Upstream } from '../../src/upstream/upstream.js';
import type { FakeClock } from './fake-clock.js';
import { FakeTransport, type FakeStream } from './fake-transport.js';
import { HandJournal } from './hand-journal.js';

export interface TestOutageParts {
  readonly clock: FakeClock;
  readonly outbox: Outbox;
  readonly identities: IdentityRegister;
  /** The sidecar's own. */
  readonly identity: Identity;
  readonly fences: () => Fences;
  /** Every client looks again where it stands. */
  readonly modeChanged: () => void;
}

const STORE_HOLD_MS = 30_000;

export class TestOutage implements OutageView {
  mode: Mode = 'through';
  rules = new OutageRules([]);
  ambiguity: Ambiguity = 'repeat';
  answersReads = true;
  buffersWrites = true;
  holdMs = 1000;
  databases = 16;
  /** How far the upstream's wall clock goes ahead of ours. */
  aheadMs = 0;
  readonly journal = new HandJournal();
  readonly desk: JournalDesk;
  /** Keys whose records have not reached the upstream, as words. */
  readonly waitingKeys = new Set<string>();
  /** What `cannotServe` says, and does. */
  serves: (error: string, waitedMs: number) => boolean = () => true;
  /** Errors that `cannotServe` was asked about, with how long it took until then: `LOADING, 50 ms`. */
  readonly unserved: string[] = [];
  /** `idle`, `settled`, `store ahead`, as the desk says it. */
  readonly notes: string[] = [];
  /** Identities beside the sidecar's own that have its rights. */
  readonly sameRights = new Set<Identity>();
  /** Each life of the store has a transport of its own. */
  transport = new FakeTransport();
  private upstream: Upstream | null = null;
  private readonly tasks = new Set<() => void>();

  constructor(private readonly parts: TestOutageParts) {
    this.desk = new JournalDesk({
      clock: parts.clock,
      pendingKeys: new PendingKeys(),
      onIdle: () => void this.notes.push('idle'),
      onSettled: () => void this.notes.push('settled'),
      onStoreAhead: () => void this.notes.push('store ahead'),
      onReleased: () => parts.outbox.flush(),
    });
    this.journal.onSettled = (throughSeq, problem) => this.desk.settled(throughSeq, problem);
    this.desk.serve(this.journal as unknown as Journal);
  }

  // ── what the dispatcher asks ─────────────────────────────────────────────────────────────────────

  readonly store: Backend = this.asBackend();

  get fences(): Fences {
    return this.parts.fences();
  }

  cannotServe(error: string, waitedMs: number): boolean {
    this.unserved.push(`${error.split(' ')[0]}, ${waitedMs} ms`);
    return this.serves(error, waitedMs);
  }

  wallMs(): number {
    return this.parts.clock.wallMs() + this.aheadMs;
  }

  reason(): string {
    return 'the upstream is away, and this needs its data';
  }

  ownsRights(identity: Identity): boolean {
    return identity === this.parts.identity || this.sameRights.has(identity);
  }

  acceptedIdentity(user: string | null, password: string): Identity | null {
    return this.parts.identities.accepted(user, password);
  }

  endsSoon = true;

  isReadable(_db: number, keys: readonly Buffer[] | null): boolean {
    if (keys === null) return this.waitingKeys.size === 0;
    return !keys.some((key) => this.waitingKeys.has(key.toString('latin1')));
  }

  whenMoved(task: () => void): void {
    this.tasks.add(task);
  }

  neverMind(task: () => void): void {
    this.tasks.delete(task);
  }

  // ── what the test says ───────────────────────────────────────────────────────────────────────────

  /** Things stand like this from now on. */
  enter(mode: Mode): void {
    this.mode = mode;
    this.parts.modeChanged();
    this.moved();
  }

  /** More has been replayed. */
  moved(): void {
    const tasks = [...this.tasks];
    this.tasks.clear();
    for (const task of tasks) task();
  }

  /** The store begins, and its lane is there. */
  startStore(): void {
    this.upstream = this.newUpstream();
    this.openLane();
  }

  /** What is in flight on the store comes back; nobody may ask it any more. */
  endStore(): void {
    this.upstream!.suspend(new Error('the outage is over'));
    this.upstream!.close();
  }

  /** The store is made anew: what was in flight comes back, and goes to the next one. */
  restartStore(): void {
    const before = this.transport.streams.length;
    this.upstream!.suspend(new Error('the outage store is made again'));
    this.upstream!.resume();
    this.parts.clock.endTick();
    const streams = this.transport.streams.slice(before);
    for (const stream of streams) stream.open();
    streams[0]!.sent();
    streams[0]!.say('+OK\r\n');
    this.parts.clock.endTick();
  }

  /** The store's shared lane: its first stream. */
  get lane(): FakeStream {
    return this.transport.streams[0]!;
  }
  /** The stream that was opened last. */
  get own(): FakeStream {
    return this.transport.last;
  }

  private openLane(): void {
    this.lane.open();
    this.lane.say('+OK\r\n');
    this.lane.sent();
  }

  private newUpstream(): Upstream {
    const { clock, outbox, identities } = this.parts;
    this.transport = new FakeTransport();
    return new Upstream({
      transport: this.transport,
      identity: identities.identityOf(null),
      initialDb: 0,
      clock,
      random: () => 0.5,
      logger: silentLogger,
      traffic: new Observer(),
      timeoutMs: STORE_HOLD_MS,
      slowTimeoutMs: STORE_HOLD_MS,
      busyWaitMs: STORE_HOLD_MS,
      holdMs: STORE_HOLD_MS,
      sharedLanes: 1,
      maxPinned: 10,
      isFenced: false,
      onFailure: () => undefined,
      onDelivered: () => outbox.flush(),
    });
  }

  private asBackend(): Backend {
    const current = (): Upstream => this.upstream!;
    const nobody = (): Identity => this.parts.identities.identityOf(null);
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
      laneFor: (session) => current().lane(nobody(), session.state),
      identityOf: nobody,
    };
  }
}
