/**
 * What one client is owed after its connection was lost, or after the upstream said that it cannot serve now: collects
 * what comes back, waits for the fences, and says it again before anything newer (I4, I5). `Recovery` knows what may be
 * said again; this knows when.
 *
 *   lose, refuse ──► collected ──end of tick, fences clear──► judged ──► said again, oldest first ──► nothing left
 *   unserved ──► once nothing else is outstanding, and after a pause ─┘
 */
import type { Timer } from '../base/clock.js';
import { classify } from '../command/classify.js';
import { COMMANDS } from '../command/table.js';
import { splitArguments } from '../resp/arguments.js';
import type { Session } from '../session/session.js';
import type { ProxyContext } from './context.js';
import { unavailable, unknownOutcome } from './errors.js';
import { Recovery, type Consequence, type Unanswered } from './recovery.js';

/** What it asks of the dispatcher. */
export interface SecondTryHost {
  readonly session: Session;
  readonly isInTransaction: boolean;
  /** The client can still be answered. */
  readonly isReachable: boolean;
  /** Commands that have been passed on and not been answered. */
  readonly outstanding: number;
  /** `count` of these will be answered otherwise. */
  givenBack(count: number, requests: Buffer | null): void;
  /** What the loss has done to the open transaction. */
  transactionLost(consequence: Consequence): void;
  /** As from the client. False: not now; `goOn` is called when it may be tried again. */
  command(commandId: number, frame: Buffer): boolean;
  answerHere(reply: Buffer): boolean;
  receive(chunk: Buffer, start: number, end: number, completed: number): void;
  /** Nothing is left to be said again. */
  caughtUp(): void;
}

interface Unserved {
  readonly error: Buffer;
  readonly request: Buffer;
  readonly cause: Error;
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
  /** Commands to which the upstream answered that it cannot serve. */
  private unserved: Unserved[] = [];
  private unservedSinceMs: number | null = null;

  constructor(
    private readonly host: SecondTryHost,
    private readonly context: ProxyContext,
  ) {}

  /** Something is to be said again. */
  get isActive(): boolean {
    return this.recovery.isActive || this.isRepeating;
  }

  /** The client is gone. */
  clear(): void {
    this.recovery.clear();
  }

  /** `count` commands were not answered. `requests`: theirs, if they may be said again; the upstream may have run them. */
  collect(count: number, requests: Buffer | null, mayHaveRun: boolean, cause: Error): void {
    // What it did not serve is older.
    this.takeUnserved(0);
    this.add(count, requests, mayHaveRun, cause, 0);
  }

  /**
   * The upstream cannot serve now and has not run this: it is said again after a moment, and told to the breaker. A
   * later command of the client that was served makes it too late for that (I4): then the error is the answer. False:
   * pass it on.
   */
  refusedToServe(error: Buffer, request: Buffer | null): boolean {
    if (request === null || this.host.isInTransaction || speaksForItself(request)) return false;
    const { clock, outage } = this.context;
    const text = error.toString('latin1', 1, error.length - 2);
    this.unservedSinceMs ??= clock.now();
    const unserved = { error, request, cause: new Error(text) };
    // Noted first: the breaker may open at this, and give back everything that is outstanding.
    this.unserved.push(unserved);
    if (!outage.cannotServe(text, clock.now() - this.unservedSinceMs)) {
      this.unserved = this.unserved.filter((one) => one !== unserved);
      return false;
    }
    if (this.host.outstanding === this.unserved.length) this.takeUnserved(UNSERVED_PAUSE_MS);
    return true;
  }

  /** Something newer was served: what was not served gets its error, in its place. */
  served(): void {
    if (this.unservedSinceMs === null) return;
    const passed = this.unserved;
    this.unserved = [];
    this.unservedSinceMs = null;
    for (const { error } of passed) this.host.receive(error, 0, error.length, 1);
  }

  /** Says again what can be said now, oldest first. */
  goOn(): void {
    const { recovery, host } = this;
    if (this.isSpeaking || this.isPlanned) return;
    if (host.outstanding === 0) this.isRepeating = false;
    this.isSpeaking = true;
    for (let next = recovery.head; next !== undefined; next = recovery.head) {
      if (!host.isReachable || !this.sayAgain(next)) break;
      recovery.done();
    }
    this.isSpeaking = false;
    if (!this.isActive) host.caughtUp();
  }

  private takeUnserved(pauseMs: number): void {
    const { unserved } = this;
    this.unserved = [];
    for (const { request, cause } of unserved) this.add(1, request, false, cause, pauseMs);
  }

  private add(
    count: number,
    requests: Buffer | null,
    mayHaveRun: boolean,
    cause: Error,
    pauseMs: number,
  ): void {
    const hasRun = mayHaveRun || this.isRepeating;
    this.recovery.collect(count, requests, hasRun, this.host.isInTransaction, cause);
    this.host.givenBack(count, requests);
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
    const consequence = this.recovery.judge(mayRepeat ? outage.ambiguity : 'report');
    if (consequence !== 'none') this.host.transactionLost(consequence);
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

  private sayAgain({ id, frame, verdict, cause }: Unanswered): boolean {
    const { observer } = this.context;
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
  const name = splitArguments(request)[0]!;
  return COMMANDS[classify(name, 0, name.length)]!.pace === 'slow';
}
