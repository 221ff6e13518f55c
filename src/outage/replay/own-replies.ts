/** The replies to a few short commands that the replayer sends for itself, collected until they are complete. */
import { decodeFrame } from '../../resp/decoder.js';
import { ReplyFramer } from '../../resp/reply-framer.js';
import type { ReplyReceiver } from '../../upstream/receiver.js';

export class OwnReplies implements ReplyReceiver {
  private readonly pieces: Buffer[] = [];

  /** `done` is called once, with the bytes of `left` complete replies, which are the caller's. */
  constructor(
    private left: number,
    private readonly done: (replies: Buffer) => void,
  ) {}

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    this.pieces.push(Buffer.from(chunk.subarray(start, end)));
    this.left -= completed;
    if (this.left === 0) this.done(Buffer.concat(this.pieces));
  }

  // The connection tells its owner that it is lost; nobody waits for these replies in particular.
  lose(): void {}
  refuse(): void {}
}

/** Decodes complete RESP2 replies that stand back to back; errors are `ReplyError` values. */
export function decodeReplies(replies: Buffer): unknown[] {
  const framer = new ReplyFramer();
  const values: unknown[] = [];
  for (let pos = 0; pos < replies.length;) {
    const end = framer.scan(replies, pos, replies.length, 1);
    values.push(decodeFrame(replies.subarray(pos, end)));
    pos = end;
  }
  return values;
}
