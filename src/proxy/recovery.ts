/**
 * The commands of one client that were not answered because their connection was lost, oldest first. They are done again
 * as if the client had just sent them, before anything newer; what may have run and must not run twice is answered with
 * -UNKNOWNOUTCOME in its place (SEMANTICS §3, I5). Decides; the dispatcher does.
 *
 *   lost in one go:  collect ×n ──judge──► in front of what an earlier loss has left ──► head, done
 */
import { classify } from '../command/classify.js';
import { effectOf } from '../command/effect.js';
import { isRead, isRepeatable } from '../command/repeatable.js';
import type { SessionEffect } from '../command/table.js';
import { splitArguments } from '../resp/arguments.js';
import { cutRequests } from '../resp/cut-requests.js';
import { EXEC_ABORTED, unavailable } from './errors.js';

/**
 * - `again` it never left, or saying it again changes nothing but the reply.
 * - `repeat` it may have run; running it twice leaves Redis as running it once.
 * - `unknown` it may have run and is not said again.
 * - `unavailable` it did not run, and cannot be said again.
 * - `refused` it did not run, and something newer may have: what was said to it is its answer (I4).
 */
export type Verdict = 'again' | 'repeat' | 'unknown' | 'unavailable' | 'refused';

/** How ambiguous commands are treated: repeat what is safe to repeat, or report all that may have written. */
export type Ambiguity = 'repeat' | 'report';

/** What the loss has done to the client's transaction: nothing, ended it, or made sure that it will not run. */
export type Consequence = 'none' | 'ended' | 'broken';

interface Lost {
  /** Null: it was not kept. */
  readonly frame: Buffer | null;
  readonly wasSent: boolean;
  readonly cause: Error;
  /** What the upstream has said to it, and its client has not heard. */
  readonly refusal: Buffer | null;
}

export interface Unanswered extends Lost {
  readonly id: number;
  verdict: Verdict;
  refusal: Buffer | null;
}

export class Recovery {
  private lost: Lost[] = [];
  private beganInTransaction = false;
  private commands: Unanswered[] = [];
  /** Those before it are done. */
  private next = 0;

  get isActive(): boolean {
    return this.lost.length > 0 || this.next < this.commands.length;
  }
  /** The oldest; undefined when there is none, or it has not been judged. */
  get head(): Unanswered | undefined {
    return this.lost.length > 0 ? undefined : this.commands[this.next];
  }

  done(): void {
    this.next += 1;
    if (this.next === this.commands.length) this.keep([]);
  }

  private keep(commands: Unanswered[]): void {
    this.commands = commands;
    this.next = 0;
  }

  clear(): void {
    this.lost = [];
    this.keep([]);
  }

  /**
   * `count` commands were not answered. `requests`: theirs, null when they were not kept; `wasSent`: the upstream may
   * have run them; `inTransaction`: MULTI had been answered before the first of them; `refusal`: what was said to the
   * only one, which was not run.
   */
  collect(
    count: number,
    requests: Buffer | null,
    wasSent: boolean,
    inTransaction: boolean,
    cause: Error,
    refusal: Buffer | null = null,
  ): void {
    if (this.lost.length === 0) this.beganInTransaction = inTransaction;
    const frames = requests === null ? new Array<null>(count).fill(null) : cutRequests(requests);
    for (const frame of frames) this.lost.push({ frame, wasSent, cause, refusal });
  }

  /** Everything that was lost in one go has been collected. `isAdrift`: the open transaction will be told again first. */
  judge(ambiguity: Ambiguity, isAdrift: boolean): Consequence {
    const judge = new Judge(this.beganInTransaction, isAdrift, ambiguity);
    for (const lost of this.lost) judge.add(lost);
    judge.end();
    this.keep([...judge.commands, ...this.commands.slice(this.next)]);
    this.lost = [];
    return judge.consequence;
  }
}

const MINUS = 0x2d;

/** Saying these again changes nothing but the connection's own state, which is gone. */
const HARMLESS: ReadonlySet<SessionEffect> = new Set([
  'multi',
  'discard',
  'watch',
  'unwatch',
  'auth',
  'hello',
  'select',
  'name',
  'library',
  'tied',
]);

