/**
 * A client that keeps an upstream connection until it leaves: subscriptions, MONITOR, replication. Bytes go
 * through both ways as they come, because replies and messages mix in ways only the client understands. Frames are still
 * followed, to see the end of RESET and how many replies are owed.
 *
 *   open ──QUIT──► leaving (what comes now waits for the upstream's FIN, so that ours goes with the last reply)
 *     ├──RESET──► resetting ──+RESET──► detached: the client is as new
 *     └──connection lost──► made again (subscriptions, MONITOR) or the client is closed, as when Redis itself dies
 */
import type { Clock, Timer } from '../base/clock.js';
import { asksAboutConnection, subcommand } from '../command/effect.js';
import { encodeCommand } from '../resp/encoder.js';
import { ERROR_TYPE, ReplyFramer } from '../resp/reply-framer.js';
import type { SessionEffect } from '../command/table.js';
import type { ClientConnection } from '../downstream/connection.js';
import type { Session } from '../session/session.js';
import { Killed } from '../upstream/kills.js';
import { TimeoutError, type UpstreamConnection } from '../upstream/connection.js';
import { BLOCKING, PROMPT, SLOW, type Patience } from '../upstream/in-flight.js';
import { NOBODY, type TunnelReceiver } from '../upstream/receiver.js';
import { isMessage, MESSAGE_HEAD_BYTES } from './message.js';

export interface KeptOptions {
  readonly clock: Clock;
  /** For a reply to a command that does not wait. */
  readonly timeoutMs: number;
  /** The connection is lost and another one is needed: `continueOn` is to be called with it. */
  readonly lost: () => void;
  /** RESET was answered; the connection is to be dropped. */
  readonly detached: () => void;
}

const HIGH_WATER_BYTES = 1024 * 1024;
/** What may be held back for the upstream's FIN. */
const MAX_HELD_BYTES = 256 * 1024;
const RESET_DONE = Buffer.from('+RESET\r\n');
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');

/** Effects after which the same can be had again on another connection, without the client losing anything. */
const REPEATABLE = new Set<SessionEffect>(['none', 'subscribe', 'monitor', 'name']);

/** `repeated` confirmations are of subscriptions made again: the client had its own long ago. */
type FrameKind = 'message' | 'confirmation' | 'repeated' | 'replaced' | 'reply';

export class KeptConnection implements TunnelReceiver {
  private phase: 'open' | 'leaving' | 'resetting' | 'lost' = 'open';
  private framer = new ReplyFramer();
  /** After SYNC the upstream does not speak RESP any more. */
  private isRaw = false;
  private isMonitoring = false;
  /** CLIENT REPLY SKIP was the last thing said. */
  private skipsNext = false;
  private isRepeatable: boolean;
  /** Replies that are owed; what comes unasked is not counted. */
  private owed = 0;
  private mayWait = false;
  /** A slow command is among what is owed: it silences the upstream for everybody. */
  private isSlow = false;
  /** CLIENT REPLY was said: nobody knows what is owed from here on. */
  private isMuted = false;
  /** The client sends no more; it leaves when it has been answered. */
  private isEnding = false;
  private lastProgressAt: number;
  private readonly deadline: Timer;
  private held: Buffer[] = [];
  private heldBytes = 0;
  /** The last bytes that came while RESET is awaited. */
  private recent = Buffer.alloc(0);
  /** Confirmations of subscriptions made again; the client had its own long ago. */
  private toSwallow = 0;
  /** The beginning of a frame of which too little has come to tell what it is. The client has not seen it. */
  private unjudged = Buffer.alloc(0);
  /** Confirmations that the client's own (un)subscriptions have yet to bring; only an estimate once one was refused. */
  private unconfirmed = 0;
  /** Replies that were ever asked for, and those of them that have come. */
  private asked = 0;
  private heard = 0;
  /** What the client gets in the place of its `at`-th reply. */
  private replacements: { readonly at: number; readonly reply: Buffer }[] = [];
  /** What the frame that is being followed is. */
  private kind: FrameKind = 'reply';

