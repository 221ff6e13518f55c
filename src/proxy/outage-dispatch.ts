/**
 * The dispatcher's other half: what one client's commands meet while the upstream is away or the journal is replayed.
 * Finds the outage class, asks `routeInOutage`, chooses between the store and the returning upstream, and does what has
 * no counterpart in good times. Whatever means the same as ever goes back to the dispatcher, whose link then leads to the
 * outage store.
 */
import { effectOf } from '../command/effect.js';
import { keysOf } from '../command/keys.js';
import { outageClassOf, type OutageClass } from '../command/outage-class.js';
import { COMMANDS, type SessionEffect } from '../command/table.js';
import { splitArguments } from '../resp/arguments.js';
import { classify } from '../command/classify.js';
import { cutRequests } from '../resp/cut-requests.js';
import { OK_REPLY } from '../resp/encoder.js';
import { roomFor } from '../outage/journal-desk.js';
import type { JournalProblem } from '../journal/problem.js';
import type { Session } from '../session/session.js';
import type { Timer } from '../base/clock.js';
import type { Admission } from './admission.js';
import type { Backend } from './backend.js';
import type { BlockedDispatch } from './blocked-dispatch.js';
import type { Deposit } from './buffered-replies.js';
import type { ProxyContext } from './context.js';
import { credentialsIn } from './credentials.js';
import { sayingError, unavailableBecause } from './errors.js';
import type { LogIn } from './log-in.js';
import { PUBLISHING, routeInOutage, type OutageRoute } from './outage-route.js';
import { isSetting, type Position } from './route.js';
import type { Special } from './special.js';
import type { TransactionDispatch } from './transaction-dispatch.js';

/** What it asks of the dispatcher. */
export interface OutageHost {
  readonly session: Session;
  readonly position: Position;
  readonly isInTransaction: boolean;
  readonly isAtBoundary: boolean;
  /** Sends to `backend` from now on. False: not now. */
  turnTo(backend: Backend): boolean;
  perform(decision: OutageRoute, command: Special): boolean;
  answerHere(reply: Buffer): boolean;
  /** Sends a write, or the EXEC that ends a transaction, whose reply waits for the journal. */
  sendDeposit(command: Special, deposit: Deposit): boolean;
  /** Sends `frame` where the client keeps a connection. */
  sendKept(frame: Buffer): void;
  /** What had to wait may be tried again. */
  goOn(): void;
}

const NOBODY_RECEIVED = Buffer.from(':0\r\n');
const NIL = { 2: Buffer.from('*-1\r\n'), 3: Buffer.from('_\r\n') } as const;

/** Where these go does not depend on how things stand. */
const UNMOVED: ReadonlySet<OutageRoute> = new Set([
  'leave',
  'abort',
  'refuse',
  'unlock',
  'hang-up',
  'answer',
]);

export class OutageDispatch {
  /** Runs while the command at hand waits for something better than its outage treatment. */
  private timer: Timer | null = null;
  private isOverdue = false;
  private readonly again = (): void => this.host.goOn();

  constructor(
    private readonly host: OutageHost,
    private readonly transactions: TransactionDispatch,
    private readonly blocked: BlockedDispatch,
    private readonly logIn: LogIn,
    private readonly context: ProxyContext,
  ) {}

  /** Lets pass unseen what needs no look: reads and plain writes, while everything goes to the store. */
  admit(admission: Admission): void {
    const { outage } = this.context;
    const { position, session, isInTransaction } = this.host;
    const hasDatabase = session.state.db < outage.databases;
    const mayPass =
      outage.mode === 'outage' && outage.answersReads && this.hasRights && hasDatabase;
    if (!mayPass) return admission.close();
    // On a connection of the client's own a write may be one of a transaction.
    const mayBuffer = outage.buffersWrites && position === 'shared' && !isInTransaction;
    admission.moveToOutage(position, outage.rules, mayBuffer ? this.hasRoomForRun : null);
  }

  private readonly hasRoomForRun = (): boolean => this.context.outage.desk.hasRoomFor(RUN_BYTES);

  /** False: not now; it comes again through `goOn`. */
  command(command: Special): boolean {
    if (this.host.isAtBoundary) return false;
    const outageClass = this.classOf(command);
    const decision = this.decide(command, outageClass);
    const backend = this.backendFor(decision, command, outageClass);
    if (backend === 'later') return this.waitForMove();
    if (backend !== null && !this.host.turnTo(backend)) return false;
    const taken = this.host.perform(decision, command);
    if (taken) this.taken(command, decision, outageClass);
    return taken;
  }

