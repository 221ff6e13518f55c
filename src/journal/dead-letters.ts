/**
 * What Redis answered with an error when it was replayed, with the reason, until a person decides (`respool journal
 * dead-letters|retry|drop`). One file of records like a segment's, beside the segments; always synced, whatever
 * `--journal-fsync` says, because replay goes on past a letter once it is in here.
 *
 *   record: seq = the letter's id, wall = when the command was accepted, frames =
 *   ┌─────────┬───────────┬───────────────┬────────┬────────────────┐
 *   │ seq (8) │ died (8)  │ reason length │ reason │ request frames │
 *   └─────────┴───────────┴───────────────┴────────┴────────────────┘
 *
 * Nothing is dropped to make room: when the bound is reached `add` refuses, and replay stops with that reason.
 */
import { Batch } from './batch.js';
import type { JournalFile, JournalFiles } from './files.js';
import { diskProblem, JournalProblem, shortWrite } from './problem.js';
import { RECORD_HEADER_BYTES, type JournalMarks, type JournalRecord } from './record.js';
import { headerOf } from './repair.js';
import { scan, Window } from './scan.js';
import { UNFINISHED } from './segment.js';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.js';

export const DEAD_LETTERS_FILE = 'dead-letters.journal';

const PREFIX_BYTES = 18;
const MAX_REASON_BYTES = 1024;
/** Written at once when the file is made anew. */
const COPY_BYTES = 1024 * 1024;

/** A command, or a whole transaction, that could not be replayed. */
export interface DeadLetter {
  /** Rises with each letter of this journal. */
  readonly id: number;
  /** Of the journal record that it was in. */
  readonly seq: number;
  /** When it was accepted. */
  readonly wallMs: number;
  /** When it was given up. */
  readonly diedWallMs: number;
  readonly db: number;
  /** As in a journal record. */
  readonly flags: number;
  readonly commands: number;
  /** Redis' error. */
  readonly reason: string;
  /** One request frame, or those of a whole transaction without MULTI and EXEC. */
  readonly bytes: Buffer;
}

export type NewDeadLetter = Omit<DeadLetter, 'id' | 'diedWallMs'>;

export interface DeadLettersOptions {
  readonly files: JournalFiles;
  readonly id: string;
  readonly marks: JournalMarks;
  readonly maxBytes: number;
  readonly wallMs: () => number;
}

interface Waiting {
  readonly letter: NewDeadLetter;
  readonly done: (problem: Error | null) => void;
}

export class DeadLetters {
  private file: JournalFile | null = null;
  private endBytes = 0;
  private lettersCount = 0;
  private nextId = 1;
  /** A sync failed: the file takes no more, a new one is made with the same letters. */
  private isSpoiled = false;
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  /** The end of what was begun; one thing at a time touches the file. */
  private work: Promise<void> = Promise.resolve();

  /** Reads what is there. Throws what the disk says. `onBad` is told each stretch that cannot be read any more. */
  constructor(
    private readonly options: DeadLettersOptions,
    onBad: (at: number, bytes: number) => void,
  ) {
    const { files, marks } = options;
    if (!files.list().includes(DEAD_LETTERS_FILE)) return;
    this.nextId = headerOf(files, DEAD_LETTERS_FILE)?.baseSeq ?? 1;
    this.file = files.open(DEAD_LETTERS_FILE, 'write');
    this.endBytes = SEGMENT_HEADER_BYTES;
    const window = new Window(() => this.file!, marks);
    for (const found of scan(window, SEGMENT_HEADER_BYTES, this.file.sizeBytes(), 0)) {
      if (found.record === null) {
        onBad(found.at, found.end - found.at);
        continue;
      }
      this.lettersCount += 1;
      this.nextId = Math.max(this.nextId, found.record.seq + 1);
      this.endBytes = found.end;
    }
  }

  get count(): number {
    return this.lettersCount;
  }

  get usedBytes(): number {
    return this.endBytes;
  }

  /** Resolves once it is on the disk. Rejects with a JournalProblem when it cannot be kept: replay must not pass it. */
  add(letter: NewDeadLetter): Promise<void> {
    const bytes = sizeOf(letter);
    const { maxBytes } = this.options;
    if (this.endBytes + this.waitingBytes + bytes + SEGMENT_HEADER_BYTES > maxBytes) {
      const problem = `the dead letters are full (${this.lettersCount} letters, ${this.endBytes} bytes): retry or drop some`;
      return Promise.reject(new JournalProblem('full', problem));
    }
    return new Promise((resolve, reject) => {
      const done = (problem: Error | null): void =>
        problem === null ? resolve() : reject(problem);
      this.waiting.push({ letter, done });
      this.waitingBytes += bytes;
      if (this.waiting.length === 1) void this.inTurn(() => this.writeWaiting());
    });
  }

  /** The oldest ones, oldest first. Throws when the disk fails. */
  list(limit: number): DeadLetter[] {
    const letters: DeadLetter[] = [];
    for (const record of this.records()) {
      if (letters.length >= limit) break;
      letters.push(decodeLetter(record));
    }
    return letters;
  }

  /** Removes these for good. Resolves with how many there were; rejects when the disk fails, and then all may stay. */
  async remove(ids: ReadonlySet<number>): Promise<number> {
    const before = this.lettersCount;
    await this.inTurn(() => this.rewrite((id) => !ids.has(id)));
    return before - this.lettersCount;
  }

