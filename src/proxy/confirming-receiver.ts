/** Receivers for a single command whose reply means something to the session, between the upstream and its owner. */
import { CONFIRMATION_BYTES } from '../session/session.js';
import { NeverSent, type ReplyReceiver } from '../upstream/receiver.js';
import { unavailable, unknownOutcome } from './errors.js';

/**
 * Passes the reply on untouched, and shows its beginning to `confirm` before the owner hears that it is complete. Instead,
 * `lost` may be called, before the owner hears of it: with the error that takes the reply's place, or null when a part of
 * the reply has been passed on. Where the request was kept the owner will say it again, and nothing is lost.
 */
export class ConfirmingReceiver implements ReplyReceiver {
  private head: Buffer = Buffer.alloc(0);

  constructor(
    protected readonly owner: ReplyReceiver,
    private readonly confirm: (reply: Buffer) => void,
    private readonly lost: (error: Buffer | null) => void,
  ) {}

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    const missing = CONFIRMATION_BYTES - this.head.length;
    if (missing > 0) {
      this.head = Buffer.concat([this.head, chunk.subarray(start, Math.min(end, start + missing))]);
    }
    if (completed > 0) this.confirm(this.head);
    this.deliver(chunk, start, end, completed);
  }

  /** Nothing is confirmed by what its owner will say again. */
  unserved(count: 1, frame: Buffer, request: Buffer | null): boolean {
    return this.owner.unserved?.(count, frame, request) ?? false;
  }

  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void {
    if (requests === null || midReply) this.lost(midReply ? null : unknownOutcome(cause));
    this.owner.lose(count, midReply, cause, requests);
  }
  refuse(count: number, cause: Error, requests: Buffer | null): void {
    if (requests === null) this.lost(unavailable(cause));
    this.owner.refuse(count, cause, requests);
  }

  protected deliver(chunk: Buffer, start: number, end: number, completed: number): void {
    this.owner.receive(chunk, start, end, completed);
  }
}

/** Swallows the reply and gives the owner another one in its place. */
export class ReplacingReceiver extends ConfirmingReceiver {
  constructor(
    owner: ReplyReceiver,
    private readonly replacement: Buffer,
    /** What the client has said, in whose place something else was sent. */
    private readonly request: Buffer,
    confirm: (reply: Buffer) => void,
    lost: (error: Buffer | null) => void,
  ) {
    super(owner, confirm, lost);
  }

  override unserved(count: 1, frame: Buffer): boolean {
    return this.owner.unserved?.(count, frame, this.request) ?? false;
  }

  /** The connection is gone, and with it what was to be ended: what the client said is as good as never sent. */
  override lose(_count: number, _midReply: boolean, cause: Error): void {
    this.owner.refuse(1, new NeverSent(cause), this.request);
  }
  override refuse(_count: number, cause: Error): void {
    this.owner.refuse(1, new NeverSent(cause), this.request);
  }

  protected override deliver(
    _chunk: Buffer,
    _start: number,
    _end: number,
    completed: number,
  ): void {
    if (completed > 0) this.owner.receive(this.replacement, 0, this.replacement.length, completed);
  }
}
