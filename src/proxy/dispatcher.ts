/**
 * One client's commands: decides with `route` and does it. Between `downstream/connection`, which hands it commands, and
 * the link to the upstream, whose replies it passes back.
 *
 * One rule gives each client its order (I1, I4): it awaits replies from one place at a time. A command that must go
 * elsewhere (to a connection of its own, or be answered here) waits until everything before it has been answered; the
 * client's connection is stalled meanwhile and resumed by `settle`. Hence no queue that puts replies back in order.
 *
 *   shared ──MULTI, BLPOP, SELECT, a long value──► pinned ──answered and clean──► shared
 *      └─────────────SUBSCRIBE, MONITOR, TRACKING─────► kept (KeptConnection) until the client leaves
 */
import { changedLike } from '../command/connection-state.js';
import { effectOf, subcommand } from '../command/effect.js';
import { COMMANDS, type SessionEffect } from '../command/table.js';
import type { ClientConnection, ConnectionHandler } from '../downstream/connection.js';
import { decodeArguments } from '../resp/decoder.js';
import { OK_REPLY, RESET_REPLY } from '../resp/encoder.js';
import type { Session } from '../session/session.js';
import type { UpstreamConnection, Unsent } from '../upstream/connection.js';
import { BLOCKING, PROMPT, SLOW, type Patience } from '../upstream/in-flight.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { Admission, patienceOf } from './admission.js';
import { BlockedCommand } from './blocked-command.js';
import { ConfirmingReceiver, ReplacingReceiver } from './confirming-receiver.js';
import type { ProxyContext } from './context.js';
import {
  EXEC_ABORTED,
  NOAUTH,
  NOAUTH_EXEC,
  protocolError,
  unavailable,
  unknownOutcome,
} from './errors.js';
import { FlightWindow } from './flight-window.js';
import { KeptConnection } from './kept-connection.js';
import { PasswordGate } from './password-gate.js';
import { countedAs, isSetting, route, type Position, type Route } from './route.js';
import { UpstreamLink, type LinkOwner } from './upstream-link.js';

const DISCARD_COMMAND = Buffer.from('*1\r\n$7\r\nDISCARD\r\n');
const NIL_EXEC = { 2: Buffer.from('*-1\r\n'), 3: Buffer.from('_\r\n') } as const;

/**
 * Redis notes how far replication had come after every command a connection runs, and WAIT waits for that. The client's
 * writes went over other connections: a PING makes this one as old as they are.
 */
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
const SWALLOW: ReplyReceiver = { receive() {}, lose() {}, refuse() {} };

/** A command that did not pass unseen. */
interface Special {
  readonly id: number;
  readonly effect: SessionEffect;
  readonly frame: Buffer;
  readonly args: readonly Buffer[];
}

export class Dispatcher implements ConnectionHandler, ReplyReceiver, LinkOwner {
  session: Session;
  isGone = false;
  private readonly gate: PasswordGate;
  private readonly admission: Admission;
  private readonly link: UpstreamLink;
  private kept: KeptConnection | null = null;
  private readonly window = new FlightWindow();
  private blocked: BlockedCommand | null = null;

  /** Commands that have been passed on and not been answered. */
  private outstanding = 0;
  /** Why the connection that the command at hand asked for cannot be had. */
  private denial: Error | null = null;
  private isStreaming = false;
  private isLeaving = false;
  /** What stalled the client is that it has ordered enough ahead. */
  private awaitsRoom = false;
  /** A slow command waits in the open transaction: it is EXEC that will take long. */
  private execIsSlow = false;

  constructor(
    private readonly connection: ClientConnection,
    private readonly context: ProxyContext,
  ) {
    this.session = context.newSession();
    this.gate = new PasswordGate(context.password);
    this.admission = new Admission(context.observer, context.filterPassing);
    this.link = new UpstreamLink(this, connection, context);
    this.reposition();
  }

