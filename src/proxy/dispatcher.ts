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
 *
 * What a lost connection leaves unanswered comes back (`lose`, `refuse`) and is done again before anything newer. In an
 * outage the same machinery works on the outage store. What most commands never meet is in files of its own, each of
 * which sees of this class only what its `…Host` asks for (docs/architecture.md lists them).
 */
import type { Identity } from '../command/connection-state.js';
import { effectOf, endsScripts } from '../command/effect.js';
import { COMMANDS, type SessionEffect } from '../command/table.js';
import type { ClientConnection, ConnectionHandler } from '../downstream/connection.js';
import { splitArguments } from '../resp/arguments.js';
import { OK_REPLY, RESET_REPLY } from '../resp/encoder.js';
import type { Session } from '../session/session.js';
import type { UpstreamConnection, Unsent } from '../upstream/connection.js';
import { BLOCKING, PROMPT, SLOW, type Patience } from '../upstream/in-flight.js';
import { Killed } from '../upstream/kills.js';
import type { Pool } from '../upstream/pool.js';
import { NeverSent, NOBODY, type ReplyReceiver } from '../upstream/receiver.js';
import { Admission, patienceOf } from './admission.js';
import type { Backend } from './backend.js';
import { BlockedDispatch, type BlockedHost } from './blocked-dispatch.js';
import { isServedWhenBusy } from './busy-wait.js';
import { BufferedReplies, type Deposit } from './buffered-replies.js';
import { Confirmations, type ConfirmationsHost } from './confirmations.js';
import { ReplacingReceiver } from './confirming-receiver.js';
import type { ProxyContext, Refusal } from './context.js';
import {
  MAY_HAVE_RUN,
  NOAUTH,
  NOAUTH_EXEC,
  protocolError,
  unavailable,
  unavailableBecause,
  unknownOutcome,
} from './errors.js';
import { FlightWindow } from './flight-window.js';
import { KeptConnection } from './kept-connection.js';
import { LogIn, type LogInHost } from './log-in.js';
import { OpenTransaction } from './open-transaction.js';
import { OutageDispatch, type OutageHost } from './outage-dispatch.js';
import type { OutageRoute } from './outage-route.js';
import { answerOwn, asksForOurSection } from './own-answers.js';
import { PasswordGate } from './password-gate.js';
import { countedAs, isSetting, route, type Position } from './route.js';
import { isNoScript } from './script-lookup.js';
import { ScriptDispatch, type ScriptHost } from './script-dispatch.js';
import { isScriptCall, isScripting } from './scripting.js';
import { SecondTry, type SecondTryHost } from './second-try.js';
import type { Special } from './special.js';
import { TransactionDispatch, type TransactionHost } from './transaction-dispatch.js';
import { UrgentCommands, type UrgentHost } from './urgent-commands.js';
import { UpstreamLink, type LinkOwner } from './upstream-link.js';
import { WriteRun } from './write-run.js';

/** What was said before on a connection that is lost does not matter for these. */
const NEEDS_NO_CONNECTION: ReadonlySet<OutageRoute> = new Set([
  'leave',
  'hang-up',
  'answer',
  'unavailable',
]);
/** A script with its arguments that is longer is passed on as it comes: not learned, and not healed. */
const MAX_SCRIPT_BYTES = 4 * 1024 * 1024;

/**
 * Redis notes how far replication had come after every command a connection runs, and WAIT waits for that. The client's
 * writes went over other connections: a PING makes this one as old as they are.
 */
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
/** Refused wherever it is said: it stands in the order for a command that must not be sent, and aborts its transaction. */
const WRONG = Buffer.from('*1\r\n$3\r\nGET\r\n');

