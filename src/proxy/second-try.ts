/**
 * What one client is owed after its connection was lost, or after the upstream said that it cannot serve now: collects
 * what comes back, waits for the fences or for the end of a script, and says it again before anything newer (I4, I5).
 * `Recovery` knows what may be said again; this knows when.
 *
 *   lose, refuse ──► collected ──end of tick, fences clear──► judged ──► said again, oldest first ──► nothing left
 *   refused to serve ──► held ──everything outstanding is──► after a moment, or when no script runs ─┘
 *                          └── something newer was served: the refusals are passed on, in their places
 */
import type { Timer } from '../base/clock.js';
import { classify } from '../command/classify.js';
import { endsScripts } from '../command/effect.js';
import { COMMANDS } from '../command/table.js';
import { splitArguments } from '../resp/arguments.js';
import type { Session } from '../session/session.js';
import { isBusyReply } from '../upstream/busy.js';
import { BusyWait } from './busy-wait.js';
import type { ProxyContext } from './context.js';
import { saysNothingRan, unavailable, unknownOutcome } from './errors.js';
import { HeldReplies, type Held } from './held-replies.js';
import { Recovery, type Unanswered } from './recovery.js';
import type { TransactionDispatch } from './transaction-dispatch.js';

/** What it asks of the dispatcher. */
export interface SecondTryHost {
  readonly session: Session;
  readonly isInTransaction: boolean;
  /** The client can still be answered. */
  readonly isReachable: boolean;
  /** Commands that have been passed on and not been answered. */
  readonly outstanding: number;
  /** The command that the `ahead`-th outstanding reply belongs to, if it is part of a transaction that can be told again. */
  requestInTransaction(ahead: number): Buffer | null;
  /** `count` of what is outstanding will be said again, or answered otherwise. */
  leaves(count: number): void;
  /** As from the client. False: not now; `goOn` is called when it may be tried again. */
  command(commandId: number, frame: Buffer): boolean;
  answerHere(reply: Buffer): boolean;
  receive(chunk: Buffer, start: number, end: number, completed: number): void;
  /** Something waits for the end of a script from now on. */
  beginsToWait(): void;
  /** Whether anything is to be said again has changed. */
  reposition(): void;
  /** Tries again what it was told not to do now. */
  goOn(): void;
  /** Nothing is left to be said again. */
  caughtUp(): void;
}

/** Before a command is said again that the upstream could not serve. */
const UNSERVED_PAUSE_MS = 50;

export class SecondTry {
  /** It is this that says something at the moment, not the client. */
  isSpeaking = false;
  /** Whatever is outstanding may have run before: nobody can say any more that it did not. */
  isRepeating = false;
  private readonly recovery = new Recovery();
  private isPlanned = false;
  /** Refusals to serve, of the oldest commands outstanding. */
  private readonly held: HeldReplies;
  private unservedSinceMs: number | null = null;
  private readonly busyWait: BusyWait;

  constructor(
    private readonly host: SecondTryHost,
    private readonly transactions: TransactionDispatch,
    private readonly context: ProxyContext,
  ) {
    this.held = new HeldReplies(host);
    this.busyWait = new BusyWait(host, transactions, context);
  }

  /** Something is to be said again. */
  get isActive(): boolean {
    return this.recovery.isActive || this.isRepeating || this.busyWait.isHolding;
  }

  /** What comes now must be shown to `keeps`. */
  get isWary(): boolean {
    return this.unservedSinceMs !== null || !this.held.isEmpty;
  }

  /** A script runs, and what the client says now would only be refused. */
  get isWaitingForScript(): boolean {
    return this.busyWait.isOn;
  }

  /** Something of the client waits for the end of a script. */
  get waitsForScript(): boolean {
    return this.busyWait.isWaiting;
  }

  /** Calls `goOn` when the script has ended, or the client has waited for long enough. */
  waitForScript(): void {
    this.busyWait.begin();
  }

  /** The client is gone. */
  clear(): void {
    this.recovery.clear();
    this.busyWait.end();
  }

  /** `count` commands were not answered. `requests`: theirs, if they may be said again; the upstream may have run them. */
  collect(count: number, requests: Buffer | null, mayHaveRun: boolean, cause: Error): void {
    // What it did not serve is older.
    this.takeHeld(0);
    this.add(count, requests, mayHaveRun, cause, 0);
    this.host.leaves(count);
    this.transactions.givenBack(requests !== null);
    this.host.reposition();
  }

  /**
   * The upstream cannot serve now and has not run this: it is said again later. A newer command of the client that was
   * served makes it too late for that (I4): then the error is the answer. False: pass it on.
   */
  refusedToServe(error: Buffer, request: Buffer | null): boolean {
    if (isBusyReply(error)) return this.refusedByScript(error, request);
    if (firstWord(error) === 'EXECABORT')
      return this.transactions.isSpoiled && this.refusedByScript(error, request);
    if (request === null || this.host.isInTransaction || speaksForItself(request)) return false;
    const { clock, outage } = this.context;
    const text = textOf(error);
    this.unservedSinceMs ??= clock.now();
    // Noted first: the breaker may open at this, and give back everything that is outstanding.
    const held = { reply: error, request };
    this.held.add(held);
    if (!outage.cannotServe(text, clock.now() - this.unservedSinceMs)) {
      this.held.remove(held);
      return false;
    }
    if (this.held.areAll) this.takeHeld(UNSERVED_PAUSE_MS);
    return true;
  }

  /** This was not run, for another reason than what is held: it is said again with that. False: nothing is held. */
  holdsToo(error: Buffer, request: Buffer): boolean {
    if (this.held.isEmpty) return false;
    this.held.add({ reply: error, request });
    if (this.held.areAll) this.takeHeld('script');
    return true;
  }