  constructor(
    private lease: UpstreamConnection,
    private readonly client: ClientConnection,
    private readonly session: Session,
    private readonly options: KeptOptions,
  ) {
    lease.becomeTunnel(this);
    this.isRepeatable = session.tie !== 'bound';
    this.lastProgressAt = options.clock.now();
    this.deadline = options.clock.every(Math.max(20, options.timeoutMs / 8), () =>
      this.checkDeadline(),
    );
  }

  /** Its connection was lost, or is about to be given up: nothing can be sent now. */
  get isBetweenConnections(): boolean {
    return this.phase === 'lost' || this.phase === 'resetting';
  }

  /** Passes on `count` commands that leave nothing behind. */
  send(buffer: Buffer, start: number, end: number, count: number, patience: Patience): void {
    this.expect(count);
    this.skipsNext = false;
    if (patience === SLOW && count > 0 && !this.isSlow) {
      this.isSlow = true;
      this.lease.countSlow(1);
    }
    this.lease.send(NOBODY, buffer, start, end, 0, PROMPT);
    if (this.lease.pendingBytes > HIGH_WATER_BYTES) this.client.pauseInput();
  }

  /** Passes on a command with an effect, and notes it. */
  sendSpecial(
    effect: SessionEffect,
    frame: Buffer,
    args: readonly Buffer[],
    patience: Patience,
  ): void {
    if (effect === 'subscribe') {
      const name = args[0]!.toString('latin1').toLowerCase();
      this.unconfirmed += this.session.subscriptions.apply(name, args);
      return this.send(frame, 0, frame.length, 0, PROMPT);
    }
    if (effect === 'monitor') this.isMonitoring = true;
    if (effect === 'replicate') this.isRaw = true;
    if (patience === BLOCKING || effect === 'apart') this.mayWait = true;
    if (isReplySwitch(effect, args)) this.isMuted = true;
    const skipsNext = effect === 'sticky' && isReplySkip(args);
    if (!REPEATABLE.has(effect) && !asksAboutConnection(args)) this.isRepeatable = false;
    this.send(frame, 0, frame.length, isSilent(effect, args) ? 0 : 1, patience);
    this.skipsNext = skipsNext;
  }

  /** Says `frame` in the place of what the client has said, and gives it `reply` instead of the answer. */
  sendReplaced(frame: Buffer, reply: Buffer): void {
    this.replacements.push({ at: this.asked, reply });
    this.send(frame, 0, frame.length, 1, PROMPT);
  }

  /** The last thing the client says on this connection. */
  leave(frame: Buffer, how: 'quit' | 'reset'): void {
    this.phase = how === 'quit' ? 'leaving' : 'resetting';
    this.lease.expectsClose = how === 'quit';
    this.expect(1);
    // After CLIENT REPLY SKIP nobody would tell when RESET is done: something else is skipped instead.
    const bytes = this.skipsNext ? Buffer.concat([PING, frame]) : frame;
    this.lease.send(NOBODY, bytes, 0, bytes.length, 0, PROMPT);
  }

  /** The client sends no more; it gets what it has asked for and is hung up on then, unless that may take for ever. */
  inputEnded(): void {
    this.isEnding = true;
    if (this.mayOweForEver) this.client.destroy();
    else this.endWhenAnswered();
  }

  /** A reply is owed that is worth waiting for before the client is hung up on. */
  get isBusy(): boolean {
    return !this.mayOweForEver && !this.isAnswered;
  }

  private get mayOweForEver(): boolean {
    return this.mayWait || this.isMuted || this.isRaw || this.phase !== 'open';
  }

  private endWhenAnswered(): void {
    if (this.isEnding && this.isAnswered) this.finish([]);
  }

  private get isAnswered(): boolean {
    return this.owed === 0 && this.unconfirmed === 0 && !this.framer.isInFrame;
  }

  /** The client left; the caller drops the connection. */
  abandon(): void {
    this.deadline.cancel();
  }

