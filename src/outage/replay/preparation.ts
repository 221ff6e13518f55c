/**
 * What must be known before a batch can be sent, asked on the same connection and answered first: that its databases
 * exist (a SELECT that fails inside EXEC would let the commands behind it run in the wrong one), and how far the streams
 * are that it adds to (see `stream-entries`; they are watched from here to EXEC). Most batches need nothing of it.
 *
 *   SELECT 3 · WATCH s t · XINFO STREAM s · XINFO STREAM t · SELECT 0
 */
import type { JournalRecord } from '../../journal/record.js';
import { ReplyError } from '../../resp/decoder.js';
import { encodeCommand } from '../../resp/encoder.js';
import { selectCommand } from './batch.js';
import { decodeReplies } from './own-replies.js';
import { EMPTY_STREAM, parseId, streamName, streamsOf, type LastIds } from './stream-entries.js';

export interface Prepared {
  /** Databases that the upstream does not have, or does not let us into, and its words. */
  readonly refusedDbs: ReadonlyMap<number, string>;
  readonly lastIds: LastIds;
}

type Question =
  | { readonly kind: 'select'; readonly db: number }
  | { readonly kind: 'watch' | 'home' }
  | { readonly kind: 'stream'; readonly db: number; readonly key: Buffer };

export class Preparation {
  readonly bytes: Buffer;
  readonly commands: number;

  private constructor(
    private readonly questions: readonly Question[],
    pieces: readonly Buffer[],
  ) {
    this.bytes = Buffer.concat(pieces);
    this.commands = questions.length;
  }

  /** What `records` need, or null when it is nothing. Databases in `knownDbs` are not asked about again,
   * streams that are contended not at all. */
  static of(
    records: readonly JournalRecord[],
    knownDbs: ReadonlySet<number>,
    streamsAre: 'free' | 'contended',
  ): Preparation | null {
    const streams = streamsAre === 'free' ? streamsOf(records) : new Map<number, Buffer[]>();
    const dbs = new Set([...streams.keys()]);
    for (const { db } of records) if (!knownDbs.has(db)) dbs.add(db);
    if (dbs.size === 0) return null;
    const questions: Question[] = [];
    const pieces: Buffer[] = [];
    for (const db of dbs) {
      questions.push({ kind: 'select', db });
      pieces.push(selectCommand(db));
      const keys = streams.get(db) ?? [];
      if (keys.length === 0) continue;
      questions.push({ kind: 'watch' });
      pieces.push(encodeCommand(['WATCH', ...keys]));
      for (const key of keys) {
        questions.push({ kind: 'stream', db, key });
        pieces.push(encodeCommand(['XINFO', 'STREAM', key]));
      }
    }
    questions.push({ kind: 'home' });
    pieces.push(selectCommand(0));
    return new Preparation(questions, pieces);
  }

  read(replies: Buffer): Prepared {
    const values = decodeReplies(replies);
    const refusedDbs = new Map<number, string>();
    const lastIds: LastIds = new Map();
    this.questions.forEach((question, index) => {
      const value = values[index];
      if (question.kind === 'select' && value instanceof ReplyError)
        refusedDbs.set(question.db, value.message);
      if (question.kind === 'stream') noteLastId(lastIds, question, value);
    });
    return { refusedDbs, lastIds };
  }
}

function noteLastId(
  lastIds: LastIds,
  { db, key }: { db: number; key: Buffer },
  value: unknown,
): void {
  const name = streamName(db, key);
  if (value instanceof ReplyError) {
    if (value.message.includes('no such key')) lastIds.set(name, EMPTY_STREAM);
    // A key of another type takes no entry at all: let XADD say so itself.
    else if (!value.message.startsWith('WRONGTYPE')) lastIds.set(name, 'unknown');
    return;
  }
  const fields = Array.isArray(value) ? (value as unknown[]) : [];
  const at = fields.findIndex((field) => String(field) === 'last-generated-id');
  lastIds.set(name, at === -1 ? 'unknown' : parseId(String(fields[at + 1])));
}
