/**
 * One client's transaction between MULTI and EXEC, as far as its connection may fail it: what was said is kept, so that it
 * can be told again on another connection or journaled as a whole. A transaction whose EXEC was not sent has done
 * nothing yet, wherever it was queued.
 *
 *   MULTI sent ──► log ──MULTI answered──► open ──connection lost──► adrift ──told again──► open
 *                                            └── EXEC or DISCARD sent: nobody can tell it again
 */
import type { SessionEffect } from '../command/table.js';
import type { Session } from '../session/session.js';
import { TransactionLog } from './transaction-log.js';

export class OpenTransaction {
  /** What was said since MULTI, until EXEC is sent; null when there is no transaction, or none that can be told again. */
  log: TransactionLog | null = null;
  /** It has lost its connection and is to be told again on another one. */
  isAdrift = false;

  /** This command is about to be sent. */
  sending(effect: SessionEffect, frame: Buffer, session: Session): void {
    if (effect === 'multi' && session.transaction !== 'open' && this.log === null) {
      // What WATCH guards cannot be told again.
      if (session.transaction === 'none' && !session.watchLost) this.log = new TransactionLog();
    } else if (ENDS_THE_LOG.has(effect)) {
      this.log = null;
    }
    this.log?.add(frame, 0, frame.length);
  }

  /** MULTI was sent: returns what its answer is to be told to. */
  awaitAnswer(): (isOpen: boolean) => void {
    const { log } = this;
    return (isOpen) => {
      if (log === null) return;
      log.isOpen = isOpen;
      if (!isOpen && this.log === log) this.log = null;
    };
  }

  /** The last commands were answered by nobody; `requests` are said again, or (null) will not be. */
  givenBack(requests: Buffer | null): void {
    if (this.log?.isOpen !== true) this.log = null;
    else if (requests === null) this.log.giveUp();
    else this.log.forgetLast(requests.length);
  }

  connectionLost(session: Session): void {
    const { log } = this;
    const isKept = log !== null && log.isOpen && log.requests !== null;
    this.isAdrift = isKept && session.transaction === 'open';
    if (!this.isAdrift) session.connectionLost();
  }

  forget(): void {
    this.log = null;
    this.isAdrift = false;
  }
}

/** Sent, or not simply queued: from here on nobody can tell it again. */
const ENDS_THE_LOG: ReadonlySet<SessionEffect> = new Set(['exec', 'discard', 'multi', 'watch']);
