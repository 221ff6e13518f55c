/**
 * Puts the sidecar's own section behind an INFO reply on its way to the client:
 *
 *   $5432\r\n# Server …\r\n  ─►  $5980\r\n# Server …\r\n\r\n# Respool …\r\n        RESP3: =5436\r\ntxt:# Server …
 *
 * The reply is collected for that, up to a limit. Whatever is no text (an error, +QUEUED, a null) passes as it came.
 */
import type { ReplyReceiver } from '../upstream/receiver.js';

/** Redis' own INFO has some 5 KB, with statistics of all commands some 50 KB. What is longer passes as it came (I6). */
const MAX_COLLECTED_BYTES = 1024 * 1024;

/** For the one reply to one INFO. */
export class InfoReceiver implements ReplyReceiver {
  private collected: Buffer[] = [];
  private collectedBytes = 0;
  private isPassing = false;

  /** `section` is asked when the reply is complete. */
  constructor(
    private readonly owner: ReplyReceiver,
    private readonly section: () => string,
  ) {}

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    if (this.isPassing) {
      this.owner.receive(chunk, start, end, completed);
      return;
    }
    // The chunk is only lent.
    this.collected.push(Buffer.from(chunk.subarray(start, end)));
    this.collectedBytes += end - start;
    this.isPassing = completed > 0 || this.collectedBytes > MAX_COLLECTED_BYTES;
    if (!this.isPassing) return;
    const bytes = Buffer.concat(this.collected);
    this.collected = [];
    const reply = completed > 0 ? withSection(bytes, this.section()) : bytes;
    this.owner.receive(reply, 0, reply.length, completed);
  }

  /** The owner has seen nothing of a reply that is still being collected. */
  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void {
    this.owner.lose(count, midReply && this.isPassing, cause, requests);
  }
  refuse(count: number, cause: Error, requests: Buffer | null): void {
    this.owner.refuse(count, cause, requests);
  }
  unserved(count: 1, frame: Buffer, request: Buffer | null): boolean {
    return this.owner.unserved?.(count, frame, request) ?? false;
  }
}

const LF = 10;

/** `reply`, one whole frame, with `section` (UTF-8) behind its text; the same buffer where it holds none. */
export function withSection(reply: Buffer, section: string): Buffer {
  const headEnd = reply.indexOf(LF) + 1;
  const head = /^([$=])(\d+)\r\n$/.exec(reply.toString('latin1', 0, headEnd));
  if (head === null) return reply;
  const [, type, digits] = head;
  const length = Number(digits);
  const textStart = headEnd + (type === '=' ? 'txt:'.length : 0);
  const textEnd = headEnd + length;
  const gap = textEnd > textStart ? '\r\n' : '';
  const added = Buffer.from(gap + section);
  const newHead = Buffer.from(`${type}${length + added.length}\r\n`);
  return Buffer.concat([newHead, reply.subarray(headEnd, textEnd), added, reply.subarray(textEnd)]);
}
