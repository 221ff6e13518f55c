/**
 * The condition of the whole with everything around it in the test's hands: a real breaker whose probe the test answers,
 * a real desk over a `HandJournal`, and in place of the upstream, the outage store and the replayer what notes that it
 * was told something.
 */
import { silentLogger } from '../../src/base/logger.js';
import { Breaker } from '../../src/breaker/breaker.js';
import { Health, type HealthParts, type Mode } from '../../src/outage/health.js';
import { JournalDesk, type Depositor } from '../../src/outage/journal-desk.js';
import { PendingKeys } from '../../src/outage/pending-keys.js';
import { FakeClock } from './fake-clock.js';
import { HandJournal } from './hand-journal.js';
import { encodeCommand } from './raw-client.js';

export const CHANGE_OVER_MS = 1000;
export const FAILURES = 3;

/** What is done of the replayer's part. */
class HandReplayer {
  isActive = false;
  appliedSeq = 0;
  /** It has said that it is caught up, and nothing has come since. */
  starts = 0;

  constructor(private readonly note: (event: string) => void) {}

  start(): void {
    if (this.isActive) return;
    this.isActive = true;
    this.starts += 1;
    this.note('replayer starts');
  }
  stop(): void {
    if (this.isActive) this.note('replayer stops');
    this.isActive = false;
  }
  poke(): void {}
  deleteCursor(): void {
    this.note('cursor deleted');
  }
}

export class TestHealth {
  readonly clock = new FakeClock();
  readonly journal = new HandJournal();
  readonly pendingKeys = new PendingKeys();
  readonly breaker: Breaker;
  readonly replayer = new HandReplayer((event) => this.events.push(event));
  readonly desk: JournalDesk;
  readonly health: Health;
  /** `mode outage`, `upstream suspended`, `store begins`, `replayer starts` …, in order. */
  readonly events: string[] = [];
  isSuspended = false;
  hasStore = false;
  replies = 0;
  /** Answers the probe that is out; null when none is. */
  answerProbe: ((problem: Error | null) => void) | null = null;
  /** Called in each change of mode, where every client would look where it stands. */
  onModeChange: (mode: Mode) => void = () => undefined;

  constructor() {
    const { clock, journal, pendingKeys } = this;
    this.breaker = new Breaker({
      clock,
      random: () => 0.5,
      failures: FAILURES,
      rate: null,
      firstPauseMs: 250,
      longestPauseMs: 10_000,
      probe: (done) => (this.answerProbe = done),
      onChange: (state, cause) => this.health.breakerChanged(state, cause),
    });
    this.desk = new JournalDesk({
      clock,
      pendingKeys,
      onIdle: () => this.health.idle(),
      onSettled: () => undefined,
      onStoreAhead: () => this.health.storeIsAhead(),
      onReleased: () => undefined,
    });
    this.desk.serve(journal as never);
    journal.onSettled = (throughSeq, problem) => this.desk.settled(throughSeq, problem);
    this.health = new Health({
      clock,
      logger: silentLogger,
      breaker: this.breaker,
      desk: this.desk,
      pendingKeys,
      holdMs: CHANGE_OVER_MS,
      repliesSoFar: () => this.replies,
      onModeChange: (mode) => {
        this.events.push(`mode ${mode}`);
        this.onModeChange(mode);
      },
      ...this.#fakes(),
    });
  }

  /** The events since the last look; the tick has ended. */
  readonly seen = (): string[] => {
    this.clock.endTick();
    return this.events.splice(0);
  };

  /** The upstream is away. */
  away(): this {
    this.health.holdExpired(new Error('gone'));
    this.seen();
    return this;
  }

  /** It is away, and then the probe finds it again. */
  back(): this {
    this.away();
    this.probed(null);
    this.seen();
    return this;
  }

  /** The next probe goes out and is answered. */
  probed(problem: Error | null): void {
    while (this.answerProbe === null) this.clock.advance(250);
    const answer = this.answerProbe;
    this.answerProbe = null;
    answer(problem);
  }

  /** A client's write goes to the store; `wrote` is to follow. */
  write(): void {
    this.desk.enter(FRAME.length);
  }

  /** The store has answered it, and it is at the journal. */
  wrote(): void {
    const record = { db: 0, flags: 0, commands: 1, bytes: FRAME };
    this.desk.append(NOBODY, FRAME.length, record, [Buffer.from('k')]);
  }

  /** So many records are in the journal. */
  hold(records: number): this {
    for (let left = records; left > 0; left -= 1) {
      this.write();
      this.wrote();
    }
    this.journal.settle();
    this.seen();
    return this;
  }

  /** The upstream has everything up to `seq`. */
  applied(seq: number): void {
    this.replayer.appliedSeq = seq;
    this.journal.releasedSeq = Math.max(this.journal.releasedSeq, seq);
    this.health.applied();
  }

  /** The replayer has applied whatever has settled, and says so. */
  caughtUp(): void {
    this.applied(this.journal.settledSeq);
    this.health.caughtUp();
  }

  /** The replayer has lost its connection, or was refused. */
  failed(): void {
    this.replayer.isActive = false;
    this.health.replayFailed(new Error('replay failed'));
  }

  #fakes(): Pick<HealthParts, 'upstream' | 'store' | 'journal' | 'replayer'> {
    const upstream = {
      suspend: () => {
        this.isSuspended = true;
        this.events.push('upstream suspended');
      },
      resume: () => {
        this.isSuspended = false;
        this.events.push('upstream resumed');
      },
    };
    const store = {
      prepare: () => undefined,
      begin: () => {
        if (!this.hasStore) this.events.push('store begins');
        this.hasStore = true;
      },
      end: () => {
        if (this.hasStore) this.events.push('store ends');
        this.hasStore = false;
      },
      rebuild: () => void this.events.push('store made again'),
    };
    const { journal, replayer } = this;
    return { upstream, store, journal, replayer } as never;
  }
}

const FRAME = encodeCommand('SET', 'k', 'v');
const NOBODY: Depositor = { settled() {}, release() {} };
