/**
 * Reads what an earlier run left in the directory and decides what of it counts. It changes as little as possible: only
 * a torn tail is cut, and only after it was copied to a file beside.
 *
 * - Behind the end that the next segment's header names: refused by the run that wrote it. Never replayed.
 * - In the last segment, from the first bad place on that lies in the last commit (each record says where its commit
 *   began): that commit was perhaps never acknowledged, a crash tore it. Copied aside, cut, reported.
 * - A bad place before that: those records were acknowledged and have decayed. Copied aside and reported with the numbers
 *   that are missing; what stands behind them is good, in order, and is replayed.
 * - A header of which neither copy is good: the file is renamed and reported, nothing of it is replayed.
 */
import type { Logger } from '../base/logger.js';
import type { JournalFile, JournalFiles } from './files.js';
import { shortWrite } from './problem.js';
import { scan, Window } from './scan.js';
import { Segment, segmentNumber, UNFINISHED } from './segment.js';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.js';

/** What was found that is not as it was written. */
export interface Finding {
  readonly kind: 'torn' | 'damaged' | 'missing' | 'unreadable';
  readonly file: string;
  readonly at: number;
  readonly bytes: number;
  /** Records with numbers between these two (both excluded) may have been there. */
  readonly afterSeq: number;
  readonly beforeSeq: number | null;
  /** The file with a copy of these bytes; null when it could not be made, or there is nothing to copy. */
  readonly copy: string | null;
}

/** What an earlier run left. */
export interface Remains {
  /** In order; those that hold nothing too. */
  readonly segments: readonly Segment[];
  readonly findings: readonly Finding[];
  /** Numbers of segments whose files could not be read. */
  readonly unreadable: readonly number[];
  /** Replayed already, as far as the headers say. */
  readonly releasedSeq: number;
}

/** At most so many copies of bad places are made, and of each at most so many bytes. */
const MOST_COPIES = 64;
const MOST_COPIED_BYTES = 64 * 1024 * 1024;

/** Reads and repairs. Rejects with an Error for people when the files are not those of one journal. */
export async function repair(files: JournalFiles, logger: Logger): Promise<Remains> {
  const findings: Finding[] = [];
  const { headers, unreadable } = await readHeaders(files, findings, logger);
  const segments: Segment[] = [];
  let seq = 0;
  for (const header of headers) {
    const before = segments.at(-1);
    const segment = new Segment(
      header,
      before === undefined ? 0 : before.recordsBefore + before.records,
      before === undefined ? 0 : before.bytesBefore + before.endBytes - SEGMENT_HEADER_BYTES,
    );
    const isLast = header === headers.at(-1);
    const limit = limitOf(header, headers);
    const found = await readSegment(files, segment, { seq, isLast, limit });
    findings.push(...found);
    segments.push(segment);
    if (segment.records > 0) seq = segment.lastSeq;
  }
  for (const finding of findings) report(logger, finding);
  const releasedSeq = Math.max(0, ...headers.map((header) => header.releasedSeq));
  return { segments, findings, unreadable, releasedSeq };
}

/** The headers of the segment files, oldest first; what was never finished is removed. */
async function readHeaders(
  files: JournalFiles,
  findings: Finding[],
  logger: Logger,
): Promise<{ headers: SegmentHeader[]; unreadable: number[] }> {
  const headers: SegmentHeader[] = [];
  const unreadable: number[] = [];
  for (const name of files.list().sort()) {
    if (name.endsWith(UNFINISHED)) await files.remove(name);
    const number = segmentNumber(name);
    if (number === null) continue;
    const header = headerOf(files, name, () =>
      logger.warn('journal: one copy of a segment header is damaged, the other is used', {
        file: name,
      }),
    );
    if (header === null) {
      const copy = `unreadable-${name}`;
      await files.rename(name, copy);
      const nothing = { at: 0, bytes: 0, afterSeq: 0, beforeSeq: null };
      findings.push({ kind: 'unreadable', file: name, ...nothing, copy });
      unreadable.push(number);
      continue;
    }
    const first = headers[0] ?? header;
    if (header.id !== first.id || header.number !== number) {
      throw new Error(
        `the journal directory ${files.description} holds files of different journals: ${name} is not where it belongs`,
      );
    }
    headers.push(header);
  }
  return { headers, unreadable };
}

/** The header of a segment file; null when neither copy of it is good. `onDamage` is told when one is not. */
export function headerOf(
  files: JournalFiles,
  name: string,
  onDamage: () => void = () => {},
): SegmentHeader | null {
  const file = files.open(name, 'read');
  try {
    const block = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const decoded = file.read(block, 0) < block.length ? null : decodeSegmentHeader(block);
    if (decoded?.damaged === true) onDamage();
    return decoded?.header ?? null;
  } finally {
    file.close();
  }
}

/** Where a segment ends by what the headers of later ones say; null when none of them speaks of it. */
export function limitOf(
  { number }: SegmentHeader,
  headers: readonly SegmentHeader[],
): number | null {
  const limits = headers
    .filter((later) => later.number > number && later.previousNumber <= number)
    .map((later) =>
      later.previousNumber === number ? later.previousEndBytes : SEGMENT_HEADER_BYTES,
    );
  return limits.length === 0 ? null : Math.min(...limits);
}

