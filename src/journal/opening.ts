/**
 * How a journal is opened: the directory is taken, what an earlier run left is repaired, and the numbers go on where no
 * earlier run can have been.
 */
import { randomHex, randomWord } from './chance.js';
import type { Logger } from '../base/logger.js';
import { DeadLetters } from './dead-letters.js';
import type { JournalFiles, JournalLock } from './files.js';
import { JournalProblem } from './problem.js';
import type { JournalMarks } from './record.js';
import { repair, type Finding } from './repair.js';
import { segmentNumber } from './segment.js';
import { RESERVED_SEQS, Segments } from './segments.js';

export interface OpeningOptions {
  readonly files: JournalFiles;
  readonly maxBytes: number;
  readonly logger: Logger;
  readonly random: () => number;
  readonly clock: { wallMs(): number };
}

/** A directory that is ours, with its segments in order and none that may be written to yet. */
export interface OpenedJournal {
  readonly lock: JournalLock;
  readonly segments: Segments;
  readonly deadLetters: DeadLetters;
  readonly marks: JournalMarks;
  readonly findings: readonly Finding[];
  /** The next record's. */
  readonly nextSeq: number;
  /** Of the last record that is there; 0 when there is none. */
  readonly lastSeq: number;
  readonly releasedSeq: number;
}

/** Rejects with an Error for people; the directory is free then. */
export async function openJournal(options: OpeningOptions): Promise<OpenedJournal> {
  const { files } = options;
  try {
    await files.prepare();
  } catch (error) {
    throw forPeople(`the journal directory ${files.description} cannot be made`, error);
  }
  const lock = await files.lock();
  try {
    return await readDirectory(options, lock);
  } catch (error) {
    lock.release();
    throw forPeople(`the journal in ${files.description} cannot be opened`, error);
  }
}

async function readDirectory(
  { files, maxBytes, logger, random, clock }: OpeningOptions,
  lock: JournalLock,
): Promise<OpenedJournal> {
  const remains = await repair(files, logger);
  const headers = remains.segments.map(({ header }) => header);
  const first = headers[0];
  const id = first?.id ?? randomHex(random, 16);
  const marks = {
    mark: first?.mark ?? randomWord(random),
    crcSeed: first?.crcSeed ?? randomWord(random),
  };
  const told = new Set<string>();
  const segments = new Segments(files, id, marks, (segment, at, end) => {
    const place = `${segment.name}:${at}`;
    if (told.has(place) || remains.findings.some((each) => place === `${each.file}:${each.at}`))
      return;
    told.add(place);
    logger.error('journal: damaged records will not be replayed', {
      ...{ file: segment.name, at, bytes: end - at },
    });
  });
  for (const segment of remains.segments) segments.adopt(segment);
  for (const number of remains.unreadable) segments.skipNumbers(number);
  const deadLetters = new DeadLetters(
    { files, id, marks, maxBytes, wallMs: () => clock.wallMs() },
    (at, bytes) => logger.error('journal: a dead letter cannot be read any more', { at, bytes }),
  );
  const reserved = Math.max(0, ...headers.map((header) => header.reservedThroughSeq));
  return {
    lock,
    segments,
    deadLetters,
    marks,
    findings: remains.findings,
    nextSeq: reserved + remains.unreadable.length * RESERVED_SEQS + 1,
    lastSeq: remains.segments.findLast(({ records }) => records > 0)?.lastSeq ?? 0,
    releasedSeq: remains.releasedSeq,
  };
}

/**
 * The lock again, after the directory was removed under us: made anew and taken. The lock that is still held comes back
 * as it is. Rejects with a JournalProblem when somebody else is there now.
 */
export async function retake(
  files: JournalFiles,
  lock: JournalLock,
  segments: Segments,
): Promise<JournalLock> {
  if (lock.isHeld()) return lock;
  await files.prepare();
  const taken = await files.lock().catch((error: unknown) => {
    throw new JournalProblem('directory-taken', messageOf(error), 'refused', error);
  });
  const ours = new Map(segments.all.map((segment) => [segment.name, segment]));
  const isForeign = (name: string): boolean => {
    const own = ours.get(name);
    return own === undefined || !segments.fileOf(own).isLinked();
  };
  if (files.list().some((name) => segmentNumber(name) !== null && isForeign(name))) {
    taken.release();
    throw new JournalProblem(
      'directory-taken',
      "the journal's directory holds another journal now: restart to read that one",
    );
  }
  lock.release();
  return taken;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function forPeople(what: string, cause: unknown): Error {
  return new Error(`${what}: ${messageOf(cause)}`, { cause });
}