  /**
   * Something was said while refusals are held. True: it tells the client nothing (of a transaction that was refused), and
   * stays here. False: something newer was served, and what was refused has its error now.
   */
  keeps(chunk: Buffer, start: number, end: number): boolean {
    if (this.held.keeps(chunk, start, end)) {
      if (this.held.areAll) this.takeHeld('script');
      return true;
    }
    this.unservedSinceMs = null;
    return false;
  }

  /** The reply says that nothing was run, of what may have run when it was said for the first time. */
  isUntrue(chunk: Buffer, start: number, end: number): boolean {
    if (!this.isRepeating || !saysNothingRan(chunk, start, end)) return false;
    this.context.observer.unknownOutcomes += 1;
    return true;
  }

  /** Says again what can be said now, oldest first. */
  goOn(): void {
    const { recovery, host } = this;
    if (this.isSpeaking || this.isPlanned || this.busyWait.isHolding) return;
    if (host.outstanding === 0) this.isRepeating = false;
    this.isSpeaking = true;
    for (let next = recovery.head; next !== undefined; next = recovery.head) {
      if (!host.isReachable || !this.sayAgain(next)) break;
      recovery.done();
    }
    this.isSpeaking = false;
    if (!this.isActive) host.caughtUp();
  }

  /** A transaction is told again as a whole; one that nobody can tell, or whose client has waited long enough, is not. */
  private refusedByScript(error: Buffer, request: Buffer | null): boolean {
    const { transactions, busyWait } = this;
    const { count } = this.held;
    const frame = transactions.isInside(count) ? transactions.requestAt(count) : request;
    this.context.upstream.busy.met();
    if (frame === null || busyWait.isOverdue) return false;
    // Whoever wants to end the script wants to know.
    if (endsScripts(idOf(frame), frame)) return false;
    busyWait.note();
    if (firstWord(error) === 'EXECABORT') transactions.execRefused();
    this.held.add({ reply: error, request: frame });
    if (this.held.areAll) this.takeHeld('script');
    return true;
  }

  /** Everything outstanding was refused, or nothing else will come. */
  private takeHeld(until: number | 'script'): void {
    const held = this.held.take();
    if (held.length === 0) return;
    this.host.leaves(held.length);
    this.transactions.takenBack();
    if (until === 'script') this.busyWait.hold(held, () => this.addHeld(held, 0));
    else this.addHeld(held, until);
    this.host.reposition();
  }

  private addHeld(held: readonly Held[], pauseMs: number): void {
    for (const { request, reply } of held)
      this.add(1, request, false, new Error(textOf(reply)), pauseMs, reply);
  }

  private add(
    count: number,
    requests: Buffer | null,
    mayHaveRun: boolean,
    cause: Error,
    pauseMs: number,
    refusal: Buffer | null = null,
  ): void {
    const hasRun = mayHaveRun || this.isRepeating;
    this.recovery.collect(count, requests, hasRun, this.host.isInTransaction, cause, refusal);
    if (!this.isPlanned) this.plan(pauseMs);
  }

  /** Everything that is lost together comes back in this tick; and nothing is said again before the fences stand. */
  private plan(pauseMs: number): void {
    this.isPlanned = true;
    const { clock, outage } = this.context;
    let patience: Timer | null = null;
    const begin = (isFenced: boolean): void => {
      patience?.cancel();
      if (!this.isPlanned) return;
      this.isPlanned = false;
      this.judge(isFenced && !outage.fences.isForbidden);
      this.goOn();
    };
    const wait = (): void => {
      patience = clock.after(outage.holdMs, () => begin(false));
      outage.fences.whenClear(() => begin(true));
    };
    if (pauseMs === 0) clock.endOfTick(wait);
    else clock.after(pauseMs, wait);
  }

  private judge(isFenced: boolean): void {
    const { outage } = this.context;
    const mayRepeat = isFenced && outage.ownsRights(this.host.session.identity);
    const ambiguity = mayRepeat ? outage.ambiguity : 'report';
    const consequence = this.recovery.judge(ambiguity, this.transactions.isAdrift);
    if (consequence !== 'none') this.transactions.lost(consequence);
  }

  /** What may have run before and what has not never stand together, so that it is known of which a loss or a reply speaks. */
  private saySoon(id: number, frame: Buffer, mayHaveRun: boolean): boolean {
    const { host } = this;
    if (host.outstanding > 0 && mayHaveRun !== this.isRepeating) return false;
    this.isRepeating = mayHaveRun;
    const isTaken = host.command(id, frame);
    if (host.outstanding === 0) this.isRepeating = false;
    return isTaken;
  }

  private sayAgain({ id, frame, verdict, cause, refusal }: Unanswered): boolean {
    const { observer } = this.context;
    if (verdict === 'refused') return this.host.answerHere(refusal!);
    if (verdict === 'again' || verdict === 'repeat') {
      const isTaken = this.saySoon(id, frame!, verdict === 'repeat');
      if (isTaken) observer.repeatedCommands += 1;
      return isTaken;
    }
    const isUnknown = verdict === 'unknown';
    const error = isUnknown ? unknownOutcome(cause) : unavailable(cause);
    if (!this.host.answerHere(error)) return false;
    if (isUnknown) observer.unknownOutcomes += 1;
    return true;
  }
}

/** Its error may be anything that its author, or its user, has thought of. */
function speaksForItself(request: Buffer): boolean {
  return COMMANDS[idOf(request)]!.pace === 'slow';
}

function idOf(request: Buffer): number {
  const name = splitArguments(request)[0]!;
  return classify(name, 0, name.length);
}

function firstWord(error: Buffer): string {
  return /^\S*/.exec(textOf(error))![0];
}

function textOf(error: Buffer): string {
  return error.toString('latin1', 1, error.length - 2);
}
