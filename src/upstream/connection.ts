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
import type { Clock, Timer } from '../base/clock.js';
import {
  authCommand,
  commandsBetween,
  FRESH_STATE,
  type ConnectionState,
  type Identity,
} from '../command/connection-state.js';
import { ReplyFramer } from '../resp/reply-framer.js';
import { Greeting, StrangerRefused } from './greeting.js';
import {
  BLOCKING,
  InFlight,
  PROMPT,
  SLOW,
  type InFlightEntry,
  type Patience,
} from './in-flight.js';
import type { ReplyReceiver, TunnelReceiver } from './receiver.js';
import type { Silence } from './silence.js';

/** A run of commands up to this size is copied into the tick's one write; a longer one is sent as it is. */
const GATHER_LIMIT_BYTES = 8 * 1024;
const GATHER_BUFFER_BYTES = 32 * 1024;
/** Several pieces of a tick up to this size are joined into one write. */
const JOIN_LIMIT_BYTES = 16 * 1024;
/** A reply longer than this keeps its lane busy; see `isCongested`. */
const LARGE_REPLY_BYTES = 256 * 1024;
/** Silence after which a lane is held up, as by CLIENT PAUSE or a command that takes long. */
const HELD_UP_MS = 200;

/** What is counted on the way. Plain numbers, added to on the hot path. */
export interface UpstreamTraffic {
  upstreamBytesIn: number;
  upstreamBytesOut: number;
  /** `count` replies came `milliseconds` after their commands were sent. */
  replied(kind: ConnectionKind, milliseconds: number, count: number): void;
}

/** Whether many clients share the connection or one has it to itself. */
export type ConnectionKind = 'shared' | 'pinned';

export interface ConnectionOptions {
  readonly kind: ConnectionKind;
  readonly transport: Transport;
  readonly identity: Identity;
  /** What to be before the first command. */
  readonly state: ConnectionState;
  readonly clock: Clock;
  readonly traffic: UpstreamTraffic;
  /** From opening to the end of the greeting, and for a reply to a prompt command. */
  readonly timeoutMs: number;
  /** For a reply to a slow command. */
  readonly slowTimeoutMs: number;
  /** Shared by all connections of one upstream. */
  readonly silence: Silence;
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
  readonly bytes: Buffer;
  readonly entries: readonly InFlightEntry[];
}

export class UpstreamConnection {
  identity: Identity;
  state: ConnectionState;
  /** The upstream wants a password that nobody has given on this connection. */
  refusesStrangers = false;
  /** The upstream was asked to hang up: its doing so is no failure. */
  expectsClose = false;
  private phase: 'opening' | 'ready' | 'lost' = 'opening';
  private readonly stream: ByteStream;
  private readonly framer = new ReplyFramer();
  private readonly inFlight = new InFlight();
  private tunnel: TunnelReceiver | null = null;

  private gather = Buffer.allocUnsafeSlow(GATHER_BUFFER_BYTES);
  private gatherStart = 0;
  private gathered = 0;
  private pieces: Buffer[] = [];
  /** Commands at the FIFO's end that are gathered and not written. */
  private unsentCommands = 0;
  private flushPlanned = false;
  private tickStart = 0;

