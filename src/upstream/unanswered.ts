/**
 * What was said on one connection and has not been answered, as bytes: when the connection is lost they come back to
 * whoever sent them. Kept as the pieces that were written anyway, by reference and without a look at the commands in them;
 * only a loss, or a server that cannot serve, makes frames of them.
 *
 *   pieces     │ 3 commands, 120 B │ 16 commands, 900 B │ 1 command, not kept │ 2 commands, 80 B │
 *   answered   ───────────────────────────►│← stale: skipped when somebody wants the rest
 *
 * Whose the commands are is `InFlight`'s to know; both count the same commands in the same order.
 */
import { COMMAND, EMPTY, INLINE, RequestFramer } from '../resp/request-framer.js';

/**
 * Kept per connection. Deep pipelines of small commands have some 100 KB in flight; beyond this they are large values,
 * and remembering them all would make an upstream that hangs cost as much memory as it has clients.
 */
export const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** The waiting pieces are moved to the front after so many. */
const COMPACT_AT = 64;

/** `count` commands that stand together; `requests` null where they were not kept. */
export interface Requests {
  readonly count: number;
  readonly requests: Buffer | null;
}

export class Unanswered {
  /** Parallel; those from `head` to `tail` are waiting. */
  private readonly pieces: (Buffer | null)[] = [];
  private readonly counts: number[] = [];
  private head = 0;
  private tail = 0;
  /** Of the first piece: the commands, and their bytes, that are behind us. */
  private headDone = 0;
  private headOffset = 0;
  private keptBytes = 0;
  /** Commands noted and not behind us. */
  private commands = 0;
  /** Commands that were ever noted, and those of them whose pieces have been dropped: a clock for buffers' reuse. */
  noted = 0;
  dropped = 0;

  get isEmpty(): boolean {
    return this.head === this.tail;
  }

  /** `count` whole commands were sent in `piece`, which must not change until they are behind us; null: not to be kept. */
  note(piece: Buffer | null, count: number): void {
    const bytes = piece === null ? 0 : piece.length;
    const isKept = this.keptBytes + bytes <= MAX_KEPT_BYTES;
    this.pieces[this.tail] = isKept ? piece : null;
    this.counts[this.tail] = count;
    this.tail += 1;
    if (isKept) this.keptBytes += bytes;
    this.commands += count;
    this.noted += count;
  }

  /** All but the last `left` commands have been answered: whole pieces of theirs are let go of. */
  settle(left: number): void {
    let stale = this.commands - left;
    while (stale > 0) {
      const inPiece = this.counts[this.head]! - this.headDone;
      if (inPiece > stale) return;
      stale -= inPiece;
      this.commands -= inPiece;
      this.dropHead();
    }
  }

  /** Everything has been answered. */
  clear(): void {
    while (!this.isEmpty) this.dropHead();
    this.commands = 0;
  }

  /**
   * Takes the oldest `count` of the last `left` commands, in runs, each with bytes of its own; they are behind us then.
   * What was never noted counts as not kept.
   */
  take(left: number, count: number): Requests[] {
    this.settle(left);
    this.pass(Math.max(0, this.commands - left));
    return this.pass(count);
  }

  private pass(count: number): Requests[] {
    const runs = new Runs();
    for (let left = count; left > 0;) {
      if (this.isEmpty) {
        runs.add(left, null);
        break;
      }
      const inPiece = Math.min(left, this.counts[this.head]! - this.headDone);
      runs.add(inPiece, this.cut(inPiece));
      left -= inPiece;
      this.commands -= inPiece;
      this.headDone += inPiece;
      if (this.headDone === this.counts[this.head]) this.dropHead();
    }
    return runs.end();
  }

  /** The next `count` frames of the first piece. */
  private cut(count: number): Buffer | null {
    const piece = this.pieces[this.head]!;
    if (piece === null) return null;
    const framer = new RequestFramer(Infinity);
    const start = this.headOffset;
    for (let found = 0; found < count; this.headOffset = framer.frameEnd) {
      const kind = framer.next(piece, this.headOffset, piece.length);
      if (kind === COMMAND || kind === INLINE) found += 1;
      else if (kind !== EMPTY) throw new Error('I5: what was sent does not hold as many commands');
    }
    return piece.subarray(start, this.headOffset);
  }

  private dropHead(): void {
    this.keptBytes -= this.pieces[this.head]?.length ?? 0;
    this.dropped += this.counts[this.head]!;
    this.pieces[this.head] = null;
    this.head += 1;
    this.headDone = this.headOffset = 0;
    if (this.isEmpty) this.head = this.tail = 0;
    if (this.head < COMPACT_AT) return;
    this.pieces.copyWithin(0, this.head, this.tail);
    this.counts.copyWithin(0, this.head, this.tail);
    this.pieces.fill(null, this.tail - this.head, this.tail);
    this.tail -= this.head;
    this.head = 0;
  }
}

/** Joins what stands together and is, or is not, kept. */
class Runs {
  private readonly runs: Requests[] = [];
  private parts: Buffer[] = [];
  private count = 0;
  private isKept = true;

  add(count: number, bytes: Buffer | null): void {
    if (this.isKept !== (bytes !== null)) this.close();
    this.isKept = bytes !== null;
    this.count += count;
    if (bytes !== null) this.parts.push(bytes);
  }

  end(): Requests[] {
    this.close();
    return this.runs;
  }

  private close(): void {
    if (this.count === 0) return;
    // Copied: a few commands must not pin the buffer that they were gathered in, nor see it filled again.
    const requests = this.isKept ? Buffer.concat(this.parts) : null;
    this.runs.push({ count: this.count, requests });
    this.parts = [];
    this.count = 0;
  }
}
