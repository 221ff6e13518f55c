/**
 * `respool journal`: looks into a journal directory, with or without a sidecar that is using it, and settles its dead
 * letters. Looking changes nothing and needs no lock; `retry` and `drop` take the directory and refuse while a sidecar
 * has it.
 */
import { randomInt } from 'node:crypto';
import { plural } from '../base/figures.js';
import { createLogger } from '../base/logger.js';
import type { DeadLetter } from '../journal/dead-letters.js';
import { diskFiles } from '../journal/disk-files.js';
import { Journal } from '../journal/journal.js';
import { isLocked } from '../journal/lock.js';
import { JournalReader } from '../journal/reader.js';
import { TRANSACTION } from '../journal/record.js';
import { encodeCommand } from '../resp/encoder.js';
import { alignColumns } from './columns.js';
import type { CliHost } from './host.js';
import type { JournalRequest } from './journal-arguments.js';
import { describeFrames } from './journal-text.js';

/** The part of the process that this command needs. */
type JournalHost = Pick<CliHost, 'stdout' | 'stderr' | 'clock' | 'enterAsOwner'>;

/** What to do, and in which directory. */
interface JournalTask extends JournalRequest {
  readonly directory: string;
}

/** Exits 0 when it was done, 1 when not. */
export async function journal(host: JournalHost, request: JournalTask): Promise<number> {
  try {
    switch (request.action) {
      case 'ls':
        return await list(host, request);
      case 'show':
        return show(host, request);
      case 'export':
        return exportRecords(host, request);
      case 'dead-letters':
        return showDeadLetters(host, request);
      case 'retry':
      case 'drop':
        return await settleDeadLetters(host, request);
    }
  } catch (error) {
    host.stderr.write(`respool: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function list(host: JournalHost, { directory }: JournalTask): Promise<number> {
  const files = diskFiles(directory);
  const reader = JournalReader.open(files);
  const segments = reader.segments();
  const letters = [...reader.deadLetters()].length;
  const copies = files.list().filter((name) => name.endsWith('.bytes'));
  const running = (await isLocked(directory)) ? 'a sidecar is running on it' : 'nobody is using it';
  const sum = (pick: (segment: (typeof segments)[number]) => number): number =>
    segments.reduce((total, segment) => total + pick(segment), 0);
  host.stdout.write(`journal ${reader.id} in ${directory}, ${running}\n\n`);
  host.stdout.write(
    alignColumns([
      ['segment', 'made', 'records', 'pending', 'bytes', 'seq', ''],
      ...segments.map((each) => [
        ...[each.name, isoTime(each.createdWallMs), String(each.records)],
        ...[String(each.pendingRecords), String(each.bytes)],
        each.firstSeq === null ? '–' : `${each.firstSeq}–${each.lastSeq}`,
        each.badBytes === 0 ? '' : `${each.badBytes} bytes cannot be read`,
      ]),
    ]),
  );
  host.stdout.write(
    `\n${plural(
      sum((each) => each.pendingRecords),
      'record',
    )} pending as far as these files tell ` +
      `(the cursor in Redis may be further), ${plural(letters, 'dead letter')}\n`,
  );
  for (const name of copies) host.stdout.write(`copy of a bad place: ${name}\n`);
  return 0;
}

function show(host: JournalHost, { directory, afterSeq, limit }: JournalTask): number {
  const reader = JournalReader.open(diskFiles(directory));
  let shown = 0;
  for (const record of reader.records(afterSeq ?? reader.releasedSeq)) {
    if (shown === limit) {
      host.stdout.write(`more: --limit ${limit * 10}, or --after ${record.seq - 1}\n`);
      break;
    }
    shown += 1;
    const head = `${record.seq}  ${isoTime(record.wallMs)}  db ${record.db}  `;
    host.stdout.write(withLines(head, describeFrames(record)));
  }
  return 0;
}

function exportRecords(host: JournalHost, { directory, afterSeq }: JournalTask): number {
  const reader = JournalReader.open(diskFiles(directory));
  let db: number | null = null;
  for (const record of reader.records(afterSeq ?? reader.releasedSeq)) {
    if (record.db !== db) host.stdout.write(encodeCommand(['SELECT', record.db]));
    db = record.db;
    const isTransaction = (record.flags & TRANSACTION) !== 0;
    host.stdout.write(isTransaction ? Buffer.concat([MULTI, record.bytes, EXEC]) : record.bytes);
  }
  return 0;
}

const MULTI = encodeCommand(['MULTI']);
const EXEC = encodeCommand(['EXEC']);

function showDeadLetters(host: JournalHost, { directory, limit }: JournalTask): number {
  let shown = 0;
  for (const letter of JournalReader.open(diskFiles(directory)).deadLetters()) {
    if (shown === limit) {
      host.stdout.write(`more: --limit ${limit * 10}\n`);
      break;
    }
    shown += 1;
    host.stdout.write(`${letter.id}  ${isoTime(letter.diedWallMs)}  ${letter.reason}\n`);
    const head = `   accepted ${isoTime(letter.wallMs)} as record ${letter.seq}, db ${letter.db}: `;
    host.stdout.write(withLines(head, describeFrames(letter)));
  }
  if (shown === 0) host.stdout.write('no dead letters\n');
  return 0;
}

async function settleDeadLetters(host: JournalHost, request: JournalTask): Promise<number> {
  const { action, directory } = request;
  // Nothing is made where there is no journal.
  JournalReader.open(diskFiles(directory));
  if (await isLocked(directory)) {
    throw new Error(
      `a sidecar is running on ${directory}: ${action} needs it stopped (ls, show, export and dead-letters do not)`,
    );
  }
  const owner = await openJournal(host, directory);
  try {
    const letters = chosen(owner.journal.deadLetters.list(Infinity), request.ids);
    refuseThoseOfPendingRecords(letters, owner.journal.releasedSeq);
    if (action === 'retry') await owner.append(letters);
    const ids = new Set(letters.map(({ id }) => id));
    const removed = ids.size === 0 ? 0 : await owner.journal.deadLetters.remove(ids);
    const done = action === 'retry' ? 'at the end of the journal again' : 'dropped';
    host.stdout.write(`${plural(removed, 'dead letter')} ${done}\n`);
    return 0;
  } finally {
    await owner.journal.close();
  }
}

/**
 * While replay has not gone past its record, it is the letter that keeps the record from being sent again. Throws an Error
 * for people.
 */
function refuseThoseOfPendingRecords(letters: readonly DeadLetter[], releasedSeq: number): void {
  const ids = letters.filter(({ seq }) => seq > releasedSeq).map(({ id }) => id);
  if (ids.length === 0) return;
  throw new Error(
    `replay has not gone past dead letter ${ids.slice(0, 10).join(', ')} yet: start the sidecar, let it empty the journal, ` +
      'and try again; nothing was changed',
  );
}

/** The letters that are meant. Throws an Error for people when there is no such letter. */
function chosen(letters: readonly DeadLetter[], ids: readonly string[]): readonly DeadLetter[] {
  if (ids.includes('all')) return letters;
  const wanted = new Set(ids.map(Number));
  const found = letters.filter(({ id }) => wanted.delete(id));
  if (wanted.size > 0)
    throw new Error(`there is no dead letter ${[...wanted].join(', ')}; nothing was changed`);
  return found;
}

/** The journal, and a way to append that waits until it is on the disk. */
async function openJournal(
  { stderr, clock, enterAsOwner }: JournalHost,
  directory: string,
): Promise<{ journal: Journal; append: (letters: readonly DeadLetter[]) => Promise<void> }> {
  let settled: (problem: Error | null) => void = () => {};
  const write = (line: string): void => stderr.write(line);
  const opened = await Journal.open({
    // A file of root's would keep a sidecar that is another user's from starting.
    files: { ...diskFiles(enterAsOwner(directory)), description: directory },
    fsync: 'always',
    // A person asked for it: the bounds are the running sidecar's.
    maxBytes: Number.MAX_SAFE_INTEGER,
    segmentBytes: 8 * 1024 * 1024,
    clock,
    logger: createLogger({ level: 'warn', format: 'pretty', write, wallMs: () => clock.wallMs() }),
    random: () => randomInt(2 ** 32) / 2 ** 32,
    onSettled: (_throughSeq, problem) => settled(problem),
  });
  const append = async (letters: readonly DeadLetter[]): Promise<void> => {
    for (const { db, flags, commands, bytes } of letters) {
      const problem = await new Promise<Error | null>((resolve) => {
        settled = resolve;
        opened.append(db, flags, commands, bytes);
      });
      if (problem !== null) throw problem;
    }
  };
  return { journal: opened, append };
}

/** The first line behind `head`, the others below it. */
function withLines(head: string, lines: readonly string[]): string {
  const indent = ' '.repeat(head.length);
  return lines.map((line, index) => (index === 0 ? head : indent) + line + '\n').join('');
}

function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