  /** The lost connection has been replaced by `lease`: makes on it again what the client had. */
  continueOn(lease: UpstreamConnection): void {
    this.lease = lease;
    this.phase = 'open';
    this.framer = new ReplyFramer();
    this.unjudged = Buffer.alloc(0);
    lease.becomeTunnel(this);
    const commands = this.session.subscriptions.commands();
    this.toSwallow = this.session.subscriptions.size;
    if (this.isMonitoring) {
      commands.push(encodeCommand(['MONITOR']));
      this.toSwallow += 1;
    }
    const bytes = Buffer.concat(commands);
    if (bytes.length > 0) lease.send(NOBODY, bytes, 0, bytes.length, 0, PROMPT);
  }

  tunnelled(chunk: Buffer): void {
    this.lastProgressAt = this.options.clock.now();
    if (this.phase === 'leaving') return this.hold(chunk);
    if (this.phase === 'resetting' && this.skipsNext) return this.holdUnheardReset(chunk);
    if (this.isRaw) return this.pass(chunk, 0, chunk.length);
    const bytes = this.unjudged.length === 0 ? chunk : Buffer.concat([this.unjudged, chunk]);
    this.unjudged = Buffer.alloc(0);
    try {
      this.follow(bytes);
    } catch {
      // Not RESP (yet the client asked for it): it is between the two of them.
      this.isRaw = true;
      this.pass(bytes, 0, bytes.length);
    }
    if (this.phase === 'resetting') this.seekResetEnd(chunk);
    this.endWhenAnswered();
  }

  tunnelClosed(cause: Error): void {
    if (this.phase === 'leaving') return this.finish(this.held);
    this.isSlow = false;
    const wasKilled = cause instanceof Killed;
    const canContinue = !wasKilled && this.phase === 'open' && this.isRepeatable && this.isAnswered;
    if (!canContinue) return this.finish([]);
    this.phase = 'lost';
    this.options.lost();
  }

  private expect(count: number): void {
    if (this.owed === 0) this.lastProgressAt = this.options.clock.now();
    this.owed += count;
    this.asked += count;
  }

  /** Passes frames on, one by one only as far as counting and swallowing need it. */
  private follow(chunk: Buffer): void {
    let passed = 0;
    for (let pos = 0; pos < chunk.length;) {
      const start = pos;
      const began = !this.framer.isInFrame;
      pos = this.framer.scanFrame(chunk, pos, chunk.length);
      if (began && this.framer.isInFrame && this.isUnclear(chunk, start)) {
        this.unjudged = Buffer.from(chunk.subarray(start));
        this.framer = new ReplyFramer();
        return this.pass(chunk, passed, start);
      }
      if (began) this.kind = this.judge(chunk, start, pos);
      if (this.framer.isInFrame) continue;
      if (this.kind === 'repeated' || this.kind === 'replaced') {
        this.pass(chunk, passed, start);
        passed = pos;
      }
      this.count();
    }
    this.pass(chunk, passed, chunk.length);
  }

  /** A frame has ended. */
  private count(): void {
    switch (this.kind) {
      case 'message':
        return;
      case 'repeated':
        this.toSwallow -= 1;
        return;
      case 'confirmation':
        this.unconfirmed = Math.max(0, this.unconfirmed - 1);
        return;
      case 'replaced':
        this.client.replyHere(this.replacements.shift()!.reply);
        this.answered();
        return;
      case 'reply':
        // A subscription that is refused brings one error, however many names it had.
        if (this.framer.frameType === ERROR_TYPE) this.unconfirmed = 0;
        this.answered();
    }
  }

  private answered(): void {
    this.heard += 1;
    this.owed = Math.max(0, this.owed - 1);
    if (this.owed === 0) this.nothingOwed();
  }

  private get isReplaced(): boolean {
    return this.replacements[0]?.at === this.heard;
  }

  private nothingOwed(): void {
    this.mayWait = false;
    if (this.isSlow) this.lease.countSlow(-1);
    this.isSlow = false;
  }

  private judge(chunk: Buffer, start: number, end: number): FrameKind {
    if (isPublished(chunk, start, end)) return 'message';
    if (this.toSwallow > 0) return 'repeated';
    const isSubscriber = this.session.subscriptions.size > 0 || this.unconfirmed > 0;
    if (!isMessage(chunk, start, end, isSubscriber)) return this.isReplaced ? 'replaced' : 'reply';
    return this.unconfirmed > 0 && isConfirmation(chunk, start, end) ? 'confirmation' : 'message';
  }

