/**
 * The dispatcher's part for a client that gives credentials while the sidecar has a password of its own: those of the
 * default user are judged here by the `PasswordGate`, and whoever gives them right acts with the sidecar's identity; any
 * other user's are the upstream's to judge, whose yes opens the gate too. While the upstream is away `outage-dispatch`
 * remembers whom it has believed.
 */
import type { SessionEffect } from '../command/table.js';
import { splitArguments } from '../resp/arguments.js';
import type { Session } from '../session/session.js';
import type { UpstreamConnection } from '../upstream/connection.js';
import { PROMPT, type Patience } from '../upstream/in-flight.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import type { Confirmations } from './confirmations.js';
import { ConfirmingReceiver } from './confirming-receiver.js';
import type { ProxyContext } from './context.js';
import { unavailable } from './errors.js';
import type { PasswordGate } from './password-gate.js';
import type { Special } from './special.js';
import type { UpstreamLink } from './upstream-link.js';

/** What it asks of the dispatcher. */
export interface LogInHost {
  readonly session: Session;
  /** The client keeps its connection: nothing but the upstream judges what it says there. */
  readonly isKept: boolean;
  /** Commands that have been passed on and not been answered. */
  readonly outstanding: number;
  /** Does the rest of a command whose password was right, or leaves it to the outage's half. */
  perform(decision: 'pin' | 'log-in', command: Special): boolean;
  answerHere(reply: Buffer): boolean;
  /** A connection of its own: now, not yet (null), or not at all. */
  borrow(): UpstreamConnection | Error | null;
  replyTo(count: number): ReplyReceiver;
  /** Sends one command on the borrowed connection. */
  sendOnLease(receiver: ReplyReceiver, frame: Buffer, patience: Patience): void;
  reposition(): void;
}

export class LogIn {
  constructor(
    private readonly gate: PasswordGate,
    private readonly host: LogInHost,
    private readonly link: UpstreamLink,
    private readonly confirmations: Confirmations,
    private readonly context: ProxyContext,
  ) {}

  /** The sidecar's own password is never the upstream's to judge, however often it is given. */
  isOurPassword(effect: SessionEffect, args: readonly Buffer[]): boolean {
    const isCredential = effect === 'auth' || effect === 'hello';
    return isCredential && !this.host.isKept && this.gate.concerns(args);
  }

  /** AUTH or HELLO, from a client that has not passed or with our password. False: not now. */
  unlock(command: Special): boolean {
    const { host } = this;
    if (host.outstanding > 0) return false;
    const verdict = this.gate.check(command.args);
    const isAccepted = verdict.kind === 'go-on' || (verdict.kind === 'reply' && verdict.isAccepted);
    if (isAccepted && this.link.lease === null) {
      // Whoever the client was before, with our password it acts as we do.
      host.session.identity = this.context.newSession().identity;
      this.link.leaveLane();
    }
    host.reposition();
    switch (verdict.kind) {
      case 'reply':
        return host.answerHere(verdict.reply);
      case 'go-on':
        return host.perform('pin', {
          ...command,
          frame: verdict.rewritten,
          args: splitArguments(verdict.rewritten),
        });
      case 'upstream':
        return this.context.outage.mode === 'through'
          ? this.askUpstream(command)
          : host.perform('log-in', command);
    }
  }

  /** An ACL user's credentials are the upstream's to judge; its yes opens the gate too. */
  private askUpstream({ effect, frame, args }: Special): boolean {
    const { host } = this;
    const lease = host.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) return host.answerHere(unavailable(lease));
    const before = host.session.identity;
    const confirm = (reply: Buffer): void => {
      this.confirmations.confirm(effect, args, reply);
      if (host.session.identity !== before) this.gate.open();
      host.reposition();
    };
    const receiver = new ConfirmingReceiver(host.replyTo(1), confirm, () => undefined);
    host.sendOnLease(receiver, frame, PROMPT);
    return true;
  }

  /** The client was believed to be who it says, and the session's identity has changed. */
  identified(): void {
    this.gate.open();
    this.link.leaveLane();
    this.host.reposition();
  }
}
