/**
 * SELECT and CLIENT SETNAME between MULTI and EXEC: they are queued like anything else, and what became of them stands
 * among the results of EXEC. Looks for it there; the reply passes untouched.
 *
 *   EXEC's reply   *3 │ +OK │ +OK │ $1 x          settings: the second of what was queued
 *                           └─► confirmed
 */
import type { SessionEffect } from '../command/table.js';
import { ReplyFramer } from '../resp/reply-framer.js';
import type { ReplyReceiver } from '../upstream/receiver.js';

/** A setting that was queued; `index`: its result's place among those of EXEC. */
export interface QueuedSetting {
  readonly index: number;
  readonly effect: SessionEffect;
  readonly args: readonly Buffer[];
}

export interface QueuedSettingsOwner {
  /** `reply` is the beginning of the setting's result. */
  confirm(effect: SessionEffect, args: readonly Buffer[], reply: Buffer): void;
  /** Nobody will ever know. */
  lost(): void;
}

const LF = 10;
const STAR = 0x2a;

/** For the one reply to one EXEC, between the upstream and `owner`. */
export class QueuedSettingsReceiver implements ReplyReceiver {
  private header = Buffer.alloc(0);
  private isInResults = false;
  private readonly framer = new ReplyFramer();
  /** Results that have been seen. */
  private seen = 0;
  /** The beginning of the next setting's result. */
  private head: Buffer | null = null;

  constructor(
    private readonly owner: ReplyReceiver,
    private readonly settings: QueuedSetting[],
    private readonly told: QueuedSettingsOwner,
  ) {}

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    const pos = this.isInResults ? start : this.passHeader(chunk, start, end);
    if (this.isInResults) this.lookFor(chunk, pos, end);
    this.owner.receive(chunk, start, end, completed);
  }

  unserved(count: 1, frame: Buffer, request: Buffer | null): boolean {
    return this.owner.unserved?.(count, frame, request) ?? false;
  }

  /** What the client says next must not run in another database than it believes. */
  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void {
    this.told.lost();
    this.owner.lose(count, midReply, cause, requests);
  }

  refuse(count: number, cause: Error, requests: Buffer | null): void {
    this.owner.refuse(count, cause, requests);
  }

  /** Returns where the results begin, if they do. */
  private passHeader(chunk: Buffer, start: number, end: number): number {
    const lineEnd = chunk.indexOf(LF, start) + 1;
    const stop = lineEnd > 0 && lineEnd <= end ? lineEnd : end;
    this.header = Buffer.concat([this.header, chunk.subarray(start, stop)]);
    this.isInResults = this.header[0] === STAR && this.header.at(-1) === LF;
    return stop;
  }

  private lookFor(chunk: Buffer, start: number, end: number): void {
    for (let pos = start; pos < end && this.settings.length > 0;) {
      const [{ index, effect, args }] = this.settings as [QueuedSetting];
      const isNext = this.seen === index;
      const resultAt = pos;
      pos = this.framer.scan(chunk, pos, end, isNext ? 1 : index - this.seen);
      this.seen += this.framer.completed;
      if (!isNext) continue;
      this.head ??= Buffer.from(chunk.subarray(resultAt, pos));
      if (this.framer.completed === 0) return;
      this.told.confirm(effect, args, this.head);
      this.head = null;
      this.settings.shift();
    }
  }
}
