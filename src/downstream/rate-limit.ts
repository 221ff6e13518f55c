/**
 * Slows down a client that sends more commands per second than it may: stands between its connection and whoever handles
 * its commands, and says "not now" as that one would, so that the connection stops reading and the kernel makes the
 * client wait. Nobody gets an error, nothing is reordered, and a client without a limit has none of this in its way.
 *
 *   tokens:  burst ─── one less per command ──► 0: not now ─── perSecond × time ──► read on
 */
import type { Clock } from '../base/clock.js';
import type { ConnectionHandler } from './connection.js';

export interface RateLimitOptions {
  /** Commands that come back per second. */
  readonly perSecond: number;
  /** At most so many are saved up. At least 1. */
  readonly burst: number;
  readonly clock: Clock;
  /** Lets the connection offer what it could not pass on. */
  readonly resume: () => void;
  /** The client has to wait. */
  readonly onSlowedDown: () => void;
}

/** A client is let go on no more often, so that a high rate does not mean a timer per command. */
const SHORTEST_WAIT_MS = 10;

export class RateLimit implements ConnectionHandler {
  private tokens: number;
  private burst: number;
  private filledAt: number;
  private isWaiting = false;

  constructor(
    private readonly inner: ConnectionHandler,
    private readonly options: RateLimitOptions,
  ) {
    this.burst = options.burst;
    this.tokens = this.burst;
    this.filledAt = options.clock.now();
  }

  /** From now on it slows nobody down: a sidecar that stops answers what it was sent as fast as it can. */
  lift(): void {
    this.burst = Infinity;
    this.tokens = Infinity;
    this.options.resume();
  }

  /** Asked before `command`, which goes by what was found here. */
  admit(commandId: number, bytes: number, argumentCount: number): boolean {
    this.refill();
    if (this.tokens < 1 || !this.inner.admit(commandId, bytes, argumentCount)) return false;
    this.tokens -= 1;
    return true;
  }

  command(commandId: number, frame: Buffer): boolean {
    if (this.tokens < 1) return this.wait();
    const isTaken = this.inner.command(commandId, frame);
    if (isTaken) this.tokens -= 1;
    return isTaken;
  }

  beginStream(commandId: number, bytesAtHand: number): boolean | null {
    this.refill();
    if (this.tokens < 1) return this.wait();
    const began = this.inner.beginStream(commandId, bytesAtHand);
    if (began === true) this.tokens -= 1;
    return began;
  }

  forward(buffer: Buffer, start: number, end: number, count: number): void {
    this.inner.forward(buffer, start, end, count);
  }
  stream(buffer: Buffer, start: number, end: number, ended: boolean): void {
    this.inner.stream(buffer, start, end, ended);
  }
  protocolError(text: string, rest: Buffer): boolean {
    return this.inner.protocolError(text, rest);
  }
  overheard(backlog: Buffer): void {
    this.inner.overheard(backlog);
  }
  chunkEnded(): void {
    this.inner.chunkEnded();
  }
  inputEnded(): void {
    this.inner.inputEnded();
  }
  closed(): void {
    this.inner.closed();
  }

  private refill(): void {
    const { clock, perSecond } = this.options;
    const now = clock.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.filledAt) * perSecond) / 1000);
    this.filledAt = now;
  }

  private wait(): false {
    if (this.isWaiting) return false;
    this.isWaiting = true;
    const { clock, perSecond, resume, onSlowedDown } = this.options;
    onSlowedDown();
    const untilNextMs = ((1 - this.tokens) * 1000) / perSecond;
    clock.after(Math.max(SHORTEST_WAIT_MS, untilNextMs), () => {
      this.isWaiting = false;
      resume();
    });
    return false;
  }
}
