/**
 * XADD in replay. The client was told an id, made by the outage store; the upstream's stream may have passed it, because
 * others went on writing. Then the entry is added all the same, with an id of the upstream's own choice (`*`), and
 * counted (SEMANTICS §4). Which it will be must be known before the transaction is sent: an XADD that fails in EXEC
 * cannot be made good exactly once. So the streams' last ids are asked for under WATCH, and ids are settled here.
 *
 *   last id 1700-5:   XADD s 1700-4 …  ─► XADD s * …          behind it every XADD to s is `*`, or order would be lost
 *                     XADD s 1700-6 …  ─► as it is
 */
import { toldIdAt, xaddIdAt, xaddWithStar } from '../../command/journal-form.js';
import type { JournalRecord } from '../../journal/record.js';
import { cutRequests } from '../../resp/cut-requests.js';
import { splitArguments } from '../../resp/arguments.js';

/** A stream's last id; `unknown`: it could not be asked for, so no told id is safe. */
export type LastId = readonly [ms: bigint, sequence: bigint] | 'unknown';

/** Last ids by `streamName`. A name that is missing is no stream: its XADDs are left alone. */
export type LastIds = Map<string, LastId>;

export const EMPTY_STREAM: LastId = [0n, 0n];

/** One name for a key of a database. */
export function streamName(db: number, key: Buffer): string {
  return `${db}/${key.toString('latin1')}`;
}

/** `1700-5` or `1700`; anything else is an id that nobody knows. */
export function parseId(text: string): LastId {
  const [, ms, sequence = '0'] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  return ms === undefined ? 'unknown' : [BigInt(ms), BigInt(sequence)];
}

/** The streams that `records` add to, by database, each once. */
export function streamsOf(records: readonly JournalRecord[]): Map<number, Buffer[]> {
  const streams = new Map<number, Buffer[]>();
  const seen = new Set<string>();
  for (const record of records) {
    for (const { key, withStar } of additionsIn(record)) {
      if (withStar === null) continue;
      const name = streamName(record.db, key);
      if (seen.has(name)) continue;
      seen.add(name);
      streams.set(record.db, [...(streams.get(record.db) ?? []), key]);
    }
  }
  return streams;
}

/**
 * `records` with ids that the streams will take; `renamed` entries got `*`. `lastIds` null: nothing is known and every
 * told id gives way.
 */
export function withPossibleIds(
  records: readonly JournalRecord[],
  lastIds: LastIds | null,
): { records: readonly JournalRecord[]; renamed: number } {
  const known: LastIds = new Map(lastIds);
  let renamed = 0;
  const settled = records.map((record) => {
    const frames = new Map<number, Buffer>();
    for (const addition of additionsIn(record)) {
      const name = streamName(record.db, addition.key);
      const last = lastIds === null ? 'unknown' : known.get(name);
      if (last === undefined || addition.id === '*') continue;
      const id = parseId(addition.id.replace('*', String(2n ** 64n - 1n)));
      if (isBehind(id, last)) known.set(name, id);
      else if (addition.withStar !== null) {
        known.set(name, 'unknown');
        frames.set(addition.at, addition.withStar);
        renamed += 1;
      }
    }
    return frames.size === 0 ? record : withFrames(record, frames);
  });
  return { records: settled, renamed };
}

interface Addition {
  /** Which of the record's frames it is. */
  readonly at: number;
  readonly key: Buffer;
  readonly id: string;
  /** The same without its id. Null: a client chose the id, and what the upstream says to it is the answer. */
  readonly withStar: Buffer | null;
}

function isBehind(id: LastId, last: LastId): boolean {
  if (id === 'unknown' || last === 'unknown') return false;
  return id[0] > last[0] || (id[0] === last[0] && id[1] > last[1]);
}

function additionsIn(record: JournalRecord): Addition[] {
  if (record.commands === 1 && !isAddition(record.bytes)) return [];
  const additions: Addition[] = [];
  cutRequests(record.bytes).forEach((frame, at) => {
    if (!isAddition(frame)) return;
    const args = splitArguments(frame);
    const id = args[xaddIdAt(args)]?.toString('latin1') ?? '';
    if (!/^(\*|\d{1,20}(-(\d{1,20}|\*))?)$/.test(id)) return;
    const withStar = toldIdAt(args) === -1 ? null : xaddWithStar(frame);
    additions.push({ at, key: args[1]!, id, withStar });
  });
  return additions;
}

const LF = 10;
const HEADER = Buffer.from('$4\r\n');
const NAME = Buffer.from('xadd');

/** Looks at the bytes only: nearly every record is something else, and replay is to be quick. */
function isAddition(frame: Buffer): boolean {
  const at = frame.indexOf(LF) + 1;
  for (let index = 0; index < HEADER.length; index += 1)
    if (frame[at + index] !== HEADER[index]) return false;
  const nameAt = at + HEADER.length;
  for (let index = 0; index < NAME.length; index += 1)
    if ((frame[nameAt + index]! | 0x20) !== NAME[index]) return false;
  return true;
}

function withFrames(record: JournalRecord, frames: ReadonlyMap<number, Buffer>): JournalRecord {
  const all = cutRequests(record.bytes).map((frame, at) => frames.get(at) ?? frame);
  return { ...record, bytes: Buffer.concat(all) };
}
