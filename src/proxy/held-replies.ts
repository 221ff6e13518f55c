/**
 * The upstream's refusals to serve one client's oldest outstanding commands, as long as it is open whether those are said
 * again or their errors passed on. What a refused transaction says besides (+QUEUED, EXECABORT, and nil where it was
 * guarded) is held with them.
 *
 *   outstanding   │ SET: -BUSY │ MULTI: +OK │ SET: -BUSY │ EXEC: -EXECABORT │ GET: ?
 *   held          ├────────────── with their requests ──────────────────────┤
 */
import { classify } from '../command/classify.js';
import { effectOf } from '../command/effect.js';
import { splitArguments } from '../resp/arguments.js';
import { ReplyFramer } from '../resp/reply-framer.js';
import type { Consequence } from './recovery.js';

/** A command that was not run, and what was said to it. */
export interface Held {
  readonly reply: Buffer;
  readonly request: Buffer;
}

export interface HeldRepliesHost {
  readonly outstanding: number;
  requestInTransaction(ahead: number): Buffer | null;
  receive(chunk: Buffer, start: number, end: number, completed: number): void;
}

/** What becomes of a client's transaction when these are its answers. `before`: what has become of it already. */
export function consequenceOf(held: readonly Held[], before: Consequence): Consequence {
  return held.reduce((consequence, { request }) => {
    const args = splitArguments(request);
    const effect = effectOf(classify(args[0]!, 0, args[0]!.length), args);
    if (effect === 'multi') return 'broken';
    return effect === 'exec' || effect === 'discard' ? 'ended' : consequence;
  }, before);
}

const PLUS = 0x2b;
const MINUS = 0x2d;
const STAR = 0x2a;
const NULL_TYPE = 0x5f;

/** The reply at `pos`, of a transaction: an array of results, even if no more than its first byte is there. */
function saysThatSomethingRan(bytes: Buffer, pos: number): boolean {
  const type = bytes[pos]!;
  if (type === PLUS || type === MINUS || type === NULL_TYPE) return false;
  return type !== STAR || (pos + 1 < bytes.length && bytes[pos + 1] !== MINUS);
}

export class HeldReplies {
  private list: Held[] = [];
  /** The beginning of the next reply, which tells too little yet. */
  private partial = Buffer.alloc(0);

  constructor(private readonly host: HeldRepliesHost) {}

  get isEmpty(): boolean {
    return this.list.length === 0;
  }
  get count(): number {
    return this.list.length;
  }
  /** Nothing else is outstanding. */
  get areAll(): boolean {
    return this.list.length > 0 && this.list.length === this.host.outstanding;
  }

  add(held: Held): void {
    this.list.push(held);
  }

  remove(held: Held): void {
    this.list = this.list.filter((one) => one !== held);
  }

  /** All that is held, which is the caller's now. */
  take(): readonly Held[] {
    const { list } = this;
    this.list = [];
    this.partial = Buffer.alloc(0);
    return list;
  }

  /**
   * `chunk[start, end)` are the next replies. True: they belong to a transaction that was refused, and are held too.
   * False: one of them tells that something was run; everything held has been passed on, and these are to follow.
   */
  keeps(chunk: Buffer, start: number, end: number): boolean {
    if (this.isEmpty) return false;
    const bytes = Buffer.concat([this.partial, chunk.subarray(start, end)]);
    const framer = new ReplyFramer();
    const found: Held[] = [];
    let pos = 0;
    while (pos < bytes.length) {
      const next = framer.scan(bytes, pos, bytes.length, 1);
      const request = this.host.requestInTransaction(this.list.length + found.length);
      if (request === null || saysThatSomethingRan(bytes, pos)) return this.letGo();
      if (framer.isInFrame) break;
      found.push({ reply: bytes.subarray(pos, next), request });
      pos = next;
    }
    this.list.push(...found);
    this.partial = bytes.subarray(pos);
    return true;
  }

  /** It is too late to say them again (I4): each has its error, in its place. */
  private letGo(): false {
    const { partial, host } = this;
    for (const { reply } of this.take()) host.receive(reply, 0, reply.length, 1);
    if (partial.length > 0) host.receive(partial, 0, partial.length, 0);
    return false;
  }
}
