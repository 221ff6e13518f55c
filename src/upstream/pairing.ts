/**
 * Pairs what an upstream says on one connection with those who asked: the first in flight gets the first replies, as
 * slices of the chunk that they came in, as long as they are.
 *
 *   in flight: │ A × 3 │ B × 1 │ A × 16 │
 *   chunk:     │ +OK $1 v :7 │ *2 … │ … ──► A.receive(…, 3) · B.receive(…, 1) · A.receive(…, as many as there are)
 *
 * An error by which the server says that it cannot serve goes to `unserved` first, alone and whole; a push to whoever
 * takes the connection's pushes.
 */
import { ERROR_TYPE, PUSH_TYPE, ReplyFramer, type ErrorJudge } from '../resp/reply-framer.js';
import { BLOCKING, SLOW, type InFlight } from './in-flight.js';
import type { ReplyWatch } from './reply-watch.js';

/** An error is held back until its line has ended, up to this; Redis' own are much shorter. */
const MAX_HELD_ERROR_BYTES = 4 * 1024;
const LF = 10;

/** What is counted on the way. Plain numbers, added to on the hot path. */
export interface UpstreamTraffic {
  upstreamBytesIn: number;
  upstreamBytesOut: number;
  /** `count` replies came `milliseconds` after their commands were sent. */
  replied(kind: ConnectionKind, milliseconds: number, count: number): void;
}

/** Whether many clients share the connection or one has it to itself. */
export type ConnectionKind = 'shared' | 'pinned';

export interface PairingOptions {
  readonly kind: ConnectionKind;
  readonly traffic: UpstreamTraffic;
  /** Which errors are shown to `ReplyReceiver.unserved` first. */
  readonly unserved?: ErrorJudge | null;
  /** Who sees some of the replies, for a log or a trace. */
  readonly watch?: ReplyWatch | null;
}

/** The connection that it is done for. */
export interface Paired {
  readonly inFlight: InFlight;
  readonly state: { readonly db: number };
  /** What it says for itself at its beginning has been answered. */
  readonly isReady: boolean;
  /** Commands that were written and not answered: what is gathered only can have no reply yet. */
  readonly awaitedReplies: number;
  readonly isLost: boolean;
  /** A push that begins now is shown to `pushed`; others are delivered with the replies. */
  readonly takesPushes: boolean;
  pushed(chunk: Buffer, start: number, end: number): void;
  /** Bytes from `pos` on that nobody in flight awaits. */
  unasked(chunk: Buffer, pos: number): void;
  /** The frame of the oldest command in flight; null where it was not kept. */
  takeRequest(): Buffer | null;
  countSlow(change: number): void;
  /** The bytes are no RESP. */
  fail(cause: Error): void;
}

export class Pairing {
  private readonly framer = new ReplyFramer();
  /** The beginning of an error line, of which no part has been delivered. */
  private heldError: Buffer | null = null;
  /** The frame that is being followed is a push that has a receiver of its own. */
  private isInPush = false;
  private readonly watch: ReplyWatch | null;
  /** The watch wants to see the next reply. */
  private isWanted = false;
  /** When the last reply came; kept for the watch. */
  private repliedAt = -Infinity;

  constructor(
    private readonly options: PairingOptions,
    private readonly connection: Paired,
  ) {
    this.framer.stopBefore = options.unserved ?? null;
    this.watch = options.watch ?? null;
  }

  /** A part of the first reply in flight has been delivered. */
  get isInFrame(): boolean {
    return this.framer.isInFrame;
  }
  /** Bytes of the unfinished reply seen so far. */
  get unfinishedBytes(): number {
    return this.framer.unfinishedBytes;
  }

  /** Hands over what has come at `now`, until the connection is lost by it. */
  deliver(arrived: Buffer, now: number): void {
    const { connection, framer, heldError } = this;
    const { inFlight } = connection;
    this.heldError = null;
    const chunk = heldError === null ? arrived : Buffer.concat([heldError, arrived]);
    const end = chunk.length;
    let pos = 0;
    while (pos < end && !connection.isLost) {
      if (this.isInPush || (connection.takesPushes && this.isPush(chunk, pos))) {
        pos = this.passPush(chunk, pos, end);
        continue;
      }
      const awaited = connection.awaitedReplies;
      if (awaited <= 0) return connection.unasked(chunk, pos);
      const start = pos;
      const replies = connection.takesPushes ? 1 : Math.min(inFlight.headCount(), awaited);
      const limit = this.watch === null ? replies : this.unseen(this.watch, replies, now);
      try {
        pos = framer.scan(chunk, pos, end, limit);
      } catch (problem) {
        return connection.fail(problem as Error);
      }
      if (pos > start) this.handOver(chunk, start, pos, framer.completed, now);
      else pos = this.meetError(chunk, pos, now);
    }
  }

