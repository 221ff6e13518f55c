/**
 * One connection to the upstream, shared or pinned: it opens a byte stream, says who it is, and from then on pairs
 * replies with the commands that asked for them. Bytes go out once per tick and come back untouched.
 *
 *   send(receiver, bytes, n) ─► gather ──(end of tick)──► stream.write      inFlight: ┌ A×3 ┬ B×1 ┬ A×16 ┐
 *                                                                                     ▼
 *   stream.onData ─► ReplyFramer.scan(limit 3) ─► A.receive(chunk, start, end, completed 3) ─► next entry
 *
 * Knows no clients, no commands and no policy: when it is lost it says what was lost and how (I5), and that is all.
 */
import type { ByteStream, Transport } from '../base/byte-stream.js';
import {
  authCommand,
  commandsBetween,
  FRESH_STATE,
  type ConnectionState,
  type Identity,
} from '../command/connection-state.js';
import { encodeCommand } from '../resp/encoder.js';
import { INTEGER_TYPE, ReplyProtocolError, type ErrorJudge } from '../resp/reply-framer.js';
import { Deadline, type DeadlineOptions } from './deadline.js';
import type { FenceRegister, FenceTarget } from './fences.js';
import { Gather } from './gather.js';
import {
  Greeting,
  GreetingRefused,
  INTRODUCE,
  Introduction,
  StrangerRefused,
  UpstreamBusy,
} from './greeting.js';
import { InFlight, PROMPT, SLOW, type InFlightEntry, type Patience } from './in-flight.js';
import { Pairing, type UpstreamTraffic, type ConnectionKind } from './pairing.js';
import type { PushReceiver, ReplyReceiver, TunnelReceiver } from './receiver.js';
import { Killed, type Kills } from './kills.js';
import type { ReplyWatch } from './reply-watch.js';

export { TimeoutError } from './deadline.js';
export type { ConnectionKind, UpstreamTraffic } from './pairing.js';

/** Several pieces of a tick up to this size are joined into one write. */
const JOIN_LIMIT_BYTES = 16 * 1024;
/** A reply longer than this keeps its lane busy; see `isCongested`. */
const LARGE_REPLY_BYTES = 256 * 1024;
/** Whoever sends behind a slow command that has taken as long is better off elsewhere. */
const RUNS_LONG_MS = 50;
/** Before an upstream that was busy with a script is greeted again. */
const GREET_AGAIN_MS = 100;
export interface ConnectionOptions extends DeadlineOptions {
  readonly kind: ConnectionKind;
  readonly transport: Transport;
  readonly identity: Identity;
  /** It is a client's, who may not be allowed to make the connection what it is to be; strangers are asked first. */
  readonly isClients?: boolean;
  /** What to be before the first command. */
  readonly state: ConnectionState;
  /** How long a script may keep the connection from being made. */
  readonly busyWaitMs: number;
  readonly traffic: UpstreamTraffic;
  /** Where the connection is put when it is given up with something on it; it asks for its id in its greeting then. */
  readonly fences?: FenceRegister | null;
  /** Which errors are shown to `ReplyReceiver.unserved` first. */
  readonly unserved?: ErrorJudge | null;
  /** Sends a command of the sidecar's own over another connection; `answered` gets the reply, or null when none will come. */
  readonly ask?: ((command: Buffer, answered: (reply: Buffer | null) => void) => void) | null;
  /** Only where the connection is one client's: whether it is being killed when it is closed. */
  readonly kills?: Kills;
  /** Who sees some of the replies, for a log or a trace. */
  readonly watch?: ReplyWatch | null;
}

export interface ConnectionEvents {
  onReady(connection: UpstreamConnection): void;
  /** Receivers of what was sent have been told. What this tick had gathered and never wrote is the owner's to answer. */
  onLost(connection: UpstreamConnection, cause: Error, unsent: Unsent): void;
  onDrain(connection: UpstreamConnection): void;
  /**
   * All replies of one chunk have been handed over: the moment for their receivers to write once. Returning false says
   * that none of them refers to the chunk any more.
   */
  onDelivered(): boolean | void;
}

