/**
 * The cursor: one key upstream that holds the number of the last record that was replayed. Every batch moves it in the
 * same transaction, behind an answered WATCH and GET of it, so effect and position cannot come apart, whoever dies when
 * (SEMANTICS §4, FAULTS.md 1–2).
 * What it says is weighed by `replay-position`.
 */
import { ReplyError } from '../../resp/decoder.js';
import { encodeCommand } from '../../resp/encoder.js';
import { decodeReplies } from './own-replies.js';

export const MULTI = encodeCommand(['MULTI']);
export const EXEC = encodeCommand(['EXEC']);
export const DISCARD = encodeCommand(['DISCARD']);

export class Cursor {
  /** Two commands. Their replies are read by `readingOf`. */
  readonly watchAndGet: Buffer;
  /** Three commands. */
  readonly removal: Buffer;

  constructor(private readonly key: string) {
    this.watchAndGet = Buffer.concat([encodeCommand(['WATCH', key]), encodeCommand(['GET', key])]);
    this.removal = Buffer.concat([MULTI, encodeCommand(['DEL', key]), EXEC]);
  }

  moveTo(seq: number): Buffer {
    return encodeCommand(['SET', this.key, seq]);
  }

  /** The sequence number that the replies tell, or null when there is no cursor. Throws an Error for people. */
  readingOf(replies: Buffer): number | null {
    const [watched, value] = decodeReplies(replies);
    for (const reply of [watched, value])
      if (reply instanceof ReplyError) throw new CursorRefused(this.key, reply.message);
    if (value === null) return null;
    const text = Buffer.isBuffer(value) ? value.toString('latin1') : '';
    if (!/^\d{1,15}$/.test(text)) throw new CursorRefused(this.key, 'it holds something else');
    return Number(text);
  }
}

/** The upstream does not let the sidecar have its cursor, and without it nothing can be replayed exactly once. */
export class CursorRefused extends Error {
  constructor(
    key: string,
    readonly reply: string,
  ) {
    super(`the upstream refuses the replay cursor ${key}: ${reply}`);
  }
}
