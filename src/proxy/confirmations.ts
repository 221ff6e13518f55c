/**
 * Who looks at the reply of a command that means something to the sidecar: the receivers that stand between the upstream
 * and the dispatcher for MULTI, SELECT, AUTH, CLIENT PAUSE and their like, and what their reply, or its loss, does to the
 * session and to the connection that the client has borrowed. What goes through is not changed.
 *
 * Decides nothing about where a command goes; the dispatcher asks for a receiver and sends.
 */
import { changedLike } from '../command/connection-state.js';
import { subcommand } from '../command/effect.js';
import { COMMANDS, type SessionEffect } from '../command/table.js';
import type { Session } from '../session/session.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { ConfirmingReceiver, ReplacingReceiver } from './confirming-receiver.js';
import type { ProxyContext } from './context.js';
import type { OpenTransaction } from './open-transaction.js';
import { withOurSection } from './own-answers.js';
import { QueuedSettingsReceiver, type QueuedSetting } from './queued-settings.js';
import { isSetting } from './route.js';
import type { UpstreamLink } from './upstream-link.js';

/** What it asks of the dispatcher. */
export interface ConfirmationsHost {
  readonly session: Session;
  /** MULTI was accepted, and what comes now is queued. */
  readonly isInTransaction: boolean;
  /** Who takes the next `count` replies. */
  replyTo(count: number): ReplyReceiver;
  reposition(): void;
  /** Nothing sensible can be said to the client any more but `error`, if anything. */
  hangUp(error: Buffer | null): void;
}

const NIL_EXEC = { 2: Buffer.from('*-1\r\n'), 3: Buffer.from('_\r\n') } as const;

export class Confirmations {
  constructor(
    private readonly host: ConfirmationsHost,
    private readonly link: UpstreamLink,
    private readonly transaction: OpenTransaction,
    private readonly context: ProxyContext,
  ) {}

  // ── who looks at a reply ─────────────────────────────────────────────────────────────────────────

  /** For a command that leaves nothing behind on its connection. */
  ofPassing(id: number, args: readonly Buffer[]): ReplyReceiver {
    if (isPause(id, args)) return this.onceOk(() => this.pauseSilence(args));
    if (isReplicaof(id, args)) return this.demoting(args);
    return withOurSection(id, args, this.host.replyTo(1), this.context);
  }

  /** For a command on a connection of the client's own. */
  ofPinned(effect: SessionEffect, args: readonly Buffer[]): ReplyReceiver {
    if (effect === 'urgent' && subcommand(args) === 'unpause')
      return this.onceOk(() => this.context.upstream.silence.unpause());
    if (effect === 'apart' && isKill(args)) return this.killing();
    if (effect === 'apart' || effect === 'wait' || effect === 'urgent') return this.host.replyTo(1);
    const owner = this.host.replyTo(1);
    const { settings } = this.transaction;
    const mayLook = effect === 'exec' && settings.length > 0;
    return this.of(effect, args, mayLook ? this.lookingFor(settings, owner) : owner);
  }

  /** For an EXEC that makes `settings`. */
  private lookingFor(settings: readonly QueuedSetting[], owner: ReplyReceiver): ReplyReceiver {
    return new QueuedSettingsReceiver(owner, [...settings], {
      confirm: (effect, args, reply) => this.confirm(effect, args, reply),
      lost: () => this.host.hangUp(null),
    });
  }

  /** Passes the reply on to `owner` and applies what it confirms. */
  of(effect: SessionEffect, args: readonly Buffer[], owner: ReplyReceiver): ReplyReceiver {
    const told = effect === 'multi' ? this.transaction.awaitAnswer() : null;
    return new ConfirmingReceiver(
      owner,
      (reply) => {
        this.confirm(effect, args, reply);
        told?.(this.host.isInTransaction);
      },
      (error) => this.lost(effect, error),
    );
  }

  /** For the DISCARD that is said in the place of `exec`: its client gets nil, as if a watched key had changed. */
  ofFailedExec(exec: Buffer): ReplyReceiver {
    return new ReplacingReceiver(
      this.host.replyTo(1),
      NIL_EXEC[this.host.session.state.resp],
      exec,
      (reply) => this.confirm('discard', [], reply),
      (error) => this.lost('discard', error),
    );
  }

