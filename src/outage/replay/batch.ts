/**
 * One batch of replay: records in their order, each in its database, and the cursor's move behind them, as one
 * transaction. Knows which record a reply belongs to.
 *
 *   MULTI · SELECT 3 · [record 41] [record 42] · SELECT 0 · [record 43] · SET cursor 43 · EXEC
 *               0           1           2            3           4              5          ◄ index of the reply
 */
import type { JournalRecord } from '../../journal/record.js';
import { encodeCommand } from '../../resp/encoder.js';
import { MULTI, type Cursor } from './cursor.js';

/** SEMANTICS §4. A record that is larger, or has more commands, is a batch by itself. */
export const MAX_BATCH_COMMANDS = 256;
export const MAX_BATCH_BYTES = 1024 * 1024;

/** Where the cursor lives, and where a connection is between batches. */
const HOME_DB = 0;

/** Whose command stands at an index: the n-th of a record, a SELECT in front of a record, or the cursor's. */
export type Place =
  | { readonly kind: 'record'; readonly record: JournalRecord; readonly command: number }
  | { readonly kind: 'select'; readonly record: JournalRecord }
  | { readonly kind: 'cursor' };

export interface Batch {
  /** Those that are sent: dead letters among the ones read are not. */
  readonly records: readonly JournalRecord[];
  /** Where the cursor is after it. */
  readonly throughSeq: number;
  /** Between MULTI and EXEC. */
  readonly commands: number;
  /** MULTI and its commands; EXEC is yet to come. */
  readonly bytes: Buffer;
}

export function buildBatch(
  records: readonly JournalRecord[],
  throughSeq: number,
  cursor: Cursor,
): Batch {
  const pieces: Buffer[] = [MULTI];
  let db = HOME_DB;
  let commands = 0;
  for (const record of records) {
    if (record.db !== db) {
      db = record.db;
      pieces.push(selectCommand(db));
      commands += 1;
    }
    pieces.push(record.bytes);
    commands += record.commands;
  }
  if (db !== HOME_DB) {
    pieces.push(selectCommand(HOME_DB));
    commands += 1;
  }
  pieces.push(cursor.moveTo(throughSeq));
  return { records, throughSeq, commands: commands + 1, bytes: Buffer.concat(pieces) };
}

/** Whose command stands at `index`. Walks the batch: only errors are ever looked up. */
export function placeOf({ records }: Batch, index: number): Place {
  let db = HOME_DB;
  let at = 0;
  for (const record of records) {
    if (record.db !== db) {
      if (index === at) return { kind: 'select', record };
      db = record.db;
      at += 1;
    }
    if (index < at + record.commands) return { kind: 'record', record, command: index - at };
    at += record.commands;
  }
  return { kind: 'cursor' };
}

export function selectCommand(db: number): Buffer {
  return encodeCommand(['SELECT', db]);
}
