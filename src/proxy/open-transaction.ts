/**
 * One client's transactions between MULTI and the reply to EXEC, as far as the upstream may fail them: what was said is
 * kept, so that it can be told again on another connection or journaled as a whole. A transaction whose EXEC was not
 * sent, or was refused, has done nothing yet, wherever it was queued.
 *
 *   MULTI sent ──► log ──MULTI answered──► open ──connection lost, or BUSY──► adrift ──told again──► open
 *                                            └── EXEC sent ──► ended ──answered──► forgotten
 *
 * A WATCH is lost with its connection, and by what was refused behind it. What it guards is told again all the same, for
 * the replies; its EXEC says nil then.
 */
import type { Session } from '../session/session.js';
import type { QueuedSetting } from './queued-settings.js';
import { isSetting } from './route.js';
import type { Special } from './special.js';
import { TransactionLog } from './transaction-log.js';

/** Of transactions whose EXEC is on its way; older ones are not remembered then. */
const MAX_ENDED_BYTES = 4 * 1024 * 1024;
/** Before everything that may have to be said again. */
const LONG_AGO = -1;

export class OpenTransaction {
  /** What was said since MULTI, until EXEC is sent; null when there is no transaction. */
  log: TransactionLog | null = null;
  /** It has lost its connection and is to be told again on another one. */
  isAdrift = false;
  /** A part of it was refused when it was told again: EXEC will be, too. */
  isSpoiled = false;
  /** EXEC was sent and not answered, oldest first. */
  private ended: TransactionLog[] = [];
  private endedBytes = 0;
  /** MULTI was said, and neither EXEC nor DISCARD since. */
  isBegun = false;
  /** The place of the first WATCH that was said for what comes next. */
  private watchedAt: number | null = null;

  /** What the transaction sets whose end was said last. */
  settings: readonly QueuedSetting[] = [];

  /** This command is about to be sent, as the client's `place`-th. */
  sending({ effect, frame, args }: Special, place: number, session: Session): void {
    if (effect === 'watch') this.watchedAt ??= place;
    if (effect === 'multi') this.begin(place, session);
    // What WATCH says inside a transaction is an error; it is not simply queued.
    if (effect === 'watch') this.log?.misplaced();
    if (isSetting(effect)) this.log?.setting(effect, args);
    this.log?.add(frame, 0, frame.length, 1);
    if (effect === 'exec' || effect === 'discard') this.close();
    if (effect === 'unwatch' && !this.isBegun) this.watchedAt = null;
  }

  /** WATCH was said for what comes next. */
  get isGuarded(): boolean {
    return this.watchedAt !== null;
  }

  private begin(place: number, session: Session): void {
    if (this.isBegun) return this.log?.misplaced();
    this.isBegun = true;
    this.isSpoiled = false;
    const isWatched = session.watchLost || session.transaction === 'watching';
    this.log = new TransactionLog(place, this.watchedAt ?? (isWatched ? LONG_AGO : null));
  }

  private close(): void {
    const { log } = this;
    this.settings = log?.settings ?? [];
    this.log = null;
    this.isBegun = false;
    this.watchedAt = null;
    if (log === null) return;
    this.ended.push(log);
    this.endedBytes += log.keptBytes;
    while (this.endedBytes > MAX_ENDED_BYTES) this.forgetOldest();
  }

  private forgetOldest(): void {
    this.endedBytes -= this.ended.shift()!.keptBytes;
  }

  /** MULTI was sent: returns what its answer is to be told to. */
  awaitAnswer(): (isOpen: boolean) => void {
    const { log } = this;
    return (isOpen) => {
      if (log === null) return;
      log.isOpen = isOpen;
      if (isOpen || this.log !== log) return;
      this.log = null;
      this.isBegun = false;
    };
  }

  /** The one that the command at `place` belongs to. */
  logAt(place: number): TransactionLog | null {
    const all = this.log === null ? this.ended : [...this.ended, this.log];
    return all.find((log) => log.place <= place && place < log.end) ?? null;
  }

  /** EXEC or DISCARD was sent and not answered. */
  get hasEnded(): boolean {
    return this.ended.length > 0;
  }

  /** What stood before `place` has been answered. */
  answeredUpTo(place: number): void {
    while (this.ended.length > 0 && this.ended[0]!.end <= place) this.forgetOldest();
  }

  /**
   * The commands from `place` on were answered by nobody. `areKept`: they are said again. Returns the first transaction
   * that is among them, as a whole or in part.
   */
  rewindTo(place: number, areKept: boolean): TransactionLog | null {
    const touched = [...this.ended, ...(this.log === null ? [] : [this.log])].filter(
      (log) => log.end > place,
    );
    const [first] = touched;
    if (first === undefined) return null;
    while (this.ended.length > 0 && this.ended.at(-1)!.end > place)
      this.endedBytes -= this.ended.pop()!.keptBytes;
    this.isBegun = first.place < place && first.isOpen;
    this.log = this.isBegun ? first : null;
    if (areKept) first.cutAt(place);
    else first.giveUp();
    return first;
  }

  /** It is queued on another connection. */
  toldAgain(): void {
    this.isAdrift = this.isSpoiled = false;
  }

  connectionLost(session: Session): void {
    const { log } = this;
    const isKept = log !== null && log.isOpen && log.requests !== null;
    this.isAdrift = isKept && session.transaction === 'open';
    if (!this.isAdrift) session.connectionLost();
    else if (log!.isWatchedBefore(log!.place)) session.watchLost = true;
  }

  forget(): void {
    this.log = null;
    this.ended = [];
    this.endedBytes = 0;
    this.watchedAt = null;
    this.isAdrift = this.isSpoiled = this.isBegun = false;
  }
}
