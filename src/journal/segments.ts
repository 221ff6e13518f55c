/**
 * The journal's segment files, oldest first; the last one is written to. Knows how they follow each other on the disk and
 * where a record is; knows nothing of commits, limits and failures beyond telling them.
 *
 *   segment-…04 ─────────┐  segment-…05 ───────────────┐  segment-…06 ─────┐
 *   header │ 7 8 9 … 120 │  header │ 121 122 … 260 ▒▒▒ │  header │ 266 267 │ ◄─ current: appended to
 *          └ released ┘                           ▲                  └ begins when 05 is full, or when a sync of 05 failed;
 *                                                 └──────────────────── its header says where 05 ends (▒: refused)
 */
import type { JournalFile, JournalFiles } from './files.js';
import { diskProblem, shortWrite } from './problem.js';
import type { JournalMarks, JournalRecord } from './record.js';
import { scan, Window } from './scan.js';
import { Segment, segmentName, UNFINISHED } from './segment.js';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.js';

/** Files open at once; enough for the whole journal at the default sizes, also when its directory has gone. */
const OPEN_FILES = 64;

/** Places kept, so that who reads on does not search. */
const REMEMBERED_PLACES = 8;

/** How many numbers a segment may use up. */
export const RESERVED_SEQS = 2 ** 22;

/** Behind the record `seq` (or where it would be). */
interface Place {
  readonly seq: number;
  readonly segment: Segment;
  readonly at: number;
  /** Records of the segment before this place. */
  readonly ordinal: number;
  readonly window: Window;
}

/** What the next segment's header says of the moment. */
export interface SegmentStart {
  readonly baseSeq: number;
  readonly reservedThroughSeq: number;
  readonly releasedSeq: number;
  readonly wallMs: number;
}

/** How making a segment failed: `left` says that the one before it cannot be written to any more. */
export class SegmentFailure extends Error {
  constructor(
    readonly problem: Error,
    readonly left: boolean,
  ) {
    super(problem.message, { cause: problem });
  }
}

export class Segments {
  /** Null while there is none that may be written to. */
  current: Segment | null = null;
  private list: Segment[] = [];
  private readonly opened = new Map<Segment, JournalFile>();
  private places: Place[] = [];
  private nextNumber = 1;

  constructor(
    private readonly files: JournalFiles,
    readonly id: string,
    private readonly marks: JournalMarks,
    /** A stretch of a segment that was good when it was written is not any more; told each time it is met. */
    private readonly onDamage: (segment: Segment, at: number, end: number) => void,
  ) {}

  /** Takes over a segment that was there; in order. */
  adopt(segment: Segment): void {
    this.list.push(segment);
    this.nextNumber = segment.header.number + 1;
  }

  /** The numbers through `number` are in use, although their files cannot be read. */
  skipNumbers(number: number): void {
    this.nextNumber = Math.max(this.nextNumber, number + 1);
  }

  get all(): readonly Segment[] {
    return this.list;
  }

  get usedBytes(): number {
    let sum = 0;
    for (const segment of this.list) sum += segment.endBytes;
    return sum;
  }

  /** Records, and their bytes, that this run has had in its segments. */
  get totalRecords(): number {
    const last = this.list.at(-1);
    return last === undefined ? 0 : last.recordsBefore + last.records;
  }

  get totalBytes(): number {
    const last = this.list.at(-1);
    return last === undefined ? 0 : last.bytesBefore + last.endBytes - SEGMENT_HEADER_BYTES;
  }

  /** The open file of a segment. Throws what the system says when it cannot be opened. */
  fileOf(segment: Segment): JournalFile {
    let file = this.opened.get(segment);
    if (file !== undefined) return file;
    file = this.files.open(segment.name, 'read');
    this.keepOpen(segment, file);
    return file;
  }

  /** Makes the next segment and makes it the current one. On failure throws a SegmentFailure. */
  async begin(start: SegmentStart): Promise<Segment> {
    const last = this.list.findLast((segment) => segment.records > 0);
    const header: SegmentHeader = {
      ...this.marks,
      id: this.id,
      number: this.nextNumber,
      baseSeq: start.baseSeq,
      reservedThroughSeq: start.reservedThroughSeq,
      releasedSeq: start.releasedSeq,
      previousNumber: last?.header.number ?? 0,
      previousEndBytes: last?.endBytes ?? 0,
      createdWallMs: start.wallMs,
    };
    const name = segmentName(header.number);
    const file = await createBlock(this.files, name + UNFINISHED, encodeSegmentHeader(header));
    this.nextNumber += 1;
    try {
      await this.files.rename(name + UNFINISHED, name);
      await this.files.syncDirectory();
    } catch (error) {
      // It may be on the disk and say where the one before it ends: that one must not grow any more.
      this.current = null;
      file.close();
      await this.files.remove(name).catch(() => {});
      throw new SegmentFailure(diskProblem('making a segment', error), true);
    }
    const segment = new Segment(header, this.totalRecords, this.totalBytes);
    this.list.push(segment);
    this.current = segment;
    this.keepOpen(segment, file);
    return segment;
  }

