/**
 * One client's wait for the end of a script that keeps the upstream from serving (SEMANTICS §5): what was refused because
 * of it, and for how long the client is made to wait. After that -BUSY is passed on, until the script has ended.
 *
 *   refused ──► held ──the script has ended──► said again
 *                 └── busy-wait is over ──► the refusals are the answers
 */
import type { Timer } from '../base/clock.js';
import type { SessionEffect } from '../command/table.js';
import type { ProxyContext } from './context.js';
import { consequenceOf, type Held } from './held-replies.js';
import type { TransactionDispatch } from './transaction-dispatch.js';

export interface BusyWaitHost {
  readonly isInTransaction: boolean;
  answerHere(reply: Buffer): boolean;
  /** What is to end the script may stand behind what waits for it. */
  beginsToWait(): void;
  goOn(): void;
}

/** A server answers these while a script runs, as do we. SCRIPT KILL is `urgent`. */
const SERVED_WHEN_BUSY: ReadonlySet<SessionEffect> = new Set([
  'urgent',
  'auth',
  'hello',
  'quit',
  'reset',
  'hang-up',
  'own',
]);

/** The command need not wait for the end of a script. */
export function isServedWhenBusy(effect: SessionEffect, args: readonly Buffer[]): boolean {
  return SERVED_WHEN_BUSY.has(effect) || isShutdown(args);
}

function isShutdown(args: readonly Buffer[]): boolean {
  return args[0]!.toString('latin1').toLowerCase() === 'shutdown';
}

export class BusyWait {
  private sinceMs: number | null = null;
  private held: readonly Held[] | null = null;
  private timer: Timer | null = null;
  private sayAgain: (() => void) | null = null;

  constructor(
    private readonly host: BusyWaitHost,
    private readonly transactions: TransactionDispatch,
    private readonly context: ProxyContext,
  ) {}

  /** Commands were refused and wait here. */
  get isHolding(): boolean {
    return this.held !== null;
  }

  /** Something waits, refused already or not said yet. */
  get isWaiting(): boolean {
    return this.timer !== null;
  }

  /** A script runs, and the client's patience is not at its end. */
  get isOn(): boolean {
    return this.context.upstream.busy.isBusy && !this.isOverdue;
  }

  /** The client has waited for as long as it may: it is told. */
  get isOverdue(): boolean {
    const { clock, busyWaitMs } = this.context;
    return this.waitedSinceMs !== null && clock.now() - this.waitedSinceMs >= busyWaitMs;
  }

  /** Since when the client has waited in this episode. */
  private get waitedSinceMs(): number | null {
    const began = this.context.upstream.busy.sinceMs;
    return began === null || this.sinceMs === null || this.sinceMs < began ? null : this.sinceMs;
  }

  /** The client waits from now on, if it did not before. */
  note(): void {
    this.sinceMs = this.waitedSinceMs ?? this.context.clock.now();
  }

  /** `held` were refused: `sayAgain` is called when it may be tried again. */
  hold(held: readonly Held[], sayAgain: () => void): void {
    const { upstream, observer } = this.context;
    this.held = held;
    this.sayAgain = sayAgain;
    observer.busyWaits += held.length;
    upstream.busy.noteWaiting(held.length);
    this.begin();
  }

  /** Waits for the script to end. */
  begin(): void {
    const { clock, busyWaitMs, upstream } = this.context;
    if (this.timer !== null) return;
    this.note();
    const leftMs = Math.max(0, this.sinceMs! + busyWaitMs - clock.now());
    this.timer = clock.after(leftMs, () => this.giveUp());
    this.host.beginsToWait();
    upstream.busy.whenOver(this.over);
  }

  /** Nobody waits any more. */
  end(): void {
    this.timer?.cancel();
    this.timer = null;
    this.context.upstream.busy.neverMind(this.over);
    this.held = this.sayAgain = null;
  }

  private readonly over = (): void => {
    const { sayAgain } = this;
    this.end();
    sayAgain?.();
    this.host.goOn();
  };

  private giveUp(): void {
    const { host, held } = this;
    const wasInTransaction = host.isInTransaction;
    this.end();
    for (const { reply } of held ?? []) host.answerHere(reply);
    const consequence = consequenceOf(
      held ?? [],
      held !== null && wasInTransaction ? 'broken' : 'none',
    );
    if (consequence !== 'none') this.transactions.lost(consequence);
    host.goOn();
  }
}
