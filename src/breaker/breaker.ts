/**
 * The breaker: whether the upstream may be used. Others tell it what failed and what succeeded; while it is open it asks
 * by itself, with one probe at a time that is never a client's command, and nobody else's word counts.
 *
 *             too many failures, trip                the pause is over
 *   closed ──────────────────────────► open ◄──────────────────────────► half-open
 *      ▲                                        the probe failed             │
 *      └──────────────────────── the probe succeeded ────────────────────────┘
 *
 * An operator may hold it open or closed (`force`): then nothing moves it until it is automatic again. Knows no sockets
 * and no commands.
 */
import type { Clock, Timer } from '../base/clock.js';
import { ProbeSchedule } from './probe-schedule.js';
import { TripRule, type FailureRate } from './trip-rule.js';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Consecutive failures that open it. */
  readonly failures: number;
  readonly rate: FailureRate | null;
  /** Pause before the first probe of an outage. */
  readonly firstPauseMs: number;
  /** What the pauses grow to. Jitter adds up to a quarter. */
  readonly longestPauseMs: number;
  /** Starts the one probe; it calls back once, within its own deadline. Answers that nobody awaits any more are ignored. */
  readonly probe: (done: (problem: Error | null) => void) => void;
  /**
   * Called after each change of state. `cause`: what opened it, or what the probe found when it goes from half-open back
   * to open; null when it closes, when a probe begins, and when an operator moved it.
   */
  readonly onChange: (state: BreakerState, cause: Error | null) => void;
}

type Situation =
  | { readonly state: 'closed' }
  | { readonly state: 'open'; readonly timer: Timer | null; readonly probeAtMs: number | null }
  | { readonly state: 'half-open'; readonly probe: number };

export class Breaker {
  private situation: Situation = { state: 'closed' };
  private readonly rule: TripRule;
  private readonly schedule: ProbeSchedule;
  private probes = 0;
  private isStopped = false;
  private openedAt: number | null = null;
  private operatorWants: 'open' | 'closed' | null = null;
  private cause: Error | null = null;

  constructor(private readonly options: BreakerOptions) {
    this.rule = new TripRule(options);
    this.schedule = new ProbeSchedule(options);
  }

  get state(): BreakerState {
    return this.situation.state;
  }
  /** Failures since the last success; those that opened it are kept until it closes. */
  get consecutiveFailures(): number {
    return this.rule.consecutiveFailures;
  }
  /** On the monotonic clock: when it left `closed`; null while closed. */
  get openedAtMs(): number | null {
    return this.openedAt;
  }
  /** Until the next probe; 0 while one is out, null when none is planned. */
  get nextProbeInMs(): number | null {
    const { situation } = this;
    if (situation.state === 'half-open') return 0;
    if (situation.state === 'closed' || situation.probeAtMs === null) return null;
    return Math.max(0, situation.probeAtMs - this.options.clock.now());
  }
  /** What an operator holds it at; null when it is automatic. */
  get forced(): 'open' | 'closed' | null {
    return this.operatorWants;
  }
  /** The last failure it was told of, by others or by the probe; null when there was none yet. */
  get lastCause(): Error | null {
    return this.cause;
  }

  /** Something was tried and failed. Counts while closed; opens at the limit. */
  failed(cause: Error): void {
    this.cause = cause;
    if (this.state === 'closed' && this.rule.failed() && this.operatorWants === null)
      this.open(cause);
  }

  /** `calls` succeeded. Cheap: it is called for every run of replies. */
  succeeded(calls = 1): void {
    if (this.situation.state === 'closed') this.rule.succeeded(calls);
  }

  /**
   * Opens at once. Does nothing while open or half-open: the probe decides then. False: an operator holds it closed, and
   * whoever trips it must go on as if nothing had happened.
   */
  trip(cause: Error): boolean {
    this.cause = cause;
    if (this.operatorWants === 'closed') return false;
    if (this.state === 'closed') this.open(cause);
    return true;
  }

  /**
   * Holds it open (nothing probes) or closed (nothing opens it), or makes it automatic again. Automatic goes on from where
   * it is: held open, it is open and the first probe comes after the first pause.
   */
  force(to: 'open' | 'closed' | 'auto'): void {
    const before = this.operatorWants;
    this.operatorWants = to === 'auto' ? null : to;
    if (to === 'open') this.holdOpen();
    else if (to === 'closed') this.becomeClosed();
    else if (before === 'open') {
      this.schedule.opened(this.options.clock.now());
      this.awaitProbe();
    }
  }

  /** The sidecar stops: no more probes, no more changes. */
  close(): void {
    this.isStopped = true;
    this.cancelTimer();
  }

  // ── transitions ──────────────────────────────────────────────────────────────────────────────────

  private open(cause: Error): void {
    const now = this.options.clock.now();
    this.openedAt = now;
    this.schedule.opened(now);
    this.awaitProbe();
    this.changed(cause);
  }

  private holdOpen(): void {
    const wasOpen = this.state === 'open';
    this.cancelTimer();
    this.openedAt ??= this.options.clock.now();
    this.situation = { state: 'open', timer: null, probeAtMs: null };
    if (!wasOpen) this.changed(null);
  }

  private becomeClosed(): void {
    if (this.state === 'closed') return;
    this.cancelTimer();
    this.rule.reset();
    this.openedAt = null;
    this.schedule.closed(this.options.clock.now());
    this.situation = { state: 'closed' };
    this.changed(null);
  }

  /** Open, with the next probe planned. */
  private awaitProbe(): void {
    if (this.isStopped) return;
    const { clock } = this.options;
    const pauseMs = this.schedule.next();
    const timer = clock.after(pauseMs, () => this.sendProbe());
    this.situation = { state: 'open', timer, probeAtMs: clock.now() + pauseMs };
  }

  private sendProbe(): void {
    this.probes += 1;
    const probe = this.probes;
    this.situation = { state: 'half-open', probe };
    this.changed(null);
    // An operator may have moved it meanwhile.
    if (this.isOut(probe)) this.options.probe((problem) => this.probed(probe, problem));
  }

  private probed(probe: number, problem: Error | null): void {
    if (this.isStopped || !this.isOut(probe)) return;
    if (problem === null) {
      this.becomeClosed();
      return;
    }
    this.cause = problem;
    this.awaitProbe();
    this.changed(problem);
  }

  private isOut(probe: number): boolean {
    return this.situation.state === 'half-open' && this.situation.probe === probe;
  }

  private cancelTimer(): void {
    if (this.situation.state === 'open') this.situation.timer?.cancel();
  }

  private changed(cause: Error | null): void {
    if (!this.isStopped) this.options.onChange(this.state, cause);
  }
}