export class Dispatcher
  implements
    ConnectionHandler,
    ReplyReceiver,
    LinkOwner,
    BlockedHost,
    ConfirmationsHost,
    LogInHost,
    OutageHost,
    ScriptHost,
    SecondTryHost,
    TransactionHost,
    UrgentHost
{
  session: Session;
  isGone = false;
  private readonly gate: PasswordGate;
  /** Credentials, while the gate is closed or they are ours to judge. */
  private readonly logIn: LogIn;
  private readonly admission: Admission;
  private readonly link: UpstreamLink;
  private kept: KeptConnection | null = null;
  private readonly window = new FlightWindow();
  /** The command that waits for data. */
  private readonly blocked: BlockedDispatch;
  /** What was not answered is said again here; nothing newer passes meanwhile. */
  private readonly secondTry: SecondTry;
  private readonly transaction = new OpenTransaction();
  /** What becomes of it when its connection is lost, or a part of it refused. */
  private readonly transactions: TransactionDispatch;
  /** What replies change in the session. */
  private readonly confirmations: Confirmations;
  /** Replies that wait for the journal. */
  private readonly buffered: BufferedReplies;
  private readonly inOutage: OutageDispatch;
  /** Those that had to be sent ahead of what they stand behind. */
  private readonly urgent: UrgentCommands;
  /** Null: scripts pass as they come. */
  private readonly scripts: ScriptDispatch | null;

  /** A MULTI, EXEC or DISCARD is among what is outstanding. */
  private boundaryWasSent = false;
  /** Commands that have been passed on and not been answered. */
  outstanding = 0;
  /** Commands that were passed on and answered: the place of the oldest outstanding one. */
  answered = 0;
  /** Why the connection that the command at hand asked for cannot be had. */
  private denial: Error | null = null;
  private isStreaming = false;
  /** A command is outstanding that may wait upstream, where what stands behind it would be forgotten. */
  private isBlockedAlone = false;
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
    const { outage } = context;
    const wallMs = (): number => outage.wallMs();
    const onStoreFull = (): void => context.observer.journalRefused('store-full');
    this.buffered = new BufferedReplies({ desk: outage.desk, wallMs, owner: this, onStoreFull });
    this.transactions = new TransactionDispatch(this.transaction, this, this.link, context);
    this.confirmations = new Confirmations(this, this.link, this.transaction, context);
    this.blocked = new BlockedDispatch(this, this.link, connection, context);
    this.logIn = new LogIn(this.gate, this, this.link, this.confirmations, context);
    this.inOutage = new OutageDispatch(this, this.transactions, this.blocked, this.logIn, context);
    this.secondTry = new SecondTry(this, this.transactions, context);
    this.urgent = new UrgentCommands(this);
    this.scripts =
      context.scripts === null ? null : new ScriptDispatch(context.scripts, this, context.observer);
    this.reposition();
  }

  // ── from the client ──────────────────────────────────────────────────────────────────────────────

  admit(commandId: number, bytes: number, argumentCount: number): boolean {
    return this.admission.admits(commandId, bytes, argumentCount);
  }

  forward(buffer: Buffer, start: number, end: number, count: number): void {
    const patience = this.admission.takePatience();
    if (patience === SLOW) this.execIsSlow = true;
    if (this.kept !== null) return this.kept.send(buffer, start, end, count, patience);
    const writes = this.admission.takeWrites();
    if (writes !== null) {
      const run = new WriteRun(this.session.state.db, buffer, start);
      this.buffered.expectRun(run, count, writes);
      this.sendAlong(buffer, start, end, count, patience, this.buffered);
    } else this.sendAlong(buffer, start, end, count, patience, this.replyTo(count));
  }

  /** Who takes the next `count` replies: they wait their turn behind those that wait for the journal. */
  replyTo(count: number): ReplyReceiver {
    if (this.buffered.isEmpty) return this;
    this.buffered.expect(count);
    return this.buffered;
  }

  sendAlong(
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
    receiver: ReplyReceiver,
    extraCommands = 0,
  ): void {
    this.transaction.log?.add(buffer, start, end, count);
    const { lease } = this.link;
    const awaitsNothing = this.outstanding === 0;
    this.outstanding += count;
    const commands = count + extraCommands;
    this.link.send(receiver, buffer, start, end, commands, patience, awaitsNothing);
    if (this.link.lease !== lease) this.reposition();
  }

  command(commandId: number, frame: Buffer): boolean {
    if (!isScriptCall(commandId)) this.scripts?.flush(true);
    this.awaitsRoom = this.admission.isFull;
    if (this.isBetweenConnections || this.awaitsRoom || this.provesIdentity) return false;
    if (this.secondTry.isActive && !this.secondTry.isSpeaking) return false;
    if (this.isAlone) return false;
    const args = splitArguments(frame);
    const effect = effectOf(commandId, args);
    const special = { id: commandId, effect, frame, args };
    const refusal = this.position === 'locked' ? null : this.context.refusal(commandId, args);
    if (this.urgent.isAhead && refusal === null && endsScripts(commandId, frame))
      return this.wasUrgent(special);
    if (this.mustAwaitScript(special)) return false;
    if (refusal !== null) return this.deny(special, refusal);
    if (this.context.outage.mode !== 'through') return this.inOutage.command(special);
    return this.turnTo(this.context.upstream) && this.commandThrough(special);
  }

  /** It was sent when it was overheard; now it is its turn. */
  private wasUrgent(command: Special): boolean {
    const { reply } = this.urgent;
    if (reply === null || this.outstanding > 0) return false;
    this.urgent.done();
    if (reply.length === 0) return this.command(command.id, command.frame);
    this.admission.count(command.id, 'pinned');
    return this.answerHere(reply);
  }

  /** Not this command: the error that says why takes its place, and so keeps its order. */
  private deny(command: Special, refusal: Refusal): boolean {
    this.scripts?.flush(true);
    const isTaken = this.denied(command, refusal);
    if (isTaken) this.admission.count(command.id, 'refused');
    return isTaken;
  }

  private denied(command: Special, refusal: Refusal): boolean {
    if (refusal.reply === null) {
      const { frame } = refusal;
      this.forward(frame, 0, frame.length, 1);
      return true;
    }
    if (this.kept !== null) {
      this.kept.sendReplaced(WRONG, refusal.reply);
      return true;
    }
    if (this.isInTransaction || this.transaction.log !== null) {
      if (this.transaction.isAdrift && !this.transactions.tellAgain()) return false;
      return this.replaced(command, refusal.reply);
    }
    return this.answerHere(refusal.reply);
  }

  private commandThrough(command: Special): boolean {
    const { id: commandId, effect, args } = command;
    const { position } = this;
    const decision = this.logIn.isOurPassword(effect, args)
      ? 'unlock'
      : this.isAboutUs(command)
        ? 'answer'
        : route(effect, position, this.isInTransaction);
    const taken = this.perform(decision, command);
    if (taken) this.admission.count(commandId, countedAs(decision));
    return taken;
  }

  beginStream(commandId: number, bytesAtHand: number): boolean | null {
    this.scripts?.flush(true);
    if (this.isHeldUp) return false;
    const isTooLong = bytesAtHand > MAX_SCRIPT_BYTES && this.mayPassUnseen(commandId);
    if (!this.admission.passes(commandId) && !isTooLong) return null;
    this.awaitsRoom = this.admission.isFull;
    if (this.awaitsRoom) return false;
    if (this.kept !== null) return this.admission.takes(commandId);
    // The journal takes whole commands only.
    if (this.context.outage.mode !== 'through') return null;
    const lease = this.borrow();
    if (lease === null) return false;
    if (lease instanceof Error) {
      // Its bytes will go on coming; the only honest end is to hang up.
      this.connection.finish(unavailable(lease));
      return true;
    }
    this.isStreaming = true;
    this.transaction.log?.addTooLong();
    this.outstanding += 1;
    return this.admission.takes(commandId);
  }

  /** A script that nobody looks at; what SCRIPT does depends on its arguments. */
  private mayPassUnseen(commandId: number): boolean {
    const { name } = COMMANDS[commandId]!;
    if (!isScripting(commandId) || name === 'script') return false;
    if (this.mustBeSeen || !WITH_UPSTREAM.has(this.position)) return false;
    return this.context.refusal(commandId, [Buffer.from(name)]) === null;
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
      if (this.isAwaiting && !this.isStreaming) return false;
      this.connection.finish(protocolError(text));
    }
    this.context.observer.protocolErrors += 1;
    return true;
  }

  chunkEnded(): void {
    this.scripts?.flush(false);
    if (this.secondTry.waitsForScript) this.beginsToWait();
  }

  beginsToWait(): void {
    if (this.connection.isStalled) this.connection.overhear();
  }

  isDenied(commandId: number, frame: Buffer): boolean {
    return this.context.refusal(commandId, splitArguments(frame)) !== null;
  }

  overheard(backlog: Buffer): void {
    const mayBeUrgent = this.gate.isOpen && !this.transaction.isBegun;
    if (mayBeUrgent && this.secondTry.waitsForScript) this.urgent.overheard(backlog);
  }

  inputEnded(): void {
    this.isLeaving = true;
    if (this.blocked.command !== null || this.isStreaming) this.connection.destroy();
    else if (this.kept !== null) this.kept.inputEnded();
    else if (!this.isAwaiting) this.connection.finish(null);
  }

  closed(): void {
    this.isGone = true;
    this.scripts?.clear();
    this.context.left(this);
    this.blocked.command?.cancel();
    this.kept?.abandon();
    this.secondTry.clear();
    this.inOutage.forgetWait();
    if (this.link.lease !== null) this.buffered.abandon();
    this.link.leave();
  }

  // ── from the upstream ────────────────────────────────────────────────────────────────────────────

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    if (this.isGone) return;
    if (this.secondTry.isWary && this.secondTry.keeps(chunk, start, end)) return;
    if (this.secondTry.isUntrue(chunk, start, end))
      this.connection.reply(MAY_HAVE_RUN, 0, MAY_HAVE_RUN.length);
    else this.connection.reply(chunk, start, end);
    this.outstanding -= completed;
    this.answered += completed;
    if (this.transaction.hasEnded) this.transaction.answeredUpTo(this.answered);
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

  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void {
    if (this.isGone) return;
    if (midReply || cause instanceof Killed) return this.connection.destroy();
    // What the store has run and not answered is gone with the store.
    const mayHaveRun = this.link.backend === this.context.upstream;
    this.secondTry.collect(count, requests, mayHaveRun, cause);
  }

  refuse(count: number, cause: Error, requests: Buffer | null): void {
    if (this.isGone) return;
    // Where nobody stands in for whoever refuses, that was the last word.
    const { outage, upstream } = this.context;
    const isReplaced = this.link.backend === upstream && outage.mode === 'outage';
    const isFinal = !isReplaced && !(cause instanceof NeverSent);
    this.secondTry.collect(count, isFinal ? null : requests, false, cause);
  }

  unserved(_count: 1, frame: Buffer, request: Buffer | null): boolean {
    if (this.isGone) return true;
    if (isNoScript(frame)) return request !== null && this.scriptIsMissing(frame, request);
    return this.secondTry.refusedToServe(frame, request);
  }

  private scriptIsMissing(error: Buffer, request: Buffer): boolean {
    return this.secondTry.holdsToo(error, request) || this.scripts?.heal(request) === true;
  }

  sendInstead(frame: Buffer): void {
    this.link.send(this, frame, 0, frame.length, 1, SLOW, false);
  }

  leaseArrived(lease: UpstreamConnection): void {
    if (this.blocked.isWaiting) {
      if (this.context.outage.mode !== 'through') return this.link.giveBack();
      this.blocked.continueOn(lease);
    } else this.kept?.continueOn(lease);
    this.reposition();
    this.goOn();
    if (!this.isAwaiting) this.settle();
  }

  leaseDenied(cause: Error): void {
    if (this.isBetweenConnections) {
      // A subscriber loses nothing by waiting on, but a client that has asked for something must get an answer.
      const mustAnswer = this.kept !== null && this.connection.isStalled;
      if (mustAnswer && this.context.outage.mode === 'through') this.connection.destroy();
      else this.reconnect();
      return;
    }
    this.denial = cause;
    this.goOn();
  }

  leaseLost(cause: Error, unsent: Unsent): void {
    const isOver = this.session.tie === 'bound' || cause instanceof Killed;
    if (this.kept === null && isOver) return this.connection.finish(null);
    this.session.tie = 'none';
    if (this.isStreaming) this.connection.finish(unknownOutcome(cause));
    for (const { receiver, count, requests } of unsent.entries)
      receiver.refuse(count, new NeverSent(cause), requests);
    if (this.isGone) return;
    this.transaction.connectionLost(this.session);
    this.reposition();
    if (this.blocked.isWaiting) this.reconnect();
    else if (this.outstanding === 0) this.settle();
  }

  /** Commands go another way from now on. */
  modeChanged(): void {
    const { mode } = this.context.outage;
    this.denial = null;
    if (mode === 'through' || mode === 'outage') this.inOutage.forgetWait();
    this.reposition();
    if (this.isBetweenConnections) this.reconnect();
    else if (this.outstanding === 0) this.goOn();
  }

  /** A script keeps the upstream from serving, or does so no more. */
  busyChanged(): void {
    this.reposition();
  }

  // ── what a lost connection, or a refusal, left ───────────────────────────────────────────────────

  leaves(count: number): void {
    this.outstanding -= count;
    if (this.outstanding > 0) return;
    this.isBlockedAlone = false;
    if (this.scripts !== null) this.scripts.isAlone = false;
  }

  requestInTransaction(ahead: number): Buffer | null {
    return this.transactions.requestAt(ahead);
  }

  get isReachable(): boolean {
    return !this.isGone && this.connection.isOpen;
  }

  caughtUp(): void {
    this.reposition();
    if (this.outstanding === 0) this.settle();
  }

  /** Goes on with what had to wait: first what was lost, then what the client has sent since. */
  goOn(): void {
    if (this.secondTry.isActive) this.secondTry.goOn();
    else this.connection.resume();
  }

  // ── from the register of clients ─────────────────────────────────────────────────────────────────

  get isPinned(): boolean {
    return this.link.lease !== null;
  }

  /**
   * The sidecar stops: ends the connection in an orderly way, once nothing is being done for the client that is worth
   * waiting for. To be called again until it has gone.
   */
  seeOff(): void {
    const awaits = this.isAwaiting || this.link.isAsking || this.secondTry.waitsForScript;
    const isBusy = this.kept?.isBusy ?? this.blocked.command?.callOff() ?? awaits;
    if (!isBusy) this.connection.finish(null);
  }

  releaseIfIdle(): void {
    if (!this.isAwaiting) return this.settle();
    if (!this.connection.isStalled || !this.link.isStuck) return;
    // It sends and does not read. Redis would hang up when enough has piled up; here the upstream has been slowed.
    this.context.observer.clientsClosedForOutput += 1;
    this.connection.destroy();
  }

  // ── what a route means ───────────────────────────────────────────────────────────────────────────

  /** False: not now; the command comes again when what is outstanding has been answered. */
  perform(decision: OutageRoute, command: Special): boolean {
    if (this.transaction.isAdrift && !NEEDS_NO_CONNECTION.has(decision)) {
      if (command.effect === 'discard') return this.transactions.abort('discard');
      if (!this.transactions.tellAgain()) return false;
      // It could not be told again.
      if (this.session.transaction === 'broken') return this.perform('refuse', command);
    }
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
        return this.transactions.abort(command.effect);
      case 'unlock':
        return this.logIn.unlock(command);
      case 'refuse':
        return this.answerHere(this.refusalOf(command.effect));
      case 'hang-up':
        this.connection.destroy();
        return true;
      case 'answer':
        return this.answerHere(answerOwn(command, this.session, this.context));
      case 'buffer':
      case 'wait':
      case 'unavailable':
      case 'log-in':
      case 'nobody':
        return this.inOutage.perform(decision, command);
    }
  }

  private refusalOf(effect: SessionEffect): Buffer {
    if (this.position !== 'locked') return QUEUE_LOST;
    return effect === 'exec' ? NOAUTH_EXEC : NOAUTH;
  }

  private pass(command: Special): boolean {
    if (this.scripts !== null && isScripting(command.id)) return this.scripts.pass(command);
    const { id, frame, args } = command;
    if (this.kept !== null) return this.passKept(command);
    const receiver = this.confirmations.ofPassing(id, args);
    this.sendAlong(frame, 0, frame.length, 1, patienceOf(id), receiver);
    return true;
  }

  passKept({ id, effect, frame, args }: Special): boolean {
    this.kept!.sendSpecial(effect, frame, args, this.patienceFor(effect, id));
    this.confirmations.unseen(id, args);
    return true;
  }

  /** The client gets `reply` in the command's place; a transaction that it belongs to will not run. */
  replaced({ frame }: Special, reply: Buffer): boolean {
    const nothing = (): void => undefined;
    const receiver = new ReplacingReceiver(this.replyTo(1), reply, frame, nothing, nothing);
    this.sendAlong(WRONG, 0, WRONG.length, 1, PROMPT, receiver);
    return true;
  }

  /** INFO of the sidecar's own section, where it would not overtake anything. */
  private isAboutUs(command: Special): boolean {
    const isPlain = this.position === 'shared' || this.position === 'pinned';
    const isQueued = this.isInTransaction || this.transaction.log !== null;
    return isPlain && !isQueued && asksForOurSection(command);
  }

  private pin(command: Special): boolean {
    const { id, effect, frame, args } = command;
    // A transaction goes on without waiting for its replies; a setting must know where it stands first.
    if (isSetting(effect) && this.outstanding > 0) return false;
    const lease = this.borrow(effect === 'urgent');
    if (lease === null) return false;
    if (lease instanceof Error) return this.denyPinned(effect, unavailable(lease));
    const isFresh = this.outstanding === 0 && lease.commandsInFlight > 0;
    if (isFresh && effect === 'tied') return this.awaitQuiet();
    this.transaction.sending(command, this.answered + this.outstanding, this.session);
    if (effect === 'multi') this.scripts?.transactionBegins();
    this.noteBoundary(effect);
    // Anywhere else but here, behind nothing of its own, the connection is old enough (and a transaction would queue it).
    if (effect === 'wait' && this.outstanding === 0 && this.session.transaction === 'none')
      this.link.sendOnLease(NOBODY, PING, 0, PING.length, 1, PROMPT);
    if (effect === 'exec' && this.session.watchLost)
      return this.transactions.failExec(this.confirmations.ofFailedExec(frame));
    const receiver =
      effect === 'blocking'
        ? this.blocked.receiver(args)
        : this.confirmations.ofPinned(effect, args);
    this.sendOnLease(receiver, frame, this.patienceFor(effect, id));
    if (effect === 'blocking') this.blocked.sent(receiver, lease);
    const mayWait = effect === 'blocking' || effect === 'wait';
    this.isBlockedAlone ||= mayWait && this.context.losesSightOfBlocked;
    if (this.provesIdentity || this.isAlone) this.reposition();
    return true;
  }

  /** Sends one command on the borrowed connection. */
  sendOnLease(receiver: ReplyReceiver, frame: Buffer, patience: Patience): void {
    this.outstanding += 1;
    this.link.sendOnLease(receiver, frame, 0, frame.length, 1, patience);
  }

  private noteBoundary(effect: SessionEffect): void {
    this.boundaryWasSent = BOUNDARIES.has(effect) || this.isAtBoundary;
  }

  private patienceFor(effect: SessionEffect, commandId: number): Patience {
    if (effect === 'blocking' || effect === 'wait') return BLOCKING;
    if (effect === 'multi') this.execIsSlow = false;
    return effect === 'exec' && this.execIsSlow ? SLOW : patienceOf(commandId);
  }

  private keep({ id, effect, frame, args }: Special): boolean {
    if (this.kept === null) {
      if (this.outstanding > 0) return false;
      const lease = this.borrow();
      if (lease === null) return false;
      if (lease instanceof Error) return this.answerHere(unavailable(lease));
      // In a transaction it would be queued.
      if (lease.commandsInFlight > 0 && !this.isInTransaction) return this.awaitQuiet();
      this.kept = this.keepConnection(lease);
      this.reposition();
    }
    this.transaction.forget();
    this.kept.sendSpecial(effect, frame, args, this.patienceFor(effect, id));
    return true;
  }

  /**
   * What it was told to become is still to be answered: CLIENT LIST would show it, and Redis refuses SYNC where an answer
   * has yet to leave.
   */
  private awaitQuiet(): false {
    // `leaseLost` goes on with what waits, on another connection.
    const lost = (): void => void (this.outstanding -= 1);
    const receive: ReplyReceiver['receive'] = (_chunk, _start, _end, completed) => {
      this.outstanding -= completed;
      if (completed > 0 && !this.isGone) this.goOn();
    };
    this.sendOnLease({ receive, lose: lost, refuse: lost }, PING, PROMPT);
    return false;
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
      // Redis forgets at once whoever quits (what it tracks, its name), not when the socket is gone.
      this.link.leave();
      return true;
    }
    this.beginAnew();
    return this.answerHere(RESET_REPLY);
  }

  /** RESET: everything the client ever said is forgotten, and with it the connection that may remember it. */
  private beginAnew(): void {
    this.link.leave();
    this.transaction.forget();
    this.session = this.context.newSession();
    this.gate.lock();
    this.reposition();
  }

  sendDeposit({ id, effect, frame, args }: Special, deposit: Deposit): boolean {
    if (effect !== 'exec') {
      this.buffered.expectWrite(deposit);
      this.sendAlong(frame, 0, frame.length, 1, patienceOf(id), this.buffered);
      return true;
    }
    this.buffered.expectWrite(deposit);
    const receiver = this.confirmations.of(effect, args, this.buffered);
    this.transaction.forget();
    this.noteBoundary(effect);
    this.sendOnLease(receiver, frame, this.patienceFor(effect, id));
    return true;
  }

  sendKept(frame: Buffer): void {
    this.kept!.send(frame, 0, frame.length, 1, PROMPT);
  }

  /** No connection for it. */
  private denyPinned(effect: SessionEffect, error: Buffer): boolean {
    this.confirmations.lost(effect, error);
    return this.answerHere(error);
  }

  hangUp(error: Buffer | null): void {
    this.connection.finish(error);
  }

  /** Replies to a command here, or asks for it again when earlier ones are still to be answered. */
  answerHere(reply: Buffer): boolean {
    if (this.outstanding > 0) return false;
    this.connection.replyHere(
      this.secondTry.isUntrue(reply, 0, reply.length) ? MAY_HAVE_RUN : reply,
    );
    return true;
  }

  // ── where the client stands ──────────────────────────────────────────────────────────────────────

  get position(): Position {
    if (!this.gate.isOpen) return 'locked';
    if (this.kept !== null) return 'kept';
    if (this.session.transaction === 'broken') return 'broken';
    return this.link.lease === null && !this.transaction.isAdrift ? 'shared' : 'pinned';
  }

  get pool(): Pool {
    return this.context.upstream.pool;
  }
  get identity(): Identity {
    return this.session.identity;
  }
  get isKept(): boolean {
    return this.kept !== null;
  }
  get isQueueing(): boolean {
    return this.transaction.isBegun;
  }
  get isPlain(): boolean {
    const { session, transaction, secondTry, isAtBoundary } = this;
    const isGuarded = session.watchLost || transaction.isGuarded || session.transaction !== 'none';
    // What is said again is said one by one.
    return !isGuarded && !isAtBoundary && this.buffered.isEmpty && !secondTry.isSpeaking;
  }
  get isFollowed(): boolean {
    return this.connection.hasMoreInput || !this.buffered.isEmpty;
  }
  get isClogged(): boolean {
    return this.link.isClogged;
  }
  get isStranger(): boolean {
    return this.context.isStranger(this.session.identity);
  }
  private get isAlone(): boolean {
    const isElsewhere = this.outstanding > 0 && this.link.isInAnyState;
    return this.scripts?.isAlone === true || this.isBlockedAlone || isElsewhere;
  }

  /** MULTI was accepted, and what comes now is queued. */
  get isInTransaction(): boolean {
    return this.session.transaction === 'open';
  }

  /** Whether what comes next is queued is not known before everything has been answered. */
  get isAtBoundary(): boolean {
    return this.outstanding > 0 && this.boundaryWasSent;
  }

  /** The client has asked for something and not been answered. */
  private get isAwaiting(): boolean {
    return this.outstanding > 0 || this.secondTry.isActive;
  }

  /** Nothing newer may pass unseen: something older is still to be said, or it is not known where. */
  private get mustBeSeen(): boolean {
    const isElsewhere = this.link.backend !== this.backendOfMode;
    return this.isBetweenConnections || this.provesIdentity || this.isHeldBack || isElsewhere;
  }

  private get isHeldBack(): boolean {
    const { secondTry, transaction } = this;
    const { isBusy } = this.context.upstream.busy;
    const isCollecting = this.scripts?.isCollecting === true;
    const isOnItsOwn = this.isAlone || isCollecting;
    return secondTry.isActive || transaction.isAdrift || isOnItsOwn || isBusy;
  }

  /** The client is waited for: what it sends stays where it is. */
  private get isHeldUp(): boolean {
    const { secondTry, context } = this;
    if (secondTry.isActive || this.isAlone) return true;
    const isThrough = context.outage.mode === 'through';
    if (!isThrough || !this.gate.isOpen || !secondTry.isWaitingForScript) return false;
    secondTry.waitForScript();
    return true;
  }

  /** A script runs that keeps the upstream from serving this; `goOn` is called when it has ended. */
  private mustAwaitScript({ effect, args }: Special): boolean {
    const isThrough = this.context.outage.mode === 'through';
    if (!isThrough || !this.gate.isOpen || !this.secondTry.isWaitingForScript) return false;
    if (isServedWhenBusy(effect, args)) return false;
    this.secondTry.waitForScript();
    return true;
  }

  /** Where plain commands go as things stand; null: it depends on the command. */
  private get backendOfMode(): Backend | null {
    const { outage, upstream } = this.context;
    if (outage.mode === 'through') return upstream;
    return outage.mode === 'outage' ? outage.store : null;
  }

  /** Sends to `backend` from now on. False: not now, replies of another one are outstanding (I4). */
  turnTo(backend: Backend): boolean {
    if (this.link.backend === backend) return true;
    // An open transaction goes with its connection, which is about to be lost.
    const isBusy = this.link.lease !== null && !this.session.isClean;
    if (this.outstanding > 0 || isBusy) return false;
    this.denial = null;
    this.link.turnTo(backend);
    this.reposition();
    return true;
  }

  /** What the client has upstream was lost and is being made again; until then it cannot say anything. */
  private get isBetweenConnections(): boolean {
    return this.blocked.isWaiting || this.kept?.isBetweenConnections === true;
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
  reposition(): void {
    this.connection.authenticated =
      this.gate.isOpen && !this.context.isStranger(this.session.identity);
    if (this.mustBeSeen) this.admission.close();
    else if (this.context.outage.mode === 'through') this.admission.moveTo(this.position);
    else this.inOutage.admit(this.admission);
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
  borrow(urgently = false): UpstreamConnection | Error | null {
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
  reconnect(): void {
    const { outage, upstream } = this.context;
    const isAway = outage.mode !== 'through';
    // What is blocked waits until the upstream has everything that came before; a subscriber goes to the store.
    if (isAway && this.blocked.command !== null) return;
    this.turnTo(isAway ? outage.store : upstream);
    const lease = this.link.borrow();
    if (lease !== null) this.leaseArrived(lease);
  }

  /** Everything has been answered: gives back what is not needed any more, and goes on with what had to wait. */
  settle(): void {
    this.boundaryWasSent = false;
    if (this.isBlockedAlone) {
      this.isBlockedAlone = false;
      this.reposition();
    }
    this.scripts?.settled();
    const isClean = this.kept === null && !this.isStreaming && this.session.isClean;
    const isNeeded = this.link.isHeavy && !this.link.isInAnyState;
    if (isClean && this.link.lease !== null && !isNeeded) {
      this.link.giveBack();
      this.reposition();
    }
    if (this.secondTry.isActive) {
      if (!this.link.isAsking) this.secondTry.goOn();
    } else if (this.connection.isStalled) {
      if (!this.link.isAsking) this.connection.resume();
    } else if (this.isLeaving && !this.isAwaiting && this.kept === null) {
      this.connection.finish(null);
    }
  }
}

/** What these bring about is known only when they have been answered. */
const BOUNDARIES: ReadonlySet<SessionEffect> = new Set(['multi', 'exec', 'discard']);

/** What the client says here goes to the upstream. */
const WITH_UPSTREAM: ReadonlySet<Position> = new Set(['shared', 'pinned', 'kept']);

const QUEUE_LOST = unavailableBecause(
  'this transaction will not run: its connection was lost, or a command of it was refused',
);
