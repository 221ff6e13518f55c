/**
 * The dispatcher's part for transactions that cannot simply end with the reply to EXEC: their connection was lost, the
 * upstream refused a part of them, or something in them must not run. Finds what belongs to a transaction among what comes
 * back, tells one again on another connection, ends one that will not run, and keeps the session true to all of it.
 *
 *   adrift ──next command──► told again ──► its command
 *     └──EXEC, DISCARD, or it cannot be told──► aborted, broken
 *
 * What was said since MULTI is kept by `OpenTransaction`; MULTI and EXEC themselves are sent by the dispatcher.
 */
import type { SessionEffect } from '../command/table.js';
import { cutRequests } from '../resp/cut-requests.js';
import { OK_REPLY } from '../resp/encoder.js';
import type { Session } from '../session/session.js';
import { isBusyReply } from '../upstream/busy.js';
import type { UpstreamConnection } from '../upstream/connection.js';
import { PROMPT, type Patience } from '../upstream/in-flight.js';
import { NOBODY, type ReplyReceiver } from '../upstream/receiver.js';
import type { ProxyContext } from './context.js';
import { EXEC_ABORTED } from './errors.js';
import type { OpenTransaction } from './open-transaction.js';
import type { Consequence } from './recovery.js';
import type { UpstreamLink } from './upstream-link.js';

/** What it asks of the dispatcher. */
export interface TransactionHost {
  readonly session: Session;
  /** Commands that were passed on and answered: the place of the oldest outstanding one. */
  readonly answered: number;
  /** Commands that have been passed on and not been answered. */
  readonly outstanding: number;
  /** A connection of its own: now, not yet (null), or not at all. */
  borrow(): UpstreamConnection | Error | null;
  sendOnLease(receiver: ReplyReceiver, frame: Buffer, patience: Patience): void;
  answerHere(reply: Buffer): boolean;
  reposition(): void;
}

const DISCARD = Buffer.from('*1\r\n$7\r\nDISCARD\r\n');

export class TransactionDispatch {
  constructor(
    private readonly transaction: OpenTransaction,
    private readonly host: TransactionHost,
    private readonly link: UpstreamLink,
    private readonly context: ProxyContext,
  ) {}

  // ── what belongs to one ──────────────────────────────────────────────────────────────────────────

  /** The open one has lost its connection and is told again before anything else is said. */
  get isAdrift(): boolean {
    return this.transaction.isAdrift;
  }

  /** It was refused in part when it was told again. */
  get isSpoiled(): boolean {
    return this.transaction.isSpoiled;
  }

  /** Everything since MULTI as it was said; null when there is none, or nobody can tell it again. */
  get requests(): Buffer | null {
    return this.transaction.log?.requests ?? null;
  }

  /** The command that the `ahead`-th outstanding reply belongs to, if it is part of one that can be told again. */
  requestAt(ahead: number): Buffer | null {
    const place = this.host.answered + ahead;
    return this.transaction.logAt(place)?.frameAt(place) ?? null;
  }

  /** The `ahead`-th outstanding reply belongs to some transaction. */
  isInside(ahead: number): boolean {
    return this.transaction.logAt(this.host.answered + ahead) !== null;
  }

  // ── what comes back ──────────────────────────────────────────────────────────────────────────────

  /** What stood behind that which is still outstanding was lost. `areKept`: it is said again. */
  givenBack(areKept: boolean): void {
    const { host, transaction } = this;
    transaction.rewindTo(host.answered + host.outstanding, areKept);
  }

  /** Everything that is not answered was refused and is said again, with what its transactions had before. */
  takenBack(): void {
    const { answered } = this.host;
    const first = this.transaction.rewindTo(answered, true);
    if (first !== null) this.rewound(first.isWatchedBefore(answered));
  }

  /** The transaction that was refused stands where the client has heard of it; its connection holds something else. */
  private rewound(wasWatched: boolean): void {
    const { lease } = this.link;
    const { session } = this.host;
    const isOpen = this.transaction.log !== null;
    session.transaction = isOpen ? 'open' : 'none';
    if (wasWatched) session.watchLost = true;
    if (lease === null || lease.isLost) return;
    this.clearConnection();
    this.transaction.isAdrift = isOpen;
  }

  /** A transaction stands half on the client's connection: that is given up, unless its client is tied to it. */
  private clearConnection(): void {
    if (this.host.session.tie === 'none' || this.link.lease === null) return this.link.drop();
    this.link.sendOnLease(NOBODY, DISCARD, 0, DISCARD.length, 1, PROMPT);
  }

  /** EXEC was refused and has ended its transaction, whatever its client will be told. */
  execRefused(): void {
    this.host.session.endTransaction();
  }

  /** What a loss, or a refusal, has done to the open one. */
  lost(consequence: Consequence): void {
    const { session } = this.host;
    this.transaction.forget();
    session.endTransaction();
    if (consequence === 'broken') session.transaction = 'broken';
  }

  // ── what is done ─────────────────────────────────────────────────────────────────────────────────

  /** Queues the one that is adrift again on another connection, or breaks it. False: not now. */
  tellAgain(): boolean {
    const requests = this.requests!;
    const lease = this.host.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) {
      this.break(false);
      return true;
    }
    const count = cutRequests(requests).length;
    this.transaction.toldAgain();
    this.link.sendOnLease(this.whileTellingAgain(), requests, 0, requests.length, count, PROMPT);
    this.host.reposition();
    return true;
  }

  /** The client has heard these replies. A script that runs again now refuses what is told again: EXEC will say so. */
  private whileTellingAgain(): ReplyReceiver {
    const { transaction, context } = this;
    return {
      receive() {},
      lose() {},
      refuse() {},
      unserved(_count, frame) {
        if (!isBusyReply(frame)) return true;
        transaction.isSpoiled = true;
        context.upstream.busy.met();
        return true;
      },
    };
  }

  /**
   * The WATCH was lost: nobody knows whether a key changed, so EXEC says that one did. `receiver`: of what is said in its
   * place.
   */
  failExec(receiver: ReplyReceiver): true {
    this.host.sendOnLease(receiver, DISCARD, PROMPT);
    return true;
  }

  /** EXEC or DISCARD of one whose connection was lost. False: not now. */
  abort(effect: SessionEffect): boolean {
    const { host } = this;
    if (host.outstanding > 0) return false;
    host.session.endTransaction();
    this.transaction.forget();
    host.reposition();
    return host.answerHere(effect === 'exec' ? EXEC_ABORTED : OK_REPLY);
  }

  /**
   * Nothing of the open one will run; its connection, which holds a part of it, is cleared. `hasEnded`: the client has
   * said EXEC.
   */
  break(hasEnded: boolean): void {
    const { session } = this.host;
    this.clearConnection();
    this.transaction.forget();
    if (hasEnded) session.endTransaction();
    else session.transaction = 'broken';
    this.host.reposition();
  }
}