  private isPush(chunk: Buffer, pos: number): boolean {
    return !this.framer.isInFrame && chunk[pos] === PUSH_TYPE;
  }

  /** Returns where it ends, or what there is of it. */
  private passPush(chunk: Buffer, start: number, end: number): number {
    const pos = this.framer.scanFrame(chunk, start, end);
    this.isInPush = this.framer.isInFrame;
    this.connection.pushed(chunk, start, pos);
    return pos;
  }

  /** `chunk[start, end)` is the first receiver's, and `completed` of its replies end in it. */
  private handOver(
    chunk: Buffer,
    start: number,
    end: number,
    completed: number,
    now: number,
  ): void {
    const receiver = this.connection.inFlight.headReceiver();
    if (completed > 0) {
      if (this.watch !== null) {
        const isError = this.framer.frameType === ERROR_TYPE;
        this.show(this.watch, completed, now, isError ? chunk.subarray(start, end) : null);
      }
      this.complete(completed, now);
    }
    receiver.receive(chunk, start, end, completed);
  }

  /** How many of the first receiver's `replies` may be handed over together: one that is wanted goes alone. */
  private unseen(watch: ReplyWatch, replies: number, now: number): number {
    const unseen = this.connection.isReady ? watch.unseen(this.servedMs(now)) : replies;
    this.isWanted = unseen <= 0;
    return this.isWanted ? 1 : Math.min(replies, unseen);
  }

  /** How long the first command in flight has been the upstream's next on this connection. */
  private servedMs(now: number): number {
    const { inFlight } = this.connection;
    if (inFlight.headPatience() === BLOCKING) return 0;
    return now - Math.max(inFlight.headSentAt(), this.repliedAt);
  }

  /** Before `complete`: `count` replies have come. `taken`: the request of the only one, if somebody has taken it. */
  private show(
    watch: ReplyWatch,
    count: number,
    now: number,
    error: Buffer | null,
    taken?: Buffer | null,
  ): void {
    const { connection } = this;
    if (!this.isWanted) watch.passed(count);
    else
      watch.saw({
        kind: this.options.kind,
        db: connection.state.db,
        durationMs: now - connection.inFlight.headSentAt(),
        servedMs: this.servedMs(now),
        error,
        request: taken === undefined ? connection.takeRequest() : taken,
      });
    this.repliedAt = now;
  }

  private complete(count: number, now: number): void {
    const { inFlight, isReady } = this.connection;
    // What is said to a greeting, be it a refusal, is no command served.
    if (isReady)
      this.options.traffic.replied(this.options.kind, now - inFlight.headSentAt(), count);
    if (inFlight.headPatience() === SLOW) this.connection.countSlow(-count);
    inFlight.completeHead(count);
  }

  /** At `pos` begins an error of a server that cannot serve, or what may become one. Returns where to go on. */
  private meetError(chunk: Buffer, pos: number, now: number): number {
    const lineEnd = chunk.indexOf(LF, pos) + 1;
    if (lineEnd === 0 && chunk.length - pos <= MAX_HELD_ERROR_BYTES) {
      this.heldError = Buffer.from(chunk.subarray(pos));
      return chunk.length;
    }
    const receiver = this.connection.inFlight.headReceiver();
    if (lineEnd > 0 && receiver.unserved !== undefined) {
      const request = this.connection.takeRequest();
      const frame = Buffer.from(chunk.subarray(pos, lineEnd));
      if (this.watch !== null) this.show(this.watch, 1, now, frame, request);
      this.complete(1, now);
      if (!receiver.unserved(1, frame, request)) receiver.receive(chunk, pos, lineEnd, 1);
      return lineEnd;
    }
    return this.passError(chunk, pos, now);
  }

  /** Nobody asked to see it first, or it is too long to be one of a server's own. */
  private passError(chunk: Buffer, pos: number, now: number): number {
    const { framer } = this;
    const { stopBefore } = framer;
    framer.stopBefore = null;
    const end = framer.scan(chunk, pos, chunk.length, 1);
    framer.stopBefore = stopBefore;
    this.handOver(chunk, pos, end, framer.completed, now);
    return end;
  }
}