interface Circumstances {
  /** Of the last record in the segments before. */
  readonly seq: number;
  readonly isLast: boolean;
  /** The end that the next segment's header names. */
  readonly limit: number | null;
}

/** Notes the good records in `segment` and cuts what does not count. Returns what was bad. */
async function readSegment(
  files: JournalFiles,
  segment: Segment,
  { seq, isLast, limit }: Circumstances,
): Promise<Finding[]> {
  const file = files.open(segment.name, 'write');
  try {
    const size = file.sizeBytes();
    const until = Math.min(size, limit ?? size);
    const { bad, lastCommitAt } = noteRecords(file, segment, until, seq);
    const tornAt = isLast && limit === null ? tearAt(bad, lastCommitAt) : null;
    const end = tornAt ?? until;
    const places: Omit<Finding, 'copy' | 'file'>[] = bad
      .filter(({ at }) => at < end)
      .map((stretch) => ({
        kind: 'damaged',
        ...stretch,
        bytes: Math.min(stretch.bytes, end - stretch.at),
      }));
    if (tornAt !== null) {
      segment.forget();
      noteRecords(file, segment, end, seq);
      const afterSeq = segment.lastSeq || seq;
      places.push({ kind: 'torn', at: tornAt, bytes: size - tornAt, afterSeq, beforeSeq: null });
    }
    if (limit !== null && size < limit) {
      const afterSeq = segment.lastSeq || seq;
      places.push({ kind: 'missing', at: size, bytes: limit - size, afterSeq, beforeSeq: null });
    }
    segment.endBytes = end;
    const findings: Finding[] = [];
    for (const place of places) {
      const copy = place.kind === 'missing' ? null : await copyAside(files, file, segment, place);
      findings.push({ ...place, file: segment.name, copy });
    }
    const mayCut = findings.every(({ kind, copy }) => kind !== 'torn' || copy !== null);
    // Not cutting is no harm: the header of the segment that comes next says where this one ends.
    if (mayCut && size > end) await file.truncate(end).catch(() => {});
    return findings;
  } finally {
    file.close();
  }
}

/** Where the newest commit stops being whole; null when it is. */
function tearAt(bad: readonly Stretch[], lastCommitAt: number): number | null {
  const torn = bad.find(({ at, bytes }) => at + bytes > lastCommitAt);
  return torn === undefined ? null : Math.max(torn.at, lastCommitAt);
}

interface Stretch {
  readonly at: number;
  readonly bytes: number;
  readonly afterSeq: number;
  readonly beforeSeq: number | null;
}

/** Tells `segment` its good records; returns the bad stretches, and where the newest commit began that can be seen. */
function noteRecords(
  file: JournalFile,
  segment: Segment,
  until: number,
  seq: number,
): { bad: Stretch[]; lastCommitAt: number } {
  const bad: Stretch[] = [];
  let lastCommitAt = SEGMENT_HEADER_BYTES;
  let afterSeq = seq;
  let open: Stretch | null = null;
  const window = new Window(() => file, segment.header);
  for (const found of scan(window, SEGMENT_HEADER_BYTES, until, seq)) {
    if (found.record === null) {
      open = { at: found.at, bytes: found.end - found.at, afterSeq, beforeSeq: null };
      continue;
    }
    if (open !== null) bad.push({ ...open, beforeSeq: found.record.seq });
    open = null;
    afterSeq = found.record.seq;
    lastCommitAt = Math.max(lastCommitAt, found.commitAt);
    segment.addFound(found.record, found.at);
  }
  if (open !== null) bad.push(open);
  return { bad, lastCommitAt };
}

/** Copies a bad stretch to a file of its own. Null when that cannot be done: it then stays where it is. */
async function copyAside(
  files: JournalFiles,
  from: JournalFile,
  segment: Segment,
  { kind, at, bytes }: { readonly kind: string; readonly at: number; readonly bytes: number },
): Promise<string | null> {
  const name = `${kind}-${segment.header.number}-${at}.bytes`;
  try {
    const copies = files.list().filter((each) => each.endsWith('.bytes') && each !== name);
    if (copies.length >= MOST_COPIES || bytes > MOST_COPIED_BYTES) return null;
    const contents = Buffer.alloc(bytes);
    const copy = await files.create(name);
    try {
      from.read(contents, at);
      const written = await copy.write(contents, 0);
      if (written < bytes) throw shortWrite(written, bytes);
      await copy.sync();
    } finally {
      copy.close();
    }
    await files.syncDirectory();
    return name;
  } catch {
    await files.remove(name).catch(() => {});
    return null;
  }
}

function report(logger: Logger, { kind, ...finding }: Finding): void {
  const fields = { ...finding };
  switch (kind) {
    case 'torn':
      // Usual after a crash: these records were not acknowledged.
      return logger.warn('journal: the last commit was torn and has been cut off', fields);
    case 'damaged':
      return logger.error('journal: damaged records will not be replayed', fields);
    case 'missing':
      return logger.error('journal: the end of a segment is missing', fields);
    case 'unreadable':
      return logger.error('journal: a segment cannot be read and was set aside', fields);
  }
}