  /** Too little of the frame at the chunk's end has come; what is to be swallowed must be seen whole. */
  private isUnclear(chunk: Buffer, start: number): boolean {
    if (this.toSwallow > 0 || this.isReplaced) return !isPublished(chunk, start, chunk.length);
    return chunk.length - start < MESSAGE_HEAD_BYTES;
  }

  private pass(chunk: Buffer, start: number, end: number): void {
    if (start === end) return;
    this.client.reply(chunk, start, end);
    // A subscriber that does not read is closed at its limit and so learns that it missed something; only a replica,
    // which may rightly be slow over gigabytes, slows its source.
    if (!this.isRaw || this.client.unreadBytes <= HIGH_WATER_BYTES) return;
    const { lease } = this;
    lease.pauseReading();
    this.client.whenDrained(() => lease.resumeReading());
  }

  private hold(chunk: Buffer): void {
    this.held.push(Buffer.from(chunk));
    this.heldBytes += chunk.length;
    if (this.heldBytes <= MAX_HELD_BYTES) return;
    for (const part of this.held) this.pass(part, 0, part.length);
    this.held = [];
    this.heldBytes = 0;
  }

  /** Nothing can follow the reply to RESET, for nothing was asked after it and all subscriptions are gone. */
  private seekResetEnd(chunk: Buffer): void {
    this.recent = Buffer.concat([this.recent, chunk.subarray(-RESET_DONE.length)]).subarray(
      -RESET_DONE.length,
    );
    const isSimpleString = this.framer.frameType === RESET_DONE[0];
    if (this.framer.isInFrame || !isSimpleString || !this.recent.equals(RESET_DONE)) return;
    this.deadline.cancel();
    this.options.detached();
  }

  /** The client asked not to hear of RESET. */
  private holdUnheardReset(chunk: Buffer): void {
    this.held.push(Buffer.from(chunk));
    const all = Buffer.concat(this.held);
    if (!all.subarray(-RESET_DONE.length).equals(RESET_DONE)) return;
    this.pass(all, 0, all.length - RESET_DONE.length);
    this.deadline.cancel();
    this.options.detached();
  }

  private finish(last: readonly Buffer[]): void {
    this.deadline.cancel();
    this.client.finish(last.length === 0 ? null : Buffer.concat(last));
  }

  private checkDeadline(): void {
    const { clock } = this.options;
    const isPatient = this.mayWait || this.isMuted || this.isRaw || this.phase === 'lost';
    const limitMs = this.lease.replyLimitMs;
    if (isPatient || clock.now() - this.lastProgressAt <= limitMs) return;
    if (this.owed > 0)
      this.lease.fail(new TimeoutError(`the upstream did not reply within ${limitMs} ms`));
    else if (this.isEnding) this.client.destroy();
  }
}

/** No reply is owed: CLIENT REPLY may silence this and what follows; replication acknowledges nothing. */
function isSilent(effect: SessionEffect, args: readonly Buffer[]): boolean {
  return effect === 'replicate' || isReplySwitch(effect, args);
}

function isReplySwitch(effect: SessionEffect, args: readonly Buffer[]): boolean {
  return effect === 'sticky' && subcommand(args) === 'reply';
}

/** A message rather than the confirmation of a (re-made) subscription. */
function isPublished(chunk: Buffer, start: number, end: number): boolean {
  return /^[*>]\d+\r\n\$\d+\r\n[ps]?message\r\n/.test(headOf(chunk, start, end));
}

function isConfirmation(chunk: Buffer, start: number, end: number): boolean {
  return /^[*>]\d+\r\n\$\d+\r\n[ps]?(un)?subscribe\r\n/.test(headOf(chunk, start, end));
}

function headOf(chunk: Buffer, start: number, end: number): string {
  return chunk.toString('latin1', start, Math.min(end, start + MESSAGE_HEAD_BYTES));
}

function isReplySkip(args: readonly Buffer[]): boolean {
  const words = args.slice(1).map((argument) => argument.toString('latin1').toLowerCase());
  return words.length === 2 && words[0] === 'reply' && words[1] === 'skip';
}