  async close(): Promise<void> {
    await this.work;
    this.file?.close();
    this.file = null;
  }

  private *records(): Generator<JournalRecord> {
    if (this.file === null) return;
    const window = new Window(() => this.file!, this.options.marks);
    for (const { record } of scan(window, SEGMENT_HEADER_BYTES, this.endBytes, 0)) {
      if (record !== null) yield record;
    }
  }

  private inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.work.then(task);
    this.work = done.catch(() => {});
    return done;
  }

  /** All that wait, with one write and one sync. Never rejects: each is told. */
  private async writeWaiting(): Promise<void> {
    const group = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    let problem: Error | null = null;
    try {
      // A file that was removed is made again: a letter in it would be gone with the process.
      if (this.file === null || this.isSpoiled || !this.file.isLinked())
        await this.rewrite(() => true);
      await this.append(group);
    } catch (error) {
      problem = diskProblem('writing a dead letter', error);
    }
    for (const { done } of group) done(problem);
  }

  private async append(group: readonly Waiting[]): Promise<void> {
    const file = this.file!;
    const batch = new Batch();
    for (const { letter } of group) batch.add(this.encode(letter), this.options.marks);
    try {
      const written = await file.write(batch.contents, this.endBytes);
      if (written < batch.usedBytes) throw shortWrite(written, batch.usedBytes);
    } catch (error) {
      await file.truncate(this.endBytes).catch(() => (this.isSpoiled = true));
      throw error;
    }
    try {
      await file.sync();
    } catch (error) {
      this.isSpoiled = true;
      throw error;
    }
    this.endBytes += batch.usedBytes;
    this.lettersCount += batch.records;
  }

  /** Makes the file anew with the letters that are kept, and puts it in the place of the old one. */
  private async rewrite(isKept: (id: number) => boolean): Promise<void> {
    const { files, id, marks } = this.options;
    const name = DEAD_LETTERS_FILE + UNFINISHED;
    const file = await files.create(name);
    let endBytes = 0;
    let letters = 0;
    const put = async (bytes: Buffer): Promise<void> => {
      const written = await file.write(bytes, endBytes);
      if (written < bytes.length) throw shortWrite(written, bytes.length);
      endBytes += written;
    };
    try {
      await put(encodeSegmentHeader({ ...marks, ...NO_PLACE, id, baseSeq: this.nextId }));
      const batch = new Batch();
      for (const record of this.records()) {
        if (!isKept(record.seq)) continue;
        letters += 1;
        batch.add(record, marks);
        if (batch.usedBytes < COPY_BYTES) continue;
        await put(batch.contents);
        batch.clear();
      }
      await put(batch.contents);
      await file.sync();
      await files.rename(name, DEAD_LETTERS_FILE);
    } catch (error) {
      file.close();
      await files.remove(name).catch(() => {});
      throw error;
    }
    this.file?.close();
    this.file = file;
    this.endBytes = endBytes;
    this.lettersCount = letters;
    // Until the directory is on the disk too a crash brings back the old file, to which nothing may have been added.
    this.isSpoiled = true;
    await files.syncDirectory();
    this.isSpoiled = false;
  }

  private encode(letter: NewDeadLetter): JournalRecord {
    const reason = reasonOf(letter);
    const bytes = Buffer.alloc(PREFIX_BYTES + reason.length + letter.bytes.length);
    bytes.writeBigUInt64LE(BigInt(letter.seq), 0);
    bytes.writeBigUInt64LE(BigInt(Math.round(this.options.wallMs())), 8);
    bytes.writeUInt16LE(reason.length, 16);
    reason.copy(bytes, PREFIX_BYTES);
    letter.bytes.copy(bytes, PREFIX_BYTES + reason.length);
    const { wallMs, db, flags, commands } = letter;
    const seq = this.nextId;
    this.nextId += 1;
    return { seq, wallMs, db, flags, commands, bytes };
  }
}

/** The parts of a segment's header that mean nothing here. */
const NO_PLACE = {
  number: 0,
  reservedThroughSeq: 0,
  releasedSeq: 0,
  previousNumber: 0,
  previousEndBytes: 0,
  createdWallMs: 0,
};

/** A letter from its record. */
export function decodeLetter({
  seq: id,
  wallMs,
  db,
  flags,
  commands,
  bytes,
}: JournalRecord): DeadLetter {
  const framesAt = PREFIX_BYTES + bytes.readUInt16LE(16);
  return {
    id,
    seq: Number(bytes.readBigUInt64LE(0)),
    wallMs,
    diedWallMs: Number(bytes.readBigUInt64LE(8)),
    db,
    flags,
    commands,
    reason: bytes.toString('utf8', PREFIX_BYTES, framesAt),
    bytes: bytes.subarray(framesAt),
  };
}

function reasonOf(letter: NewDeadLetter): Buffer {
  return Buffer.from(letter.reason).subarray(0, MAX_REASON_BYTES);
}

function sizeOf(letter: NewDeadLetter): number {
  return RECORD_HEADER_BYTES + PREFIX_BYTES + reasonOf(letter).length + letter.bytes.length;
}