  /** Does what has no counterpart in good times. */
  perform(decision: OutageRoute, command: Special): boolean {
    switch (decision) {
      case 'buffer':
        return this.buffer(command);
      case 'wait':
        return this.wait(command);
      case 'log-in':
        return this.believe(command);
      case 'nobody':
        return this.host.answerHere(NOBODY_RECEIVED);
      default:
        return this.refuse(command.effect);
    }
  }

  // ── what it is and where it goes ─────────────────────────────────────────────────────────────────

  private classOf({ id, args }: Special): OutageClass {
    const { rules } = this.context.outage;
    const byTable = outageClassOf(id, args);
    return rules.touches(id) ? rules.classOf(id, args, byTable) : byTable;
  }

  private decide({ id, effect, args }: Special, outageClass: OutageClass): OutageRoute {
    const { host } = this;
    const { outage } = this.context;
    const { isInTransaction, position } = host;
    if (this.logIn.isOurPassword(effect, args)) return 'unlock';
    const decision = routeInOutage(effect, outageClass, position, isInTransaction);
    if (UNMOVED.has(decision) || decision === 'log-in') return decision;
    // What an empty Redis would say of itself is no answer.
    const isAlone = position !== 'kept' && !isInTransaction;
    if (COMMANDS[id]!.name === 'info' && decision === 'pass' && isAlone) return 'answer';
    if (host.session.state.db >= outage.databases) return 'unavailable';
    const isHarmless = outageClass === 'local' && (effect === 'none' || isSetting(effect));
    if (!this.hasRights && !isHarmless) return 'unavailable';
    if (outageClass === 'read' && !outage.answersReads) return 'unavailable';
    if (outageClass === 'buffer' && !outage.buffersWrites) return 'unavailable';
    const isPublishing = PUBLISHING.has(COMMANDS[id]!.name);
    return isPublishing && decision === 'pass' && isAlone ? 'nobody' : decision;
  }

  /** The store holds what this sidecar's own identity wrote: nobody else sees it or adds to it (I8). */
  private get hasRights(): boolean {
    return this.context.outage.ownsRights(this.host.session.identity);
  }

  /** Null: it does not matter. */
  private backendFor(
    decision: OutageRoute,
    command: Special,
    outageClass: OutageClass,
  ): Backend | 'later' | null {
    const { outage, upstream } = this.context;
    const { store } = outage;
    if (decision === 'unlock') return store;
    if (UNMOVED.has(decision) || decision === 'nobody') return null;
    if (decision === 'wait') return upstream;
    if (outage.mode === 'outage' || this.host.position === 'kept') return store;
    return this.backendInReplay(decision, command, outageClass);
  }

  /** The upstream is back and has not everything yet. */
  private backendInReplay(
    decision: OutageRoute,
    { id, args }: Special,
    outageClass: OutageClass,
  ): Backend | 'later' {
    const { outage, upstream } = this.context;
    const { host } = this;
    const isWorthIt = this.mayWait && outage.endsSoon;
    if (decision === 'unavailable') return isWorthIt ? 'later' : outage.store;
    const isPlainRead = decision === 'pass' && outageClass === 'read' && !host.isInTransaction;
    if (isPlainRead) {
      if (outage.isReadable(host.session.state.db, keysOf(id, args))) return upstream;
      return isWorthIt ? 'later' : outage.store;
    }
    const isHeld = outage.mode === 'change-over' && (decision === 'buffer' || decision === 'pin');
    return isHeld && this.mayWait ? 'later' : outage.store;
  }

  /** It has not waited for as long as it may. */
  private get mayWait(): boolean {
    return !this.isOverdue;
  }

  private waitForMove(): false {
    const { clock, outage, observer } = this.context;
    outage.whenMoved(this.again);
    if (this.timer !== null) return false;
    observer.heldCommands += 1;
    this.timer = clock.after(outage.holdMs, () => {
      this.isOverdue = true;
      this.host.goOn();
    });
    return false;
  }

  /** Nothing waits any more: it was taken, its time has come, or its client is gone. */
  forgetWait(): void {
    if (this.timer === null) return;
    this.timer.cancel();
    this.timer = null;
    this.isOverdue = false;
    this.context.outage.neverMind(this.again);
    this.context.observer.heldCommands -= 1;
  }