  /** Calls `done` when the reply is a yes (or a queued one): a client without the right to it changes nothing. */
  private onceOk(done: () => void): ReplyReceiver {
    const confirm = (reply: Buffer): void => {
      if (reply[0] === 0x2b) done(); // '+'
    };
    return new ConfirmingReceiver(this.host.replyTo(1), confirm, () => undefined);
  }

  private killing(): ReplyReceiver {
    const { kills } = this.context.upstream;
    kills.expect();
    const confirm = (reply: Buffer): void => (hasKilled(reply) ? kills.expect() : kills.forget());
    return new ConfirmingReceiver(this.host.replyTo(1), confirm, () => undefined);
  }

  private demoting(args: readonly Buffer[]): ReplyReceiver {
    if (!namesNoOne(args)) this.context.upstream.demotion.expect();
    const confirm = (reply: Buffer): void => {
      // Not when it is queued.
      if (reply.toString('latin1', 0, 3) === '+OK') this.demoted(args);
    };
    return new ConfirmingReceiver(this.host.replyTo(1), confirm, () => undefined);
  }

  // ── what a reply does ────────────────────────────────────────────────────────────────────────────

  /** `reply` is the beginning of the upstream's answer. */
  confirm(effect: SessionEffect, args: readonly Buffer[], reply: Buffer): void {
    const { session } = this.host;
    const before = session.state;
    session.confirm(effect, args, reply);
    // Nothing stays with who stands in for the upstream.
    if (this.link.backend !== this.context.upstream) session.tie = 'none';
    const { lease } = this.link;
    // A name is a courtesy: it is not worth a connection that others need.
    if (session.tie === 'named' && this.context.upstream.pool.isScarce) session.tie = 'none';
    if (session.tie === 'bound') this.link.passPushes();
    if (lease !== null && isSetting(effect)) {
      lease.identity = this.link.backend.identityOf(session);
      lease.state = changedLike(lease.state, before, session.state);
      this.link.leaveLane();
    }
    this.host.reposition();
  }

  /**
   * Nobody will ever know what became of a command that changes the session; `error` is what its client is told. What it
   * sent behind it must not run anywhere else than it believes: not outside the transaction, nor in another database.
   */
  lost(effect: SessionEffect, error: Buffer | null): void {
    const { session } = this.host;
    if (effect === 'multi') session.transaction = 'broken';
    if (effect === 'exec' || effect === 'discard') session.endTransaction();
    if (effect === 'auth' || effect === 'hello' || effect === 'select') this.host.hangUp(error);
    this.host.reposition();
  }

  /** A command has gone where nobody looks at its reply. */
  unseen(id: number, args: readonly Buffer[]): void {
    if (isPause(id, args)) this.pauseSilence(args);
    if (isKill(args)) this.context.upstream.kills.expect();
    if (isReplicaof(id, args)) this.demoted(args);
  }

  /** What it says as a replica from now on, or for a moment yet, is what a client has ordered. */
  private demoted(args: readonly Buffer[]): void {
    const { demotion } = this.context.upstream;
    if (namesNoOne(args)) demotion.takeBack();
    else demotion.order();
  }

  /** CLIENT PAUSE makes the upstream silent for a stated time, on every connection. */
  private pauseSilence(args: readonly Buffer[]): void {
    const pauseMs = Number(args[2]?.toString('latin1'));
    if (pauseMs > 0) this.context.upstream.silence.pauseFor(pauseMs);
  }
}

function isPause(commandId: number, args: readonly Buffer[]): boolean {
  return COMMANDS[commandId]!.name === 'client' && subcommand(args) === 'pause';
}

/** `+OK`, or how many connections were killed. */
function hasKilled(reply: Buffer): boolean {
  return /^(?:\+OK|:[1-9])/.test(reply.toString('latin1'));
}

function isKill(args: readonly Buffer[]): boolean {
  return args[0]!.toString('latin1').toLowerCase() === 'client' && subcommand(args) === 'kill';
}

function isReplicaof(commandId: number, args: readonly Buffer[]): boolean {
  const { name } = COMMANDS[commandId]!;
  return (name === 'replicaof' || name === 'slaveof') && args.length === 3;
}

function namesNoOne([, host, port]: readonly Buffer[]): boolean {
  return `${host!.toString('latin1')} ${port!.toString('latin1')}`.toLowerCase() === 'no one';
}