  // ── from the client ──────────────────────────────────────────────────────────────────────────────

  admit(commandId: number): boolean {
    return this.admission.admits(commandId);
  }

  forward(buffer: Buffer, start: number, end: number, count: number): void {
    const patience = this.admission.takePatience();
    if (patience === SLOW) this.execIsSlow = true;
    if (this.kept !== null) return this.kept.send(buffer, start, end, count, patience);
    this.sendAlong(buffer, start, end, count, patience);
  }

  private sendAlong(
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
    receiver: ReplyReceiver = this,
  ): void {
    const { lease } = this.link;
    const awaitsNothing = this.outstanding === 0;
    this.outstanding += count;
    this.link.send(receiver, buffer, start, end, count, patience, awaitsNothing);
    if (this.link.lease !== lease) this.reposition();
  }

  command(commandId: number, frame: Buffer): boolean {
    this.awaitsRoom = this.admission.isFull;
    if (this.isBetweenConnections || this.awaitsRoom || this.provesIdentity) return false;
    const args = decodeArguments(frame);
    const { position } = this;
    const replacement = position === 'locked' ? null : this.context.refusal(commandId, args);
    if (replacement !== null) {
      // A frame that says why takes the command's place, and so keeps its order.
      this.admission.count(commandId, 'refused');
      this.forward(replacement, 0, replacement.length, 1);
      return true;
    }
    const effect = effectOf(commandId, args);
    const decision = this.isOurPassword(effect, args)
      ? 'unlock'
      : route(effect, position, this.session.transaction === 'open');
    const taken = this.perform(decision, { id: commandId, effect, frame, args });
    if (taken) this.admission.count(commandId, countedAs(decision));
    return taken;
  }

