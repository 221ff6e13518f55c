/**
 * Stands in front of a client library that believes what it is sent: lets through one well-formed RESP2 reply of moderate
 * size for each command that was sent, and nothing else. An upstream may be broken or hostile, or no Redis at all; the
 * worst that it can do here is to be hung up on.
 */
import { decodeFrame, type ReplyError } from '../resp/decoder.js';
import { ERROR_TYPE, ReplyFramer, ReplyProtocolError } from '../resp/reply-framer.js';

/** What the probe asks is answered in a line; arrays within arrays cannot be deep in so few bytes. */
const MAX_REPLY_BYTES = 4096;
const RESP2_TYPES = new Set(Buffer.from('+-:$*'));
const EMPTY = Buffer.alloc(0);

export class ReplyGuard {
  private readonly framer = new ReplyFramer();
  private unfinished = EMPTY;
  private asked = 0;

  /** A command goes out: one reply more may come. */
  expectReply(): void {
    this.asked += 1;
  }

  /** The replies that are complete with `chunk`, copied. Throws ReplyProtocolError at the first that must not pass. */
  take(chunk: Buffer): Buffer[] {
    const replies: Buffer[] = [];
    for (let pos = 0; pos < chunk.length;) {
      const type = this.unfinished[0] ?? chunk[pos]!;
      if (!RESP2_TYPES.has(type) || (this.asked === 0 && type !== ERROR_TYPE)) throw unasked(type);
      const end = this.framer.scan(chunk, pos, chunk.length, 1);
      const frame = Buffer.concat([this.unfinished, chunk.subarray(pos, end)]);
      if (frame.length > MAX_REPLY_BYTES)
        throw new ReplyProtocolError('the upstream answered the probe at length');
      const isComplete = this.framer.completed === 1;
      this.unfinished = isComplete ? EMPTY : frame;
      if (isComplete) replies.push(this.passed(frame));
      pos = end;
    }
    return replies;
  }

  private passed(frame: Buffer): Buffer {
    // Throws for what a frame may hold, and makes no sense there.
    const value = decodeFrame(frame);
    if (this.asked === 0)
      throw new ReplyProtocolError(`the upstream says ${(value as ReplyError).message}`);
    this.asked -= 1;
    return frame;
  }
}

/** An error may come unasked: it is how a server with too many clients greets one more. */
function unasked(type: number): ReplyProtocolError {
  return new ReplyProtocolError(
    `the upstream sent what nobody had asked for, beginning with 0x${type.toString(16)}`,
  );
}
