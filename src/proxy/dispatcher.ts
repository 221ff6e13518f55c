/**
 * One client's commands: decides with `route` and does it. Between `downstream/connection`, which hands it commands, and
 * `upstream/`, whose lanes and borrowed connections answer them.
 *
 * One rule gives each client its order (I1, I4): it awaits replies from one place at a time. A command that must go
 * elsewhere (to a connection of its own, or be answered here) waits until everything before it has been answered; the
 * client's connection is stalled meanwhile and resumed by `settle`. Hence no queue that reorders replies.
 *
 *   shared ──MULTI, BLPOP, SELECT, a long value──► pinned ──answered and clean──► shared
 *      └─────────────SUBSCRIBE, MONITOR, TRACKING─────► kept (KeptConnection) until the client leaves
 */
import { OK_REPLY, RESET_REPLY } from '../resp/encoder.js';
import { decodeArguments } from '../resp/decoder.js';
import { effectOf, subcommand } from '../command/effect.js';
import { COMMANDS, type SessionEffect } from '../command/table.js';
import type { ClientConnection, ConnectionHandler } from '../downstream/connection.js';
import { Session } from '../session/session.js';
import type { UpstreamConnection, Unsent } from '../upstream/connection.js';
import { BLOCKING, PROMPT, SLOW, type Patience } from '../upstream/in-flight.js';
import type { Lane } from '../upstream/lane.js';
import type { LeaseHolder } from '../upstream/pool.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { BlockedCommand } from './blocked-command.js';
import { ConfirmingReceiver, ReplacingReceiver } from './confirming-receiver.js';
import type { ProxyContext } from './context.js';
import { EXEC_ABORTED, NOAUTH, protocolError, unavailable, unknownOutcome } from './errors.js';
import { KeptConnection, type KeptOptions } from './kept-connection.js';
import { PasswordGate } from './password-gate.js';
import { ROUTES } from './observer.js';
import { passTable, route, type Position, type Route } from './route.js';

/** A borrowed connection with more than this unsent pauses its client. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** A client that was sent a long reply keeps a connection of its own for this long, off the lanes of the others. */
const HEAVY_MS = 5000;

const DISCARD_COMMAND = Buffer.from('*1\r\n$7\r\nDISCARD\r\n');
const NIL_EXEC = { 2: Buffer.from('*-1\r\n'), 3: Buffer.from('_\r\n') } as const;

const ROUTE_COUNT = ROUTES.length;
const SHARED = ROUTES.indexOf('shared');
const PINNED = ROUTES.indexOf('pinned');
const LOCAL = ROUTES.indexOf('local');
const REFUSED = ROUTES.indexOf('refused');

const IS_SLOW = Uint8Array.from(COMMANDS, ({ pace }) => (pace === 'slow' ? 1 : 0));
const PASSES_SHARED = passTable('shared');
const PASSES_PINNED = passTable('pinned');
const PASSES_KEPT = passTable('kept');
const PASSES_NOWHERE = new Uint8Array(COMMANDS.length);

export class Dispatcher implements ConnectionHandler, ReplyReceiver, LeaseHolder {
  session: Session;
  private lane: Lane | null = null;
  private lease: UpstreamConnection | null = null;
  private kept: KeptConnection | null = null;
  private blocked: BlockedCommand | null = null;
  private readonly gate: PasswordGate;

  /** Commands that have been passed on and not been answered. */
  private outstanding = 0;
  private awaitingLease = false;
  private leaseDenied: Error | null = null;
  private isStreaming = false;
  private heavyUntil = 0;
  private isGone = false;
  private isLeaving = false;

  /** What `admit` looks at: which commands pass unseen now, and under which label they are counted. */
  private passes: Uint8Array = PASSES_SHARED;
  private counted = SHARED;
  private patience: Patience = PROMPT;
  /** A slow command waits in the open transaction: it is EXEC that will take long. */
  private execIsSlow = false;