/** Commands that were gathered but not written when the connection was lost, in order. */
export interface Unsent {
  readonly entries: readonly Returned[];
}

/** Commands that come back to their sender: exactly these frames, or null where they were not kept. */
export interface Returned extends InFlightEntry {
  readonly requests: Buffer | null;
}

export class UpstreamConnection {
  identity: Identity;
  state: ConnectionState;
  /** The upstream wants a password that nobody has given on this connection. */
  refusesStrangers = false;
  /** The upstream was asked to hang up: its doing so is no failure. */
  expectsClose = false;
  /** The upstream had no time to say what it calls this connection: good for what cannot wait, and not to be kept. */
  isNameless = false;
  /** When the greeting was over; null: it never was. */
  readySinceMs: number | null = null;
  /** Once it is lost: something was in flight then. */
  wasBusy = false;
  readonly inFlight = new InFlight();
  private phase: 'opening' | 'ready' | 'lost' = 'opening';
  private readonly stream: ByteStream;
  private readonly gather = new Gather(() => this.stream.pendingBytes === 0);
  private readonly deadline: Deadline;
  private readonly pairing: Pairing;
  private tunnel: TunnelReceiver | null = null;
  private pushReceiver: PushReceiver | null = null;
  /** What the upstream calls this connection. */
  private target: FenceTarget | null = null;