  /** Nothing has come for a while although something is owed; looked at now and then. */
  private isHeldUp = false;
  private isReadingPaused = false;
  private slowHere = 0;
  private lastProgressAt: number;
  private pendingAtLastCheck = 0;
  private readonly deadline: Timer;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
  ) {
    this.identity = options.identity;
    this.state = FRESH_STATE;
    this.lastProgressAt = options.clock.now();
    this.deadline = options.clock.every(Math.max(20, options.timeoutMs / 8), () =>
      this.checkDeadline(),
    );
    this.stream = options.transport.open({
      onOpen: () => this.greet(),
      onData: (chunk) => this.onData(chunk),
      onDrain: () => this.onDrain(),
      onClose: (cause) => this.fail(cause ?? new Error('the upstream closed the connection')),
    });
  }

  get isReady(): boolean {
    return this.phase === 'ready';
  }
  get isLost(): boolean {
    return this.phase === 'lost';
  }
  get commandsInFlight(): number {
    return this.inFlight.commands;
  }
  get pendingBytes(): number {
    return this.stream.pendingBytes + this.gathered;
  }
  /** The upstream let us connect and is silent over something it was told: waiting longer makes sense. */
  get isSilencedByOthers(): boolean {
    return this.inFlight.size > 0 && this.options.silence.isExplained;
  }
  /** How long a reply to a prompt command may take as things stand. */
  get replyLimitMs(): number {
    const { silence, slowTimeoutMs, timeoutMs } = this.options;
    return silence.isExplained ? slowTimeoutMs : timeoutMs;
  }
  /** A long reply is on its way, or the first command in flight is held up: whoever sends now waits behind it. */
  get isCongested(): boolean {
    return this.framer.unfinishedBytes > LARGE_REPLY_BYTES || this.isHeldUp;
  }

  /**
   * Sends `count` commands, `buffer[start, end)`, with everything else of this tick. Small runs are copied; a large one
   * is kept until it is written, so the caller must not change it.
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
    if (count > 0) {
      this.inFlight.push(receiver, count, this.tickStart, patience);
      if (patience === SLOW) this.countSlow(count);
      this.unsentCommands += count;
    }
    const bytes = end - start;
    if (bytes > GATHER_LIMIT_BYTES) {
      this.cutGather();
      this.pieces.push(buffer.subarray(start, end));
      return;
    }
    if (this.gathered + bytes > this.gather.length) {
      this.cutGather();
      this.gather = Buffer.allocUnsafeSlow(GATHER_BUFFER_BYTES);
      this.gathered = this.gatherStart = 0;
    }
    buffer.copy(this.gather, this.gathered, start, end);
    this.gathered += bytes;
  }

  /** Once what is in flight has been answered, every byte goes to `receiver`, replies and pushes alike. */
  becomeTunnel(receiver: TunnelReceiver): void {
    this.tunnel = receiver;
  }

  /** The receiver is too slow. Until reading resumes the upstream's silence is of our own making. */
  pauseReading(): void {
    this.isReadingPaused = true;
    this.stream.pause();
  }
  resumeReading(): void {
    this.isReadingPaused = false;
    this.stream.resume();
  }

  /** Abandons the connection; its receivers are not told. */
  abandon(): void {
    this.phase = 'lost';
    this.release();
    this.stream.reset();
  }

  private planFlush(): void {
    if (this.flushPlanned) return;
    this.flushPlanned = true;
    this.tickStart = this.options.clock.now();
    this.options.clock.endOfTick(this.flush);
  }

  /** So many slow commands more, or fewer, are being run on this connection; those in flight are counted by themselves. */
  countSlow(change: number): void {
    this.slowHere += change;
    this.options.silence.slowCommands += change;
  }

  private readonly flush = (): void => {
    this.flushPlanned = false;
    if (this.phase !== 'ready') return;
    this.unsentCommands = 0;
    this.cutGather();
    const pieces = this.pieces;
    if (pieces.length === 0) return;
    this.pieces = [];
    const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.options.traffic.upstreamBytesOut += total;
    if (pieces.length > 1 && total <= JOIN_LIMIT_BYTES)
      this.stream.write(Buffer.concat(pieces, total));
    else for (const piece of pieces) this.stream.write(piece);
    // Written through to the kernel: the gather buffer is free again. Else the stream still holds it.
    if (this.stream.pendingBytes > 0) this.gather = Buffer.allocUnsafeSlow(GATHER_BUFFER_BYTES);
    this.gathered = this.gatherStart = 0;
  };

  private cutGather(): void {
    if (this.gathered === this.gatherStart) return;
    this.pieces.push(this.gather.subarray(this.gatherStart, this.gathered));
    this.gatherStart = this.gathered;
  }

  private greet(): void {
    if (this.phase === 'lost') return;
    const { identity, state } = this.options;
    const auth = authCommand(identity);
    const commands = commandsBetween(FRESH_STATE, state);
    const ready = (): void => {
      this.phase = 'ready';
      this.lastProgressAt = this.options.clock.now();
      this.events.onReady(this);
      this.planFlush();
    };
    const all = auth === null ? commands : [auth, ...commands];
    if (all.length === 0) return ready();
    const greeting = new Greeting(all.length, (problem) => {
      if (problem instanceof StrangerRefused && identity.credentials === null)
        this.refusesStrangers = true;
      else if (problem !== null) return this.fail(problem);
      else this.state = state;
      ready();
    });
    this.inFlight.push(greeting, all.length, this.options.clock.now(), PROMPT);
    this.stream.write(Buffer.concat(all));
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
      else if (problem !== null) this.fail(problem);
    });
    this.send(greeting, bytes, 0, bytes.length, commands.length, PROMPT);
    this.state = state;
  }

  private onData(chunk: Buffer): boolean | void {
    const now = this.options.clock.now();
    this.lastProgressAt = now;
    this.isHeldUp = false;
    this.options.traffic.upstreamBytesIn += chunk.length;
    this.deliver(chunk, now);
    return this.events.onDelivered();
  }

  private deliver(chunk: Buffer, now: number): void {
    const { inFlight, framer } = this;
    const end = chunk.length;
    let pos = 0;
    while (pos < end && this.phase !== 'lost') {
      if (inFlight.size === 0) {
        if (this.tunnel !== null)
          return this.tunnel.tunnelled(pos === 0 ? chunk : chunk.subarray(pos));
        // Nothing was asked: the last words of a server that hangs up (max number of clients), or a fault.
        return this.fail(new Error(`the upstream said unasked: ${firstLine(chunk, pos)}`));
      }
      const receiver = inFlight.headReceiver();
      const start = pos;
      try {
        pos = framer.scan(chunk, pos, end, inFlight.headCount());
      } catch (problem) {
        return this.fail(problem as Error);
      }
      const completed = framer.completed;
      if (completed > 0) {
        this.options.traffic.replied(this.options.kind, now - inFlight.headSentAt(), completed);
        if (inFlight.headPatience() === SLOW) this.countSlow(-completed);
        inFlight.completeHead(completed);
      }
      receiver.receive(chunk, start, pos, completed);
    }
  }

  private onDrain(): void {
    this.lastProgressAt = this.options.clock.now();
    this.events.onDrain(this);
  }

  /** Linux keeps a silent socket for a quarter of an hour; the deadline is ours to keep (FAULTS.md 4). */
  private checkDeadline(): void {
    const now = this.options.clock.now();
    const pending = this.stream.pendingBytes;
    if (pending !== this.pendingAtLastCheck || this.isReadingPaused) this.lastProgressAt = now;
    this.pendingAtLastCheck = pending;
    // A command that is passed on piece by piece owes no reply yet, but the upstream has to take it.
    if (this.phase === 'ready' && this.inFlight.size === 0 && pending === 0) return;
    const patience = this.inFlight.size === 0 ? PROMPT : this.inFlight.headPatience();
    if (patience === BLOCKING) return;
    const { slowTimeoutMs, timeoutMs } = this.options;
    const isConnecting = this.phase === 'opening' && this.inFlight.size === 0;
    const limit = patience === SLOW ? slowTimeoutMs : isConnecting ? timeoutMs : this.replyLimitMs;
    const since = this.inFlight.size === 0 ? 0 : this.inFlight.headSentAt();
    this.isHeldUp =
      this.inFlight.size > 0 && now - Math.max(this.lastProgressAt, since) > HELD_UP_MS;
    if (now - Math.max(this.lastProgressAt, since) <= limit) return;
    const what = this.phase === 'opening' ? 'did not let us in' : 'did not reply';
    this.fail(new TimeoutError(`the upstream ${what} within ${limit} ms`));
  }

  /** Abandons the connection and tells every receiver what became of its commands. */
  fail(cause: Error): void {
    if (this.phase === 'lost') return;
    this.phase = 'lost';
    this.release();
    this.stream.reset();
    this.cutGather();
    const unsent = {
      bytes: Buffer.concat(this.pieces),
      entries: this.inFlight.takeTail(this.unsentCommands),
    };
    this.loseWhatWasSent(cause);
    this.events.onLost(this, cause, unsent);
    this.tunnel?.tunnelClosed(cause);
    this.events.onDelivered();
  }

  private loseWhatWasSent(cause: Error): void {
    const { inFlight } = this;
    let midReply = this.framer.isInFrame;
    while (inFlight.size > 0) {
      const receiver = inFlight.headReceiver();
      const count = inFlight.headCount();
      inFlight.completeHead(count);
      receiver.lose(count, midReply, cause);
      midReply = false;
    }
  }

  private release(): void {
    this.deadline.cancel();
    this.flushPlanned = true;
    this.countSlow(-this.slowHere);
  }
}

/** A reply, or the greeting, did not come in time. */
export class TimeoutError extends Error {}

function firstLine(chunk: Buffer, start: number): string {
  return (
    chunk.toString('latin1', start, Math.min(chunk.length, start + 200)).split('\r\n')[0] ?? ''
  );
}