  constructor(
    private readonly connection: ClientConnection,
    private readonly context: ProxyContext,
  ) {
    this.session = context.newSession();
    this.gate = new PasswordGate(context.password);
    this.reposition();
  }

  // ── from the client ────────────────────────────────────────────────────────────────────────────────────────────

  admit(commandId: number): boolean {
    if (this.passes[commandId] === 0) return false;
    this.context.observer.commands[commandId * ROUTE_COUNT + this.counted]! += 1;
    if (IS_SLOW[commandId] === 1) this.patience = SLOW;
    return true;
  }

  forward(buffer: Buffer, start: number, end: number, count: number): void {
    const patience = this.patience;
    this.patience = PROMPT;
    if (this.kept !== null) return this.kept.send(buffer, start, end, count);
    this.outstanding += count;
    if (this.lease === null && this.outstanding === count) this.choosePlace();
    const { lease } = this;
    if (lease !== null) {
      if (patience === SLOW) this.execIsSlow = true;
      lease.send(this, buffer, start, end, count, patience);
      this.pauseIfOverloaded(lease);
      return;
    }
    const lane = this.lane!;
    lane.send(this, buffer, start, end, count, patience);
    if (lane.isOverloaded) {
      this.connection.pauseInput();
      lane.whenWritable(() => this.connection.resumeInput());
    }
  }

  command(commandId: number, frame: Buffer): boolean {
    if (this.isWaitingForConnection) return false;
    const args = decodeArguments(frame);
    const { refusal } = this.context;
    const refused = refusal === null ? null : refusal(commandId, args);
    if (refused !== null && this.position !== 'locked')
      return this.passRewritten(commandId, refused);
    const effect = effectOf(commandId, args);
    this.noteSilence(commandId, args);
    const decision = route(effect, this.position);
    // While a transaction may be open, a lasting change inside it is settled only by EXEC: keep the connection.
    const settled =
      this.inTransaction && decision === 'pin' && isSetting(effect) ? 'keep' : decision;
    const taken = this.perform(settled, effect, commandId, frame, args);
    if (taken) this.count(commandId, settled);
    return taken;
  }

  beginStream(commandId: number): boolean | null {
    if (this.kept === null && this.passes[commandId] === 0) return null;
    if (this.kept === null) {
      const lease = this.borrow();
      if (lease instanceof Error) {
        // Its bytes will go on coming; the only honest end is to hang up.
        this.connection.finish(unavailable(lease));
        return true;
      }
      if (lease === null) return false;
      this.isStreaming = true;
      this.outstanding += 1;
    }
    this.admit(commandId);
    return true;
  }

  stream(buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (this.kept !== null) return this.kept.send(buffer, start, end, ended ? 1 : 0);
    const { lease } = this;
    // The connection was lost in the middle: what is left of the command is thrown away, its error was given.
    if (lease === null) {
      if (ended) this.isStreaming = false;
      return;
    }
    lease.send(this, buffer, start, end, ended ? 1 : 0, SLOW);
    if (ended) {
      this.isStreaming = false;
      this.patience = PROMPT;
    }
    this.pauseIfOverloaded(lease);
  }

  protocolError(text: string, rest: Buffer): boolean {
    this.context.observer.protocolErrors += 1;
    if (this.kept !== null) {
      // The upstream answers it itself, behind the replies that are still to come, and hangs up.
      this.kept.leave(rest, 'quit');
      return true;
    }
    if (this.isStreaming) {
      this.connection.finish(protocolError(text));
      return true;
    }
    if (this.outstanding > 0) return false;
    this.connection.finish(protocolError(text));
    return true;
  }

  inputEnded(): void {
    this.isLeaving = true;
    if (this.outstanding === 0 && this.kept === null) this.connection.finish(null);
    else if (this.kept !== null || this.blocked !== null) this.connection.destroy();
  }

  closed(): void {
    this.isGone = true;
    this.context.left(this);
    if (this.awaitingLease) this.context.pool.withdraw(this);
    this.blocked?.cancel();
    this.kept?.abandon();
    this.kept = null;
    this.dropLease();
  }