  /** Commands at the FIFO's end that are gathered and not written. */
  private unsentCommands = 0;
  /** Strangers are refused, and in this tick it was tried again to become what the connection is to be. */
  private hasAdopted = false;
  private flushPlanned = false;
  private tickStart = 0;
  private slowHere = 0;
  /** Nothing that a stranger may do was refused. */
  private isStranger = true;
  /** Since when the greeting is refused because a script runs. */
  private keptOutSinceMs: number | null = null;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
  ) {
    this.identity = options.identity;
    this.state = FRESH_STATE;
    this.pairing = new Pairing(options, this);
    this.deadline = new Deadline(options, this);
    this.stream = options.transport.open({
      onOpen: () => this.greet(),
      onData: (chunk) => this.onData(chunk),
      onDrain: () => this.onDrain(),
      onClose: (cause) => this.closedByPeer(cause),
    });
  }

  get isReady(): boolean {
    return this.phase === 'ready';
  }
  get awaitedReplies(): number {
    return this.inFlight.commands - this.unsentCommands;
  }
  get isLost(): boolean {
    return this.phase === 'lost';
  }
  get commandsInFlight(): number {
    return this.inFlight.commands;
  }
  get pendingBytes(): number {
    return this.stream.pendingBytes + this.gather.openBytes;
  }
  /** The upstream let us connect and is silent over something it was told: waiting longer makes sense. */
  get isSilencedByOthers(): boolean {
    if (this.keptOutSinceMs !== null) return true;
    return this.inFlight.size > 0 && this.options.silence.isExplained;
  }
  /** How long a reply to a prompt command may take as things stand. */
  get replyLimitMs(): number {
    return this.deadline.replyLimitMs;
  }
  /** A long reply is on its way, or the first command in flight is held up: whoever sends now waits behind it. */
  get isCongested(): boolean {
    const isLong = this.pairing.unfinishedBytes > LARGE_REPLY_BYTES;
    return isLong || this.deadline.isHeldUp || this.runsLong;
  }
  /** On another connection Redis says at least that it is busy; on the one whose script it runs it says nothing. */
  private get runsLong(): boolean {
    if (this.slowHere === 0 || this.inFlight.headPatience() !== SLOW) return false;
    return this.options.clock.now() - this.inFlight.headSentAt() > RUNS_LONG_MS;
  }
  streamPendingBytes(): number {
    return this.stream.pendingBytes;
  }

  /**
   * Sends `count` commands, `buffer[start, end)`, with everything else of this tick. Small runs are copied; a large one
   * is kept until it is answered, so the caller must not change it. Count 0: a part of a command that ends with the next
   * count above 0, or bytes on a tunnel; such bytes do not come back when the connection is lost.
   */
  send(
    receiver: ReplyReceiver,
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
  ): void {
    this.planFlush();
    if (this.refusesStrangers && !this.hasAdopted) this.adoptAgain();
    if (count > 0) {
      this.inFlight.push(receiver, count, this.tickStart, patience);
      if (patience === SLOW) this.countSlow(count);
      this.unsentCommands += count;
    }
    this.gather.add(buffer, start, end, count);
  }

  /** Once what is in flight has been answered, every byte goes to `receiver`, replies and pushes alike. */
  becomeTunnel(receiver: TunnelReceiver): void {
    this.tunnel = receiver;
  }

  /** Pushes go to `receiver`, as they come between replies. */
  takePushes(receiver: PushReceiver): void {
    this.pushReceiver = receiver;
  }

  /** The receiver is too slow. Until reading resumes the upstream's silence is of our own making. */
  pauseReading(): void {
    this.deadline.isReadingPaused = true;
    this.stream.pause();
  }
  resumeReading(): void {
    this.deadline.isReadingPaused = false;
    this.stream.resume();
  }

  /**
   * Has the upstream asked to answer what waits on this connection as if its time were over. False: nobody can ask.
   * `answered`: whether the upstream knows what that means; it may have been asked too early.
   */
  callOff(answered: (isUnderstood: boolean) => void): boolean {
    const { ask } = this.options;
    if (this.target === null || ask === undefined || ask === null) return false;
    const command = encodeCommand(['CLIENT', 'UNBLOCK', this.target.id]);
    ask(command, (reply) => answered(reply?.[0] === INTEGER_TYPE));
    return true;
  }

  /** Abandons the connection; its receivers are not told. What they sent may still run: it is fenced. */
  abandon(): void {
    if (this.phase === 'lost') return;
    this.giveUp(this.mayStillAct);
  }

  /** Gives up the connection and tells every receiver what became of its commands. */
  fail(cause: Error): void {
    if (this.phase !== 'lost') this.lose(cause, this.mayStillAct);
  }

  /** So many slow commands more, or fewer, are being run on this connection; those in flight are counted by themselves. */
  countSlow(change: number): void {
    this.slowHere += change;
    this.options.silence.slowCommands += change;
  }

  /**
   * Brings the connection to `state` ahead of the next command; the replies are swallowed. A refusal loses the
   * connection, because whatever comes next would run in the wrong place.
   */
  adopt(state: ConnectionState): void {
    const commands = commandsBetween(this.state, state);
    if (commands.length === 0) return;
    const bytes = Buffer.concat(commands);
    const before = this.state;
    const greeting = new Greeting(commands.length, (problem) => {
      // Until its client has given a password, it stays as it is.
      if (problem instanceof StrangerRefused && this.identity.credentials === null)
        this.state = before;
      // What was sent behind it has met the same script, and says so itself.
      else if (problem instanceof UpstreamBusy)
        this.options.clock.endOfTick(() => this.fail(problem));
      else if (problem !== null) this.fail(problem);
      else this.refusesStrangers = false;
    });
    this.send(greeting, bytes, 0, bytes.length, commands.length, PROMPT);
    this.state = state;
  }

  // ── out ──────────────────────────────────────────────────────────────────────────────────────────

  private planFlush(): void {
    if (this.flushPlanned) return;
    this.flushPlanned = true;
    this.gather.begin();
    this.tickStart = this.options.clock.now();
    this.options.clock.endOfTick(this.flush);
  }

  /**
   * It could not be brought to its state, and the upstream may let strangers in again at any time: then what is sent must
   * not run in another database, or be answered in another protocol. Whether the last time helped is not known yet.
   */
  private adoptAgain(): void {
    this.hasAdopted = true;
    const { kind, state } = this.options;
    if (kind !== 'shared') return;
    this.state = FRESH_STATE;
    this.adopt(state);
  }

  private readonly flush = (): void => {
    this.flushPlanned = this.hasAdopted = false;
    if (this.phase !== 'ready') return;
    this.unsentCommands = 0;
    const pieces = this.gather.take(this.inFlight.commands);
    if (pieces.length === 0) return;
    const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.options.traffic.upstreamBytesOut += total;
    if (pieces.length > 1 && total <= JOIN_LIMIT_BYTES)
      this.stream.write(Buffer.concat(pieces, total));
    else for (const piece of pieces) this.stream.write(piece);
  };

  /**
   * Says who it is and what it wants to be, and asks what it is called, in one breath. But a client may have chosen its
   * database before it became somebody who may not: then a stranger's rights come first, if they are enough.
   */
  private greet(): void {
    if (this.phase === 'lost') return;
    const { identity, state, fences, clock } = this.options;
    const auth = authCommand(identity);
    const commands = commandsBetween(this.state, state);
    const mayBeStranger = this.options.isClients === true && this.isStranger;
    const asStranger = auth !== null && mayBeStranger && commands.length > 0;
    if (auth !== null && !asStranger) commands.unshift(auth);
    const asksForId = fences !== undefined && fences !== null;
    const now = clock.now();
    let busy: UpstreamBusy | null = null;
    if (commands.length > 0) {
      const greeting = new Greeting(commands.length, (problem) => {
        if (problem instanceof StrangerRefused && identity.credentials === null)
          this.refusesStrangers = true;
        else if (problem instanceof UpstreamBusy) busy = problem;
        else if (asStranger && isForOthers(problem)) this.isStranger = false;
        else if (problem !== null) return this.fail(problem);
        else this.state = state;
        if (asStranger && busy === null) return this.greet();
        if (!asksForId) this.greeted(busy);
      });
      this.inFlight.push(greeting, commands.length, now, PROMPT);
    }
    if (asksForId) {
      const introduction = new Introduction((target, isBusy) => {
        this.target = target;
        this.isNameless = isBusy;
        this.greeted(busy);
      });
      this.inFlight.push(introduction, 1, now, PROMPT);
      commands.push(INTRODUCE);
    }
    if (commands.length === 0) return this.becomeReady();
    this.gather.passedBy(commands.length);
    this.stream.write(Buffer.concat(commands));
  }

  /** `busy`: not yet, for a script runs. */
  private greeted(busy: UpstreamBusy | null): void {
    if (busy === null) return this.becomeReady();
    const { clock, busyWaitMs } = this.options;
    this.keptOutSinceMs ??= clock.now();
    if (clock.now() - this.keptOutSinceMs >= busyWaitMs) this.fail(busy);
    else clock.after(GREET_AGAIN_MS, () => this.greet());
  }

  private becomeReady(): void {
    this.phase = 'ready';
    this.keptOutSinceMs = null;
    this.deadline.lastProgressAt = this.readySinceMs = this.options.clock.now();
    this.events.onReady(this);
    this.planFlush();
  }

  private onDrain(): void {
    this.deadline.lastProgressAt = this.options.clock.now();
    this.events.onDrain(this);
  }

  // ── in ───────────────────────────────────────────────────────────────────────────────────────────

  private onData(chunk: Buffer): boolean | void {
    const now = this.options.clock.now();
    this.deadline.lastProgressAt = now;
    this.deadline.isHeldUp = false;
    this.options.traffic.upstreamBytesIn += chunk.length;
    try {
      this.pairing.deliver(chunk, now);
    } catch (problem) {
      // The answer to a command of our own makes no sense.
      if (!(problem instanceof ReplyProtocolError)) throw problem;
      this.fail(problem);
    }
    if (this.inFlight.size === 0) this.gather.allAnswered();
    return this.events.onDelivered();
  }

  /** For `Pairing`: a push has its own receiver. */
  get takesPushes(): boolean {
    return this.pushReceiver !== null && this.tunnel === null;
  }

  /** For `Pairing`: a push, or a part of one. */
  pushed(chunk: Buffer, start: number, end: number): void {
    this.pushReceiver!(chunk, start, end);
  }

  /** For `Pairing`: nobody awaits these bytes. */
  unasked(chunk: Buffer, pos: number): void {
    if (this.tunnel !== null) this.tunnel.tunnelled(pos === 0 ? chunk : chunk.subarray(pos));
    // The last words of a server that hangs up (max number of clients), or a fault.
    else this.fail(new Error(`the upstream said unasked: ${firstLine(chunk, pos)}`));
  }

  /** For `Pairing`: the oldest command in flight, if it was kept. */
  takeRequest(): Buffer | null {
    return this.gather.takeRequests(this.inFlight.commands, 1)[0]!.requests;
  }

  // ── the end ──────────────────────────────────────────────────────────────────────────────────────

  /** Something that was sent may still be run after the connection has been given up. */
  private get mayStillAct(): boolean {
    if (this.phase !== 'ready') return false;
    const isOwed = this.inFlight.commands > this.unsentCommands;
    return isOwed || this.gather.isPartial || this.tunnel !== null;
  }

  private closedByPeer(cause: Error | null): void {
    if (this.phase === 'lost') return;
    // Whoever was asked to hang up has read all there was; and what a local peer has closed, it will never read.
    const isOver = this.expectsClose || this.options.transport.closeIsFinal === true;
    const wasKilled = !this.expectsClose && this.options.kills?.areExpected === true;
    const reason = wasKilled ? new Killed() : cause;
    this.lose(
      reason ?? new Error('the upstream closed the connection'),
      this.mayStillAct && !isOver,
    );
  }

  private lose(cause: Error, mayStillAct: boolean): void {
    const { inFlight, gather } = this;
    const midReply = this.pairing.isInFrame;
    this.wasBusy = inFlight.commands > 0 || gather.isPartial;
    this.giveUp(mayStillAct);
    gather.cut();
    let left = inFlight.commands;
    const giveBack = (entries: readonly InFlightEntry[]): Returned[] =>
      entries.flatMap((entry) => {
        const runs = gather.takeRequests(left, entry.count);
        left -= entry.count;
        return runs.map((run) => ({ ...entry, ...run }));
      });
    const unsent = inFlight.takeTail(this.unsentCommands);
    const sent = giveBack(inFlight.takeTail(inFlight.commands));
    const entries = giveBack(unsent);
    sent.forEach(({ receiver, count, requests }, index) =>
      receiver.lose(count, midReply && index === 0, cause, requests),
    );
    this.events.onLost(this, cause, { entries });
    this.tunnel?.tunnelClosed(cause);
    this.events.onDelivered();
  }

  private giveUp(mayStillAct: boolean): void {
    const { fences, identity } = this.options;
    this.phase = 'lost';
    this.deadline.cancel();
    this.flushPlanned = true;
    this.countSlow(-this.slowHere);
    // A connection that has become somebody else's and was never asked for its id is none of ours.
    const isOurs = this.target !== null || this.identity === identity;
    if (mayStillAct && isOurs) fences?.add(this.target);
    this.stream.reset();
  }
}

/** Somebody else might be allowed to. */
function isForOthers(problem: Error | null): boolean {
  return problem instanceof GreetingRefused && problem.concerns === 'identity';
}

function firstLine(chunk: Buffer, start: number): string {
  return (
    chunk.toString('latin1', start, Math.min(chunk.length, start + 200)).split('\r\n')[0] ?? ''
  );
}
