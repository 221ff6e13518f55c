/**
 * What one tick brings for a connection, on its way into as few writes as possible; afterwards it stays here until it has
 * been answered (`Unanswered`). Small runs of commands are copied behind each other, long ones are passed on by reference.
 *
 *   add ─► │ written, unanswered │ this tick's ──► │ free            │      full, or held by the stream: the next buffer
 *          0                 start             end                32 KB     all answered: from 0 again
 */
import { Unanswered, type Requests } from './unanswered.js';

/** A run of commands up to this size is copied into the tick's one write; a longer one is sent as it is. */
const GATHER_LIMIT_BYTES = 8 * 1024;
const BUFFER_BYTES = 32 * 1024;
/** Full buffers that wait for their commands' replies; more than a deep pipeline needs are left to the collector. */
const MAX_RETIRED = 8;

interface Retired {
  readonly buffer: Buffer;
  /** Free when this many commands have been dropped from the log … */
  readonly until: number;
  /** … and as many takes have been made: what is in it has been written. */
  readonly takes: number;
}

export class Gather {
  /** Whole pieces of this tick, in order. */
  private pieces: Buffer[] = [];
  private buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private start = 0;
  private end = 0;
  /** Commands in `buffer[start, end)`. */
  private openCommands = 0;
  private retired: Retired[] = [];
  private takes = 0;
  private readonly log = new Unanswered();
  /** A command is being passed on in parts: none of it is kept. */
  isPartial = false;

  /** `isTaken`: the stream holds no bytes that it was given. */
  constructor(private readonly isTaken: () => boolean) {}

  /** Bytes that no piece has taken yet. */
  get openBytes(): number {
    return this.end - this.start;
  }

  /**
   * Adds `count` commands. Count 0: a part of one that ends with the next count above 0. A run of more than 8 KB is kept
   * by reference until it has been answered; a shorter one is copied.
   */
  add(buffer: Buffer, start: number, end: number, count: number): void {
    if (count === 0) this.beginPartial();
    const bytes = end - start;
    if (bytes > GATHER_LIMIT_BYTES) {
      this.cut();
      this.openCommands = count;
      this.push(buffer.subarray(start, end));
    } else {
      if (this.end + bytes > this.buffer.length) this.renew();
      buffer.copy(this.buffer, this.end, start, end);
      this.end += bytes;
      this.openCommands += count;
    }
    if (this.isPartial && count > 0) {
      this.cut();
      this.isPartial = false;
    }
  }

  /** `count` commands were written past this one; they are not kept. */
  passedBy(count: number): void {
    this.log.note(null, count);
  }

  /** The pieces to write now; `inFlight` commands, these among them, have not been answered. */
  take(inFlight: number): Buffer[] {
    this.cut();
    this.log.settle(inFlight);
    this.takes += 1;
    const { pieces } = this;
    if (pieces.length > 0) this.pieces = [];
    return pieces;
  }

  /** A tick begins: where everything has been answered and taken, the buffer is filled from its beginning. */
  begin(): void {
    if (this.end > 0 && this.log.isEmpty && this.end === this.start && this.isTaken())
      this.start = this.end = 0;
  }

  /** Nothing is in flight. */
  allAnswered(): void {
    this.log.clear();
  }

  /** The oldest `count` of `inFlight` unanswered commands, with bytes of their own. */
  takeRequests(inFlight: number, count: number): Requests[] {
    return this.log.take(inFlight - this.openCommands, count);
  }

  /** Notes what was gathered and will not be written: the connection is lost. */
  cut(): void {
    if (this.end === this.start) return;
    const piece = this.buffer.subarray(this.start, this.end);
    this.start = this.end;
    this.push(piece);
  }

  private push(piece: Buffer): void {
    this.pieces.push(piece);
    if (this.openCommands > 0) this.log.note(this.isPartial ? null : piece, this.openCommands);
    this.openCommands = 0;
  }

  private beginPartial(): void {
    if (this.isPartial) return;
    this.cut();
    this.isPartial = true;
  }

  /** The buffer is full: goes on in the oldest one whose commands have been answered, or in a new one. */
  private renew(): void {
    this.cut();
    this.retired.push({ buffer: this.buffer, until: this.log.noted, takes: this.takes });
    const oldest = this.retired[0]!;
    const isAnswered = oldest.until <= this.log.dropped && oldest.takes < this.takes;
    const isFree = isAnswered && this.isTaken();
    if (isFree || this.retired.length > MAX_RETIRED) this.retired.shift();
    this.buffer = isFree ? oldest.buffer : Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.start = this.end = 0;
  }
}