  beginStream(commandId: number): boolean | null {
    if (!this.admission.passes(commandId)) return null;
    this.awaitsRoom = false;
    if (this.kept !== null) return this.admission.admits(commandId);
    const lease = this.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) {
      // Its bytes will go on coming; the only honest end is to hang up.
      this.connection.finish(unavailable(lease));
      return true;
    }
    this.isStreaming = true;
    this.outstanding += 1;
    return this.admission.admits(commandId);
  }

  stream(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const count = ended ? 1 : 0;
    const patience = this.admission.takePatience();
    if (this.kept !== null) return this.kept.send(buffer, start, end, count, patience);
    this.link.sendOnLease(this, buffer, start, end, count, patience);
    if (ended) this.isStreaming = false;
  }

  protocolError(text: string, rest: Buffer): boolean {
    if (this.kept !== null) {
      // The upstream answers it itself, behind the replies that are still to come, and hangs up.
      this.kept.leave(rest, 'quit');
    } else {
      if (this.outstanding > 0 && !this.isStreaming) return false;
      this.connection.finish(protocolError(text));
    }
    this.context.observer.protocolErrors += 1;
    return true;
  }

  inputEnded(): void {
    this.isLeaving = true;
    if (this.blocked !== null || this.isStreaming) this.connection.destroy();
    else if (this.kept !== null) this.kept.inputEnded();
    else if (this.outstanding === 0) this.connection.finish(null);
  }

  closed(): void {
    this.isGone = true;
    this.context.left(this);
    this.blocked?.cancel();
    this.kept?.abandon();
    this.link.drop();
  }

  // ── from the upstream ────────────────────────────────────────────────────────────────────────────

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    if (this.isGone) return;
    this.connection.reply(chunk, start, end);
    this.outstanding -= completed;
    this.widen(end - start, completed);
    if (completed === 0) this.link.notePartialReply();
    this.link.slowDown();
    if (this.outstanding === 0) this.settle();
  }

  /** A client may order only so much ahead (`room`); a stalled one goes on when half of that has come. */
  private widen(bytes: number, completed: number): void {
    this.window.learn(bytes, completed);
    this.admission.limitTo(this.room);
    if (
      this.awaitsRoom &&
      this.connection.isStalled &&
      this.outstanding > 0 &&
      this.outstanding <= this.window.size / 2
    ) {
      this.connection.resume();
    }
  }

  lose(count: number, midReply: boolean, cause: Error): void {
    if (midReply) this.connection.destroy();
    this.answerAll(count, unknownOutcome(cause));
  }

  refuse(count: number, cause: Error): void {
    this.answerAll(count, unavailable(cause));
  }

  leaseArrived(lease: UpstreamConnection): void {
    if (this.blocked?.isWaiting === true) this.blocked.sendAgain(lease);
    else this.kept?.continueOn(lease);
    this.reposition();
    this.connection.resume();
    if (this.outstanding === 0) this.settle();
  }

  leaseDenied(cause: Error): void {
    if (this.isBetweenConnections) {
      // A subscriber loses nothing by waiting on, but a client that has asked for something must get an answer.
      if (this.kept !== null && this.connection.isStalled) this.connection.destroy();
      else this.reconnect();
      return;
    }
    this.denial = cause;
    this.connection.resume();
  }

  leaseLost(cause: Error, unsent: Unsent): void {
    this.session.connectionLost();
    if (this.isStreaming) this.connection.finish(unknownOutcome(cause));
    for (const { receiver, count } of unsent.entries) receiver.refuse(count, cause);
    if (this.isGone) return;
    this.reposition();
    if (this.blocked?.isWaiting === true) this.reconnect();
    else if (this.outstanding === 0) this.settle();
  }

  // ── from the register of clients ─────────────────────────────────────────────────────────────────

  /** Something is being done for the client that is worth waiting for before the sidecar stops. */
  get isBusy(): boolean {
    const awaits = this.outstanding > 0 || this.link.isAsking;
    return awaits && this.blocked === null && this.kept === null;
  }
  get isPinned(): boolean {
    return this.link.lease !== null;
  }

  /** Ends the connection in an orderly way. */
  close(): void {
    this.connection.finish(null);
  }

  releaseIfIdle(): void {
    if (this.outstanding === 0) return this.settle();
    if (!this.connection.isStalled || !this.link.isStuck) return;
    // It sends and does not read. Redis would hang up when enough has piled up; here the upstream has been slowed.
    this.context.observer.clientsClosedForOutput += 1;
    this.connection.destroy();
  }

  // ── what a route means ───────────────────────────────────────────────────────────────────────────

  /** False: not now; the command comes again when what is outstanding has been answered. */
  private perform(decision: Route, command: Special): boolean {
    switch (decision) {
      case 'pass':
        return this.pass(command);
      case 'pin':
        return this.pin(command);
      case 'keep':
        return this.keep(command);
      case 'leave':
        return this.leave(command);
      case 'abort':
        return this.abortTransaction(command.effect);
      case 'unlock':
        return this.unlock(command);
      case 'refuse':
        return this.answerHere(this.refusalOf(command.effect));
      case 'hang-up':
        this.connection.destroy();
        return true;
    }
  }

  /** The sidecar's own password is never the upstream's to judge, however often it is given. */
  private isOurPassword(effect: SessionEffect, args: readonly Buffer[]): boolean {
    const isCredential = effect === 'auth' || effect === 'hello';
    return isCredential && this.kept === null && this.gate.concerns(args);
  }

  private refusalOf(effect: SessionEffect): Buffer {
    if (this.position !== 'locked') return QUEUE_LOST;
    return effect === 'exec' ? NOAUTH_EXEC : NOAUTH;
  }

  private pass({ id, effect, frame, args }: Special): boolean {
    if (this.kept !== null) {
      this.kept.sendSpecial(effect, frame, args, this.patienceFor(effect, id));
      if (isPause(id, args)) this.pauseSilence(args);
      return true;
    }
    const receiver = isPause(id, args) ? this.onceOk(() => this.pauseSilence(args)) : this;
    this.sendAlong(frame, 0, frame.length, 1, patienceOf(id), receiver);
    return true;
  }

  private pin({ id, effect, frame, args }: Special): boolean {
    // A transaction goes on without waiting for its replies; a setting must know where it stands first.
    if (isSetting(effect) && this.outstanding > 0) return false;
    const lease = this.borrow(effect === 'urgent');
    if (lease === null) return false;
    if (lease instanceof Error) return this.denyPinned(effect, unavailable(lease));
    // Anywhere else but here, behind nothing of its own, the connection is old enough (and a transaction would queue it).
    if (effect === 'wait' && this.outstanding === 0 && this.session.isClean)
      this.link.sendOnLease(SWALLOW, PING, 0, PING.length, 1, PROMPT);
    if (effect === 'exec' && this.session.watchLost) return this.failExec();
    const receiver = this.receiverFor(effect, args);
    this.outstanding += 1;
    this.link.sendOnLease(receiver, frame, 0, frame.length, 1, this.patienceFor(effect, id));
    if (receiver === this.blocked) this.blocked.sentOn(lease);
    if (this.provesIdentity) this.reposition();
    return true;
  }

  private patienceFor(effect: SessionEffect, commandId: number): Patience {
    if (effect === 'blocking' || effect === 'wait') return BLOCKING;
    if (effect === 'multi') this.execIsSlow = false;
    return effect === 'exec' && this.execIsSlow ? SLOW : patienceOf(commandId);
  }

  private receiverFor(effect: SessionEffect, args: readonly Buffer[]): ReplyReceiver {
    if (effect === 'urgent' && subcommand(args) === 'unpause')
      return this.onceOk(() => this.context.silence.unpause());
    if (effect === 'apart' || effect === 'wait' || effect === 'urgent') return this;
    if (effect !== 'blocking') {
      return new ConfirmingReceiver(
        this,
        (reply) => this.confirm(effect, args, reply),
        (error) => this.unconfirmed(effect, error),
      );
    }
    if (this.outstanding > 0 || this.session.transaction !== 'none') return this;
    this.blocked = BlockedCommand.from(args, {
      clock: this.context.clock,
      graceMs: this.context.upstreamTimeoutMs,
      owner: this,
      resp: this.session.state.resp,
      isAlone: () => this.outstanding === 1,
      ended: () => {
        this.blocked = null;
        this.link.stopAsking();
        this.reposition();
      },
    });
    return this.blocked ?? this;
  }

  private confirm(effect: SessionEffect, args: readonly Buffer[], reply: Buffer): void {
    const before = this.session.state;
    this.session.confirm(effect, args, reply);
    const { lease } = this.link;
    if (lease !== null && isSetting(effect)) {
      lease.identity = this.session.identity;
      lease.state = changedLike(lease.state, before, this.session.state);
      this.link.leaveLane();
    }
    this.reposition();
  }

  private keep({ id, effect, frame, args }: Special): boolean {
    if (this.kept === null) {
      if (this.outstanding > 0) return false;
      const lease = this.borrow();
      if (lease === null) return false;
      if (lease instanceof Error) return this.answerHere(unavailable(lease));
      this.kept = this.keepConnection(lease);
      this.reposition();
    }
    this.kept.sendSpecial(effect, frame, args, this.patienceFor(effect, id));
    return true;
  }

  private keepConnection(lease: UpstreamConnection): KeptConnection {
    return new KeptConnection(lease, this.connection, this.session, {
      clock: this.context.clock,
      timeoutMs: this.context.upstreamTimeoutMs,
      lost: () => {
        this.reposition();
        this.reconnect();
      },
      detached: () => {
        this.kept = null;
        this.beginAnew();
        this.connection.resume();
      },
    });
  }

  private leave({ effect, frame }: Special): boolean {
    if (this.kept !== null) {
      this.kept.leave(frame, effect === 'quit' ? 'quit' : 'reset');
      this.reposition();
      return true;
    }
    if (this.outstanding > 0) return false;
    if (effect === 'quit') {
      this.connection.finish(OK_REPLY);
      return true;
    }
    this.beginAnew();
    return this.answerHere(RESET_REPLY);
  }

  /** RESET: everything the client ever said is forgotten, and with it the connection that may remember it. */
  private beginAnew(): void {
    this.link.drop();
    this.link.leaveLane();
    this.session = this.context.newSession();
    this.gate.lock();
    this.reposition();
  }

  /** EXEC or DISCARD of a transaction whose connection was lost. */
  private abortTransaction(effect: SessionEffect): boolean {
    if (this.outstanding > 0) return false;
    this.session.endTransaction();
    this.reposition();
    return this.answerHere(effect === 'exec' ? EXEC_ABORTED : OK_REPLY);
  }

  /** The WATCH was lost with its connection: nobody knows whether a key changed, so EXEC says that one did. */
  private failExec(): boolean {
    const nil = NIL_EXEC[this.session.state.resp];
    const receiver = new ReplacingReceiver(
      this,
      nil,
      (reply) => this.confirm('discard', [], reply),
      (error) => this.unconfirmed('discard', error),
    );
    this.outstanding += 1;
    this.link.sendOnLease(receiver, DISCARD_COMMAND, 0, DISCARD_COMMAND.length, 1, PROMPT);
    return true;
  }

  /** No connection for it. */
  private denyPinned(effect: SessionEffect, error: Buffer): boolean {
    this.unconfirmed(effect, error);
    return this.answerHere(error);
  }

  /**
   * Nobody will ever know what became of a command that changes the session; `error` is what its client is told. What it
   * sent behind it must not run anywhere else than it believes: not outside the transaction, nor in another database.
   */
  private unconfirmed(effect: SessionEffect, error: Buffer | null): void {
    if (effect === 'multi') this.session.transaction = 'broken';
    if (effect === 'exec' || effect === 'discard') this.session.endTransaction();
    if (effect === 'auth' || effect === 'hello' || effect === 'select') {
      this.connection.finish(error);
    }
    this.reposition();
  }

  private unlock(command: Special): boolean {
    if (this.outstanding > 0) return false;
    const verdict = this.gate.check(command.args);
    const isAccepted = verdict.kind === 'go-on' || (verdict.kind === 'reply' && verdict.isAccepted);
    if (isAccepted && this.link.lease === null) {
      // Whoever the client was before, with our password it acts as we do.
      this.session.identity = this.context.newSession().identity;
      this.link.leaveLane();
    }
    this.reposition();
    switch (verdict.kind) {
      case 'reply':
        return this.answerHere(verdict.reply);
      case 'go-on':
        return this.pin({
          ...command,
          frame: verdict.rewritten,
          args: decodeArguments(verdict.rewritten),
        });
      case 'upstream':
        return this.askUpstreamToUnlock(command);
    }
  }

  /** An ACL user's credentials are the upstream's to judge; its yes opens the gate too. */
  private askUpstreamToUnlock({ effect, frame, args }: Special): boolean {
    const lease = this.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) return this.answerHere(unavailable(lease));
    const before = this.session.identity;
    const confirm = (reply: Buffer): void => {
      this.confirm(effect, args, reply);
      if (this.session.identity !== before) this.gate.open();
      this.reposition();
    };
    const receiver = new ConfirmingReceiver(this, confirm, () => undefined);
    this.outstanding += 1;
    this.link.sendOnLease(receiver, frame, 0, frame.length, 1, PROMPT);
    return true;
  }

  /** Replies to a command here, or asks for it again when earlier ones are still to be answered. */
  private answerHere(reply: Buffer): boolean {
    if (this.outstanding > 0) return false;
    this.connection.replyHere(reply);
    return true;
  }

  private answerAll(count: number, error: Buffer): void {
    if (this.isGone) return;
    for (let index = 0; index < count; index += 1) this.connection.reply(error, 0, error.length);
    this.outstanding -= count;
    this.reposition();
    if (this.outstanding === 0) this.settle();
  }

  /** CLIENT PAUSE makes the upstream silent for a stated time, on every connection. */
  private pauseSilence(args: readonly Buffer[]): void {
    const pauseMs = Number(args[2]?.toString('latin1'));
    if (pauseMs > 0) this.context.silence.pauseFor(pauseMs);
  }

  /** Calls `done` when the reply is a yes (or a queued one): a client without the right to it changes nothing. */
  private onceOk(done: () => void): ReplyReceiver {
    const confirm = (reply: Buffer): void => {
      if (reply[0] === 0x2b) done(); // '+'
    };
    return new ConfirmingReceiver(this, confirm, () => undefined);
  }

  // ── where the client stands ──────────────────────────────────────────────────────────────────────

  private get position(): Position {
    if (!this.gate.isOpen) return 'locked';
    if (this.kept !== null) return 'kept';
    if (this.session.transaction === 'broken') return 'broken';
    return this.link.lease === null ? 'shared' : 'pinned';
  }

  /** What the client has upstream was lost and is being made again; until then it cannot say anything. */
  private get isBetweenConnections(): boolean {
    return this.blocked?.isWaiting === true || this.kept?.isBetweenConnections === true;
  }

  /**
   * An upstream that wants a password knows nobody on this connection, and so has not chosen the session's database: what
   * the client sends behind its AUTH waits for the answer, or it would run in another database.
   */
  private get provesIdentity(): boolean {
    const { lease } = this.link;
    const isUnknown = lease !== null && lease.refusesStrangers && this.kept === null;
    return isUnknown && this.outstanding > 0 && this.session.identity.credentials === null;
  }

  /** Brings what is admitted into line with the position. */
  private reposition(): void {
    this.connection.authenticated =
      this.gate.isOpen && !this.context.isStranger(this.session.identity);
    if (this.isBetweenConnections || this.provesIdentity) this.admission.close();
    else this.admission.moveTo(this.position);
    this.admission.limitTo(this.room);
  }

  /**
   * Commands that may be passed on before replies come. Where the client has a connection of its own because of what it
   * does, it is as free as with Redis; where only because its replies are long, it may not order more of them than it
   * reads.
   */
  private get room(): number {
    const isWindowed = this.link.lease === null || (this.link.isHeavy && this.session.isClean);
    return this.kept === null && isWindowed ? this.window.size - this.outstanding : Infinity;
  }

  /** A connection of its own: now, not yet (null), or not at all. */
  private borrow(urgently = false): UpstreamConnection | Error | null {
    if (this.link.lease !== null) return this.link.lease;
    if (this.outstanding > 0) return null;
    const { denial } = this;
    this.denial = null;
    if (denial !== null) return denial;
    const lease = this.link.borrow(urgently);
    if (lease !== null) this.reposition();
    return lease;
  }

  /** Asks for the connection on which what was lost is made again. */
  private reconnect(): void {
    const lease = this.link.borrow();
    if (lease !== null) this.leaseArrived(lease);
  }

  /** Everything has been answered: gives back what is not needed any more, and goes on with what had to wait. */
  private settle(): void {
    const isClean = this.kept === null && !this.isStreaming && this.session.isClean;
    if (isClean && this.link.lease !== null && !this.link.isHeavy) {
      this.link.giveBack();
      this.reposition();
    }
    if (this.connection.isStalled) {
      if (!this.link.isAsking) this.connection.resume();
    } else if (this.isLeaving && this.outstanding === 0 && this.kept === null) {
      this.connection.finish(null);
    }
  }
}

function isPause(commandId: number, args: readonly Buffer[]): boolean {
  return COMMANDS[commandId]!.name === 'client' && subcommand(args) === 'pause';
}

const QUEUE_LOST = unavailable(new Error('the connection that held this transaction was lost'));