  // ── from the upstream ──────────────────────────────────────────────────────────────────────────────────────────

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    if (this.isGone) return;
    this.connection.reply(chunk, start, end);
    this.outstanding -= completed;
    if (completed === 0) this.noteLongReply();
    if (this.lease !== null) this.slowDown(this.lease);
    if (this.outstanding === 0) this.settle();
  }

  lose(count: number, midReply: boolean, cause: Error): void {
    if (midReply) this.connection.destroy();
    this.answerAll(count, unknownOutcome(cause));
  }

  refuse(count: number, cause: Error): void {
    this.answerAll(count, unavailable(cause));
  }

  granted(connection: UpstreamConnection): void {
    this.awaitingLease = false;
    if (this.isGone) return this.context.pool.release(connection);
    this.takeLease(connection);
    if (this.blocked?.isWaiting) this.blocked.sendAgain(connection);
    this.reposition();
    this.connection.resume();
    if (this.outstanding === 0) this.settle();
  }

  denied(cause: Error): void {
    this.awaitingLease = false;
    if (this.isGone) return;
    if (this.kept !== null && this.connection.isStalled) return this.connection.destroy();
    if (this.isWaitingForConnection) {
      this.awaitLease();
      return;
    }
    this.leaseDenied = cause;
    this.connection.resume();
  }

  leaseLost(cause: Error, unsent: Unsent): void {
    this.lease = null;
    this.session.connectionLost();
    if (this.isStreaming && !this.isGone) this.connection.finish(unknownOutcome(cause));
    for (const { receiver, count } of unsent.entries) receiver.refuse(count, cause);
    if (this.isGone) return;
    this.reposition();
    if (this.blocked?.isWaiting) return this.borrowAgain();
    if (this.outstanding === 0) this.settle();
  }

  leaseDrained(): void {
    this.connection.resumeInput();
  }

  // ── from the composition root ──────────────────────────────────────────────────────────────────────────────────

  /** Something is being done for the client that is worth waiting for before the sidecar stops. */
  get isBusy(): boolean {
    return this.outstanding > 0 && this.blocked === null && this.kept === null;
  }
  get isPinned(): boolean {
    return this.lease !== null || this.kept !== null;
  }

  /** Ends the connection in an orderly way. */
  close(): void {
    this.connection.finish(null);
  }

  /** Gives back a connection that was kept only because the client's replies are long, once that is a while ago. */
  releaseIfIdle(): void {
    if (this.outstanding === 0) this.settle();
  }

  // ── what a route means ─────────────────────────────────────────────────────────────────────────────────────────

  private perform(
    decision: Route,
    effect: SessionEffect,
    commandId: number,
    frame: Buffer,
    args: Buffer[],
  ): boolean {
    switch (decision) {
      case 'pass':
        if (this.kept !== null) {
          this.kept.sendSpecial(effect, frame, args);
          return true;
        }
        if (IS_SLOW[commandId] === 1) this.patience = SLOW;
        this.forward(frame, 0, frame.length, 1);
        return true;
      case 'pin':
        return this.pin(effect, commandId, frame, args);
      case 'keep':
        return this.keep(effect, frame, args);
      case 'leave':
        return this.leave(effect, frame);
      case 'abort':
        return this.answerHere(this.abortTransaction(effect));
      case 'unlock':
        return this.unlock(commandId, frame, args);
      case 'refuse':
        return this.answerHere(
          this.position === 'locked' ? NOAUTH : unavailable(new Error('MULTI was lost with it')),
        );
      case 'hang-up':
        this.connection.destroy();
        return true;
    }
  }

  private pin(effect: SessionEffect, commandId: number, frame: Buffer, args: Buffer[]): boolean {
    // A transaction goes on without waiting for its replies; a setting must know where it stands first.
    if (isSetting(effect) && this.outstanding > 0) return false;
    const lease = this.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) return this.answerHere(this.denyPinned(effect, lease));
    if (effect === 'exec' && this.session.watchLost) return this.failExec(lease);
    const receiver = this.receiverFor(effect, args);
    this.outstanding += 1;
    lease.send(receiver, frame, 0, frame.length, 1, this.patienceFor(effect, commandId));
    if (receiver === this.blocked) this.blocked.sentOn(lease);
    return true;
  }

  private patienceFor(effect: SessionEffect, commandId: number): Patience {
    if (effect === 'blocking') return BLOCKING;
    if (effect === 'multi') this.execIsSlow = false;
    return IS_SLOW[commandId] === 1 || (effect === 'exec' && this.execIsSlow) ? SLOW : PROMPT;
  }

  private receiverFor(effect: SessionEffect, args: Buffer[]): ReplyReceiver {
    if (effect === 'apart') return this;
    if (effect !== 'blocking') {
      return new ConfirmingReceiver(this, (reply) => this.confirm(effect, args, reply));
    }
    if (this.outstanding > 0 || this.session.transaction !== 'none') return this;
    this.blocked = BlockedCommand.from(args, {
      clock: this.context.clock,
      graceMs: this.context.upstreamTimeoutMs,
      owner: this,
      resp: this.session.state.resp,
      isAlone: () => this.outstanding === 1,
      gaveUp: () => this.context.pool.withdraw(this),
      ended: () => {
        this.blocked = null;
        this.awaitingLease = false;
        this.reposition();
      },
    });
    return this.blocked ?? this;
  }

  private confirm(effect: SessionEffect, args: Buffer[], reply: Buffer): void {
    this.session.confirm(effect, args, reply);
    if (this.lease !== null && isSetting(effect)) {
      this.lease.identity = this.session.identity;
      this.lease.state = this.session.state;
      this.lane = null;
    }
    this.reposition();
  }

  private keep(effect: SessionEffect, frame: Buffer, args: Buffer[]): boolean {
    if (this.kept === null) {
      if (this.outstanding > 0) return false;
      const lease = this.borrow();
      if (lease === null) return false;
      if (lease instanceof Error) return this.answerHere(unavailable(lease));
      this.kept = new KeptConnection(lease, this.connection, this.session, this.keptOptions());
      this.reposition();
    }
    this.kept.sendSpecial(effect, frame, args);
    return true;
  }

  private keptOptions(): KeptOptions {
    return {
      clock: this.context.clock,
      timeoutMs: this.context.upstreamTimeoutMs,
      borrow: () => {
        this.awaitLease();
        this.reposition();
      },
      detached: () => {
        this.kept = null;
        this.beginAnew();
        this.connection.resume();
      },
    };
  }

  private leave(effect: SessionEffect, frame: Buffer): boolean {
    if (this.kept !== null) {
      this.kept.leave(frame, effect === 'quit' ? 'quit' : 'reset');
      if (effect === 'reset') this.passes = PASSES_NOWHERE;
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
    this.dropLease();
    this.lane = null;
    this.session = this.context.newSession();
    this.gate.lock();
    this.reposition();
  }

  private abortTransaction(effect: SessionEffect): Buffer {
    this.session.endTransaction();
    this.reposition();
    return effect === 'exec' ? EXEC_ABORTED : OK_REPLY;
  }

  /** The WATCH was lost with its connection: nobody knows whether a key changed, so EXEC says that one did. */
  private failExec(lease: UpstreamConnection): boolean {
    const nil = NIL_EXEC[this.session.state.resp];
    this.outstanding += 1;
    const receiver = new ReplacingReceiver(this, nil, (reply) =>
      this.confirm('discard', [], reply),
    );
    lease.send(receiver, DISCARD_COMMAND, 0, DISCARD_COMMAND.length, 1, PROMPT);
    return true;
  }

  /** No connection for it. What follows MULTI must then not run by itself. */
  private denyPinned(effect: SessionEffect, cause: Error): Buffer {
    if (effect === 'multi') {
      this.session.transaction = 'broken';
      this.reposition();
    }
    return unavailable(cause);
  }

  private unlock(commandId: number, frame: Buffer, args: Buffer[]): boolean {
    const verdict = this.gate.check(args);
    if (verdict.kind === 'reply') {
      this.reposition();
      return this.answerHere(verdict.reply);
    }
    if (verdict.kind === 'upstream') {
      // An ACL user's own credentials are the upstream's to judge; its yes opens the gate too.
      return this.pinToUnlock(commandId, frame, args);
    }
    this.reposition();
    return this.command(commandId, verdict.rewritten);
  }

  private pinToUnlock(commandId: number, frame: Buffer, args: Buffer[]): boolean {
    const effect = effectOf(commandId, args);
    const lease = this.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) return this.answerHere(unavailable(lease));
    this.outstanding += 1;
    const receiver = new ConfirmingReceiver(this, (reply) => {
      const before = this.session.identity;
      this.confirm(effect, args, reply);
      if (this.session.identity !== before) this.gate.open();
      this.reposition();
    });
    lease.send(receiver, frame, 0, frame.length, 1, PROMPT);
    return true;
  }

  /** Replies to a command here, or asks for it again when earlier ones are still to be answered. */
  private answerHere(reply: Buffer): boolean {
    if (this.outstanding > 0) return false;
    this.connection.replyHere(reply);
    return true;
  }

  /** A command that makes no sense on this upstream: a frame that says so takes its place, in its order. */
  private passRewritten(commandId: number, frame: Buffer): boolean {
    this.count(commandId, 'refuse');
    this.forward(frame, 0, frame.length, 1);
    return true;
  }

  /** CLIENT PAUSE makes the upstream silent for a stated time, on every connection. */
  private noteSilence(commandId: number, args: readonly Buffer[]): void {
    if (COMMANDS[commandId]!.name !== 'client') return;
    const { silence, clock } = this.context;
    const pauseMs = Number(args[2]?.toString('latin1'));
    if (subcommand(args) === 'pause' && pauseMs > 0) silence.pauseUntil(clock.now() + pauseMs);
    if (subcommand(args) === 'unpause') silence.unpause();
  }

  // ── the connection it has ──────────────────────────────────────────────────────────────────────────────────────

  private get position(): Position {
    if (!this.gate.isOpen) return 'locked';
    if (this.kept !== null) return 'kept';
    if (this.session.transaction === 'broken') return 'broken';
    return this.lease === null ? 'shared' : 'pinned';
  }

  /** What the client has upstream was lost and is being made again; until then it cannot say anything. */
  private get isWaitingForConnection(): boolean {
    return this.blocked?.isWaiting === true || this.kept?.isBetweenConnections === true;
  }

  private get inTransaction(): boolean {
    return this.session.transaction === 'open';
  }

  /** Brings what `admit` looks at into line with the position. */
  private reposition(): void {
    const { position } = this;
    if (this.isWaitingForConnection) {
      this.passes = PASSES_NOWHERE;
      return;
    }
    this.counted = position === 'shared' ? SHARED : PINNED;
    this.connection.authenticated =
      this.gate.isOpen && !this.context.isStranger(this.session.identity);
    switch (position) {
      case 'shared':
        this.passes = this.context.filterPassing(PASSES_SHARED);
        return;
      case 'pinned':
        this.passes = this.context.filterPassing(PASSES_PINNED);
        return;
      case 'kept':
        this.passes = this.context.filterPassing(PASSES_KEPT);
        return;
      case 'broken':
      case 'locked':
        this.passes = PASSES_NOWHERE;
    }
  }

  /** The client awaits nothing: the moment to move to a calmer lane, or to a connection of its own. */
  private choosePlace(): void {
    if (this.heavyUntil > 0 && this.context.clock.now() < this.heavyUntil && !this.awaitingLease) {
      const lease = this.context.pool.acquire(this.session.identity, this.session.state, this);
      if (lease !== null) return this.takeLease(lease);
      // None at hand: the one that is being opened will be idle by the next time.
      this.context.pool.withdraw(this);
    }
    if (this.lane === null || this.lane.isRetired || this.lane.isCongested) {
      this.lane = this.context.laneFor(this.session);
    }
  }

  /** A connection of its own: now, not yet (null), or not at all. */
  private borrow(): UpstreamConnection | Error | null {
    if (this.lease !== null) return this.lease;
    if (this.outstanding > 0 || this.awaitingLease) return null;
    const denied = this.leaseDenied;
    this.leaseDenied = null;
    if (denied !== null) return denied;
    return this.awaitLease();
  }

  private awaitLease(): UpstreamConnection | null {
    const lease = this.context.pool.acquire(this.session.identity, this.session.state, this);
    this.awaitingLease = lease === null;
    if (lease !== null) this.takeLease(lease);
    return lease;
  }

  private borrowAgain(): void {
    const lease = this.awaitLease();
    if (lease !== null) this.blocked?.sendAgain(lease);
  }

  private takeLease(lease: UpstreamConnection): void {
    this.lease = lease;
    this.kept?.continueOn(lease);
    this.reposition();
  }

  /** Everything has been answered: give back what is not needed any more, and go on with what had to wait. */
  private settle(): void {
    const { lease } = this;
    const canRelease =
      this.kept === null && !this.isStreaming && this.session.isClean && !this.isHeavy;
    if (lease !== null && canRelease) {
      // The client's reading speed must not outlive its use of the connection.
      lease.resumeReading();
      this.lease = null;
      this.context.pool.release(lease);
      this.reposition();
    }
    if (this.connection.isStalled) {
      if (!this.awaitingLease) this.connection.resume();
    } else if (this.isLeaving && this.outstanding === 0) {
      this.connection.finish(null);
    }
  }

  private dropLease(): void {
    if (this.lease !== null) this.context.pool.discard(this.lease);
    this.lease = null;
  }

  private get isHeavy(): boolean {
    return this.heavyUntil > 0 && this.context.clock.now() < this.heavyUntil;
  }

  private noteLongReply(): void {
    const isLong = this.lease === null ? this.lane?.isCongested : this.lease.isCongested;
    if (isLong !== true) return;
    if (this.heavyUntil === 0) this.context.lingers(this);
    this.heavyUntil = this.context.clock.now() + HEAVY_MS;
  }

  /** A client that reads slowly slows down its own connection only. */
  private slowDown(lease: UpstreamConnection): void {
    if (this.connection.unreadBytes <= HIGH_WATER_BYTES) return;
    lease.pauseReading();
    this.connection.whenDrained(() => lease.resumeReading());
  }

  private pauseIfOverloaded(lease: UpstreamConnection): void {
    if (lease.pendingBytes > HIGH_WATER_BYTES) this.connection.pauseInput();
  }

  private answerAll(count: number, error: Buffer): void {
    if (this.isGone) return;
    for (let index = 0; index < count; index += 1) this.connection.reply(error, 0, error.length);
    this.outstanding -= count;
    if (this.outstanding === 0) this.settle();
  }

  private count(commandId: number, decision: Route): void {
    const label = countedAs(decision, this.counted);
    this.context.observer.commands[commandId * ROUTE_COUNT + label]! += 1;
  }
}

function countedAs(decision: Route, current: number): number {
  switch (decision) {
    case 'pass':
      return current;
    case 'pin':
    case 'keep':
      return PINNED;
    case 'refuse':
    case 'hang-up':
      return REFUSED;
    case 'leave':
    case 'abort':
    case 'unlock':
      return LOCAL;
  }
}

/** It changes what must be re-applied elsewhere. */
function isSetting(effect: SessionEffect): boolean {
  switch (effect) {
    case 'auth':
    case 'hello':
    case 'select':
    case 'name':
    case 'library':
      return true;
    default:
      return false;
  }
}