/** Goes through what was lost, with an eye on where transactions begin and end. */
class Judge {
  readonly commands: Unanswered[] = [];
  consequence: Consequence = 'none';
  /** Where what the next EXEC or MULTI speaks of began: a WATCH or a MULTI; null when nothing did. */
  private began: number | null;
  private isOpen: boolean;
  /** The beginning of the open transaction was heard elsewhere, and is not among what was lost. */
  private isHeadless: boolean;
  private isBroken = false;
  /** Something of the open transaction was refused: its EXEC was, too, or will be. */
  private isRefused = false;
  /**
   * Where the transaction that the client stands in ends, if that is said again: what became of later ones is no
   * consequence yet.
   */
  private endsAgainAt: number | null = null;

  constructor(
    private readonly inTransaction: boolean,
    isAdrift: boolean,
    private readonly ambiguity: Ambiguity,
  ) {
    this.isOpen = inTransaction;
    this.isHeadless = inTransaction && !isAdrift;
    this.began = inTransaction ? 0 : null;
  }

  add(lost: Lost): void {
    if (lost.frame === null) return this.addUnkept(lost);
    const args = splitArguments(lost.frame);
    const id = classify(args[0]!, 0, args[0]!.length);
    const effect = effectOf(id, args);
    if (lost.refusal?.[0] === MINUS) this.isRefused = this.isOpen;
    const verdict = this.verdictOf(id, effect, args, lost);
    this.commands.push({ ...lost, id, verdict });
    if (effect === 'watch' || effect === 'multi') this.began ??= this.commands.length - 1;
    if (effect === 'multi') this.isOpen = true;
    if (effect === 'exec') this.execWasLost(lost);
    const isEnd = effect === 'exec' || effect === 'discard';
    if (isEnd && this.inTransaction && this.commands.at(-1)!.verdict === 'again')
      this.endsAgainAt ??= this.commands.length - 1;
    if (effect === 'exec' || effect === 'discard' || effect === 'unwatch') this.isOver();
  }

  private verdictOf(
    id: number,
    effect: SessionEffect,
    args: readonly Buffer[],
    { wasSent }: Lost,
  ): Verdict {
    if (this.isBroken) return wasSent ? 'unknown' : 'unavailable';
    if (effect === 'exec' && this.isHeadless && !wasSent) return 'unavailable';
    if (effect === 'exec') return wasSent && !this.isRefused ? 'unknown' : 'again';
    if (!wasSent || this.isOpen || HARMLESS.has(effect) || isRead(id, args)) return 'again';
    return this.ambiguity === 'repeat' && isRepeatable(id, args) ? 'repeat' : 'unknown';
  }

  /** Nobody can say it again; a transaction without it is not what the client meant. */
  private addUnkept(lost: Lost): void {
    this.commands.push({ ...lost, id: 0, verdict: lost.wasSent ? 'unknown' : 'unavailable' });
    if (!this.isOpen) return;
    this.isBroken = true;
    this.consequence = 'broken';
    for (const command of this.commands.slice(this.began ?? 0))
      if (command.verdict === 'again') command.verdict = 'unavailable';
  }

  /** If it was sent, whatever it was to run may have run; if not, and it cannot be said again as a whole, nothing did. */
  private execWasLost({ wasSent }: Lost): void {
    const mayHaveRun = wasSent && !this.isRefused;
    const isOver = mayHaveRun || this.isHeadless || this.isBroken;
    if (wasSent && this.isRefused) this.refuseAll();
    if (!isOver) return;
    if (this.endsAgainAt === null) this.consequence = 'ended';
    for (const command of this.commands.slice(this.began ?? this.commands.length))
      command.verdict = mayHaveRun ? 'unknown' : 'unavailable';
  }

  /** It is known that EXEC has run nothing, although nobody has heard so. */
  private refuseAll(): void {
    for (const command of this.commands.slice(this.began ?? 0))
      command.refusal ??= unavailable(command.cause);
    this.commands.at(-1)!.refusal = EXEC_ABORTED;
  }

  private isOver(): void {
    this.began = null;
    this.isOpen = this.isHeadless = this.isBroken = this.isRefused = false;
  }

  /** What was refused is not said again behind what may have run (I4). */
  end(): void {
    const last = this.commands.findLastIndex(({ verdict }) => verdict === 'unknown');
    for (const command of this.commands.slice(0, Math.max(0, last)))
      if (command.refusal !== null && command.verdict === 'again') command.verdict = 'refused';
    if (this.endsAgainAt !== null && this.commands[this.endsAgainAt]!.verdict === 'refused')
      this.consequence = 'ended';
  }
}