  private taken({ id }: Special, decision: OutageRoute, outageClass: OutageClass): void {
    this.forgetWait();
    this.context.observer.answeredInOutage(id, decision === 'unavailable' ? 'refuse' : outageClass);
  }

  // ── what is done ─────────────────────────────────────────────────────────────────────────────────

  private buffer(command: Special): boolean {
    const { host } = this;
    const { db } = host.session.state;
    const { id, frame, args, effect } = command;
    if (effect === 'exec') return this.bufferTransaction(command);
    const bytes = roomFor(frame.length, 1);
    const refusal = this.context.outage.desk.refusal(bytes);
    if (refusal !== null) return host.answerHere(this.notTaken(refusal));
    const write = { id, frame, args };
    return host.sendDeposit(command, { db, bytes, write, queued: null });
  }

  private bufferTransaction(command: Special): boolean {
    const { host } = this;
    const requests = this.transactions.requests;
    // Too long to be kept, or begun with WATCH: nothing that the journal could take as one.
    if (requests === null || host.session.watchLost) return this.refuse('exec');
    const { db } = host.session.state;
    // The first is MULTI.
    const commands = cutRequests(requests).slice(1).map(specialOf);
    // What stands behind a SELECT is another database's.
    if (commands.some(({ effect }) => isSetting(effect))) return this.refuse('exec');
    const classes = commands.map((one) => this.classOf(one));
    // It was begun in better times, with what only the real data can answer.
    const { desk, answersReads, buffersWrites } = this.context.outage;
    const isRefused = (one: OutageClass): boolean =>
      one === 'refuse' ||
      one === 'wait' ||
      (one === 'read' && !answersReads) ||
      (one === 'buffer' && !buffersWrites);
    if (classes.some(isRefused)) return this.refuse('exec');
    const bytes = roomFor(requests.length, commands.length);
    const refusal = classes.includes('buffer') ? desk.refusal(bytes) : null;
    if (refusal !== null) {
      this.context.observer.journalRefused(refusal.code);
      return this.refuse('exec', refusal.message);
    }
    const queued = commands.map((one, index) => (classes[index] === 'buffer' ? one : null));
    return host.sendDeposit(command, { db, bytes, write: null, queued });
  }

  /** Only the real data could bring what it waits for; without a time of its own the answer is known at once. */
  private wait(command: Special): boolean {
    const { host } = this;
    if (command.effect === 'blocking') return this.blocked.waitForUpstream(command);
    return host.answerHere(NIL[host.session.state.resp]);
  }

  /** Believes only what the upstream has believed before. */
  private believe(command: Special): boolean {
    const { host } = this;
    const credentials = credentialsIn(command.args);
    if (credentials === null)
      return this.hasRights ? host.perform('pin', command) : this.refuse(command.effect);
    const { user, password, rest } = credentials;
    const identity = this.context.outage.acceptedIdentity(user, password);
    if (identity === null) return this.refuse(command.effect, UNSEEN_CREDENTIALS);
    if (rest !== null) {
      const args = splitArguments(rest);
      const taken = host.perform('pin', { ...command, frame: rest, args });
      if (!taken) return false;
      host.session.identity = identity;
      this.logIn.identified();
      return true;
    }
    if (!host.answerHere(OK_REPLY)) return false;
    host.session.identity = identity;
    this.logIn.identified();
    return true;
  }

  private refuse(effect: SessionEffect, reason = this.context.outage.reason()): boolean {
    const { host } = this;
    const error = unavailableBecause(reason);
    if (host.position === 'kept') {
      // The store says it in the command's place, and so in its order.
      host.sendKept(sayingError(error));
      return true;
    }
    const isAnswered = host.answerHere(error);
    if (isAnswered && host.isInTransaction) this.transactions.break(effect === 'exec');
    return isAnswered;
  }

  private notTaken(refusal: JournalProblem): Buffer {
    this.context.observer.journalRefused(refusal.code);
    return unavailableBecause(refusal.message);
  }
}

/** More than any run of unseen writes can need; where there is less room each is looked at. */
const RUN_BYTES = 2 * 1024 * 1024;

function specialOf(frame: Buffer): Special {
  const args = splitArguments(frame);
  const id = classify(args[0]!, 0, args[0]!.length);
  return { id, args, frame, effect: effectOf(id, args) };
}

const UNSEEN_CREDENTIALS =
  'the upstream is away, and these credentials were not used before it left';