  /** Removes the file of a segment that is not the current one. Resolves with false when that cannot be done. */
  async remove(segment: Segment): Promise<boolean> {
    try {
      await this.files.remove(segment.name);
    } catch {
      return false;
    }
    this.list = this.list.filter((each) => each !== segment);
    this.places = this.places.filter((place) => place.segment !== segment);
    this.opened.get(segment)?.close();
    this.opened.delete(segment);
    return true;
  }

  /** Settled records after `afterSeq`: at least one if there is one, else as many as fit. Throws when the disk fails. */
  read(afterSeq: number, maxCommands: number, maxBytes: number): JournalRecord[] {
    const records: JournalRecord[] = [];
    let commands = 0;
    let bytes = 0;
    let place: Place | null = null;
    for (const step of this.walk(afterSeq)) {
      commands += step.record.commands;
      bytes += step.record.bytes.length;
      if (records.length > 0 && (commands > maxCommands || bytes > maxBytes)) break;
      records.push(step.record);
      place = step.place;
    }
    if (place !== null) this.remember(place);
    return records;
  }

  /** Records, and their bytes, of this run up to and with `seq`. Throws when the disk fails. */
  countThrough(seq: number): { records: number; bytes: number } {
    const { segment, at, ordinal } = this.placeBehind(seq);
    return {
      records: segment.recordsBefore + (at >= segment.endBytes ? segment.records : ordinal),
      bytes: segment.bytesBefore + at - SEGMENT_HEADER_BYTES,
    };
  }

  /** Gives the disk back what the newest segment takes, of which everything has been replayed; it is not written to again. */
  async cutReplayed(): Promise<void> {
    const { current } = this;
    if (current === null) return;
    this.current = null;
    await this.fileOf(current).truncate(SEGMENT_HEADER_BYTES);
  }

  close(): void {
    for (const file of this.opened.values()) file.close();
    this.opened.clear();
  }

  /** The records after `afterSeq`, each with the place behind it. */
  private *walk(afterSeq: number): Generator<{ record: JournalRecord; place: Place }> {
    if (this.list.length === 0) return;
    const start = this.placeBehind(afterSeq);
    let { at, ordinal, window } = start;
    for (let index = this.list.indexOf(start.segment); index < this.list.length; index += 1) {
      const segment = this.list[index]!;
      if (segment !== start.segment) {
        at = SEGMENT_HEADER_BYTES;
        ordinal = 0;
        window = this.windowOf(segment);
      }
      for (const { record, at: from, end } of scan(window, at, segment.endBytes, 0)) {
        if (record === null) {
          this.onDamage(segment, from, end);
          continue;
        }
        ordinal += 1;
        if (record.seq <= afterSeq) continue;
        yield { record, place: { seq: record.seq, segment, at: end, ordinal, window } };
      }
    }
  }

  /** There is at least one segment. */
  private placeBehind(seq: number): Place {
    const known = this.places.find((place) => place.seq === seq);
    if (known !== undefined) return known;
    const segment = this.segmentOf(seq);
    const note = segment.noteBefore(seq);
    const window = this.windowOf(segment);
    let { offset: at, ordinal } = note;
    for (const found of scan(window, at, segment.endBytes, 0)) {
      if (found.record !== null && found.record.seq > seq) break;
      if (found.record !== null) ordinal += 1;
      at = found.end;
    }
    const place = { seq, segment, at, ordinal, window };
    this.remember(place);
    return place;
  }

  /** The last segment that begins with a record at or before `seq`, else the oldest. */
  private segmentOf(seq: number): Segment {
    for (let index = this.list.length - 1; index > 0; index -= 1) {
      const segment = this.list[index]!;
      if (segment.records > 0 && segment.firstSeq <= seq) return segment;
    }
    return this.list[0]!;
  }

  private windowOf(segment: Segment): Window {
    return new Window(() => this.fileOf(segment), this.marks);
  }

  private remember(place: Place): void {
    this.places = this.places.filter(({ seq }) => seq !== place.seq);
    this.places.push(place);
    if (this.places.length > REMEMBERED_PLACES) this.places.shift();
  }

  private keepOpen(segment: Segment, file: JournalFile): void {
    this.opened.set(segment, file);
    if (this.opened.size <= OPEN_FILES) return;
    for (const [other, open] of this.opened) {
      if (other === this.current || other === segment) continue;
      open.close();
      this.opened.delete(other);
      return;
    }
  }
}

/** A file whose first block is on the disk, under a name that does not count yet. Throws a SegmentFailure. */
async function createBlock(files: JournalFiles, name: string, block: Buffer): Promise<JournalFile> {
  let file: JournalFile | null = null;
  try {
    file = await files.create(name);
    const written = await file.write(block, 0);
    if (written < block.length) throw shortWrite(written, block.length);
    await file.sync();
    return file;
  } catch (error) {
    file?.close();
    await files.remove(name).catch(() => {});
    throw new SegmentFailure(diskProblem('making a segment', error), false);
  }
}
