/**
 * How long one connection's silence is borne. Linux keeps a silent socket for a quarter of an hour; the deadline is ours
 * to keep (FAULTS.md 4), looked at now and then instead of a timer per command.
 */
import type { Clock, Timer } from '../base/clock.js';
import { BLOCKING, PROMPT, SLOW, type InFlight } from './in-flight.js';
import type { Silence } from './silence.js';

/** Silence after which a lane is held up, as by CLIENT PAUSE or a command that takes long. */
const HELD_UP_MS = 200;

/** A reply, or the greeting, did not come in time. */
export class TimeoutError extends Error {}

export interface DeadlineOptions {
  readonly clock: Clock;
  /** From opening to the end of the greeting, and for a reply to a prompt command. */
  readonly timeoutMs: number;
  /** For a reply to a slow command. */
  readonly slowTimeoutMs: number;
  /** Shared by all connections of one upstream. */
  readonly silence: Silence;
}

/** What is watched. */
export interface Watched {
  readonly isReady: boolean;
  readonly inFlight: InFlight;
  /** Bytes that the stream has not got rid of. */
  streamPendingBytes(): number;
  /** The silence has lasted too long. */
  fail(cause: TimeoutError): void;
}

export class Deadline {
  /** When something last moved, either way. */
  lastProgressAt: number;
  /** Nothing has come for a while although something is owed; true only as of the last look. */
  isHeldUp = false;
  /** Nobody reads, for the receiver is too slow: the silence is of our own making. */
  isReadingPaused = false;
  private pendingAtLastCheck = 0;
  private readonly timer: Timer;

  constructor(
    private readonly options: DeadlineOptions,
    private readonly watched: Watched,
  ) {
    const { clock, timeoutMs } = options;
    this.lastProgressAt = clock.now();
    this.timer = clock.every(Math.max(20, timeoutMs / 8), () => this.check());
  }

  /** How long a reply to a prompt command may take as things stand. */
  get replyLimitMs(): number {
    const { silence, slowTimeoutMs, timeoutMs } = this.options;
    return silence.isExplained ? slowTimeoutMs : timeoutMs;
  }

  cancel(): void {
    this.timer.cancel();
  }

  private check(): void {
    const { inFlight, isReady } = this.watched;
    const now = this.options.clock.now();
    const pending = this.watched.streamPendingBytes();
    if (pending !== this.pendingAtLastCheck || this.isReadingPaused) this.lastProgressAt = now;
    this.pendingAtLastCheck = pending;
    const isOwed = inFlight.size > 0;
    // A command that is passed on piece by piece owes no reply yet, but the upstream has to take it.
    if (isReady && !isOwed && pending === 0) return;
    const patience = isOwed ? inFlight.headPatience() : PROMPT;
    if (patience === BLOCKING) return;
    const { slowTimeoutMs, timeoutMs } = this.options;
    const isConnecting = !isReady && !isOwed;
    const limit = patience === SLOW ? slowTimeoutMs : isConnecting ? timeoutMs : this.replyLimitMs;
    const silentMs = now - Math.max(this.lastProgressAt, isOwed ? inFlight.headSentAt() : 0);
    this.isHeldUp = isOwed && silentMs > HELD_UP_MS;
    if (silentMs <= limit) return;
    const what = isReady ? 'did not reply' : 'did not let us in';
    this.watched.fail(new TimeoutError(`the upstream ${what} within ${limit} ms`));
  }
}
