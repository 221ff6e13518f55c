/**
 * One client's replies while its writes are journaled: what the outage store answers waits here until the journal has the
 * write (I3), and whatever the client asked behind it waits its turn (I1). Empty whenever nothing is being journaled;
 * plain reads go past it then.
 *
 *   expected   [write SET EX] [2 reads] [run SET, GET, LPUSH]   what the store still owes, in order
 *   held       [+OK, at the journal] [$1 a] [$1 b]              what it has answered and the client may not see yet
 */
import { journalForm, NEEDS_JOURNAL_FORM } from '../command/journal-form.js';
import { keysOf } from '../command/keys.js';
import { JournalProblem } from '../journal/problem.js';
import { TRANSACTION } from '../journal/record.js';
import { roomFor, type Depositor, type JournalDesk, type Keys } from '../outage/journal-desk.js';
import { ERROR_TYPE, INTEGER_TYPE, ReplyFramer } from '../resp/reply-framer.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { unavailableBecause, unknownOutcome } from './errors.js';
import { WriteRun, type Writes } from './write-run.js';

/** A command as the journal will have it. */
export interface Write {
  readonly id: number;
  readonly frame: Buffer;
  readonly args: readonly Buffer[];
}

/** What the client wants written, in database `db`: one command, or the writes of a transaction by their place in it. */
export interface Deposit {
  readonly db: number;
  readonly bytes: number;
  readonly write: Write | null;
  /** Of a transaction: what EXEC's reply has at the same place; null where nothing is written. */
  readonly queued: readonly (Write | null)[] | null;
}

/** Replies to come: to a deposit, to a run with plain writes in it, or (null) to what writes nothing. */
interface Expected {
  count: number;
  readonly to: Deposit | WriteRun | null;
}

/** A reply: `bytes[start, end)`. */
interface Held {
  bytes: Buffer;
  start: number;
  end: number;
  isAtJournal: boolean;
}

export interface BufferedRepliesOptions {
  readonly desk: JournalDesk;
  /** What relative expiries are made absolute by. */
  readonly wallMs: () => number;
  readonly owner: ReplyReceiver;
  /** The store has no memory left for a write. */
  readonly onStoreFull: () => void;
}

const NULL_REPLIES = new Set(['*-1\r\n', '_\r\n', '$-1\r\n']);
/** So much of a reply tells whether it is one of these, or that the store has no memory. */
const SIGNIFICANT_BYTES = 6;
const PLUS = 0x2b;
const BULK_ERROR = 0x21; // '!'

export class BufferedReplies implements ReplyReceiver, Depositor {
  private expected: Expected[] = [];
  private held: Held[] = [];
  private atJournal: Held[] = [];
  private framer = new ReplyFramer();
  private partial: Buffer[] = [];

  constructor(private readonly options: BufferedRepliesOptions) {}

  /** Nothing waits here: the next reply may go to the client directly. */
  get isEmpty(): boolean {
    return this.expected.length === 0 && this.held.length === 0;
  }

  /** The next `count` replies of the store are to be passed on in their turn. */
  expect(count: number): void {
    const last = this.expected.at(-1);
    if (last?.to === null) last.count += count;
    else this.expected.push({ count, to: null });
  }

  /** The next `count` replies of the store are those of `run`, which has these writes in it. */
  expectRun(run: WriteRun, count: number, writes: Writes): void {
    this.options.desk.enter(roomFor(writes.bytes, writes.count), writes.count);
    this.expected.push({ count, to: run });
  }

  /** The next reply of the store is that of a write. */
  expectWrite(deposit: Deposit): void {
    this.options.desk.enter(deposit.bytes);
    this.expected.push({ count: 1, to: deposit });
  }

  receive(chunk: Buffer, start: number, end: number): void {
    // The chunk will be filled anew.
    const bytes = Buffer.from(chunk.subarray(start, end));
    for (let pos = 0; pos < bytes.length;) {
      const next = this.framer.scan(bytes, pos, bytes.length, 1);
      if (this.framer.completed === 0) this.partial.push(bytes.subarray(pos, next));
      else if (this.partial.length === 0) this.answered(bytes, pos, next);
      else this.answeredInParts(bytes.subarray(pos, next));
      pos = next;
    }
    this.release();
  }

  /** Of a reply that has come in part the client has seen nothing. */
  lose(count: number, _midReply: boolean, cause: Error, requests: Buffer | null): void {
    this.forget(count);
    this.options.owner.lose(count, false, cause, requests);
  }
  refuse(count: number, cause: Error, requests: Buffer | null): void {
    this.forget(count);
    this.options.owner.refuse(count, cause, requests);
  }

  /** The client is gone, and its connection to the store with it: what it was to bring will not come. */
  abandon(): void {
    this.forget(this.expected.reduce((sum, { count }) => sum + count, 0));
  }

  settled(count: number, problem: Error | null): void {
    for (const held of this.atJournal.splice(0, count)) {
      held.isAtJournal = false;
      if (problem !== null) replace(held, notJournaled(problem));
    }
  }

  release(): void {
    const { held } = this;
    let count = 0;
    while (count < held.length && !held[count]!.isAtJournal) count += 1;
    if (count === 0) return;
    this.held = held.slice(count);
    for (let index = 0; index < count;) {
      const { bytes, start } = held[index]!;
      const next = endOfNeighbours(held, index, count);
      this.options.owner.receive(bytes, start, held[next - 1]!.end, next - index);
      index = next;
    }
  }

  private answeredInParts(last: Buffer): void {
    const reply = Buffer.concat([...this.partial, last]);
    this.partial = [];
    this.answered(reply, 0, reply.length);
  }

  private answered(bytes: Buffer, start: number, end: number): void {
    const head = this.expected[0]!;
    head.count -= 1;
    if (head.count === 0) this.expected.shift();
    const held: Held = { bytes, start, end, isAtJournal: false };
    this.held.push(held);
    if (head.to instanceof WriteRun) this.depositNext(head.to, held);
    else if (head.to !== null) this.deposit(head.to, held);
  }

  /** The next command of the run was answered. */
  private depositNext(run: WriteRun, held: Held): void {
    if (!run.next()) return;
    const entered = roomFor(run.end - run.start, 1);
    if (this.isRefused(held)) return this.options.desk.leave(entered);
    this.handIn(held, () => this.options.desk.appendPlain(this, entered, run));
  }

  /** Where the store answered an error nothing is journaled, and the error is the answer. */
  private isRefused({ bytes, start, end }: Held): boolean {
    const type = bytes[start];
    if (type === PLUS || type === INTEGER_TYPE) return false;
    const reply = bytes.toString('latin1', start, Math.min(end, start + SIGNIFICANT_BYTES));
    if (reply.startsWith('-OOM')) this.options.onStoreFull();
    return type === ERROR_TYPE || type === BULK_ERROR || NULL_REPLIES.has(reply);
  }

  private handIn(held: Held, append: () => void): void {
    try {
      append();
      held.isAtJournal = true;
      this.atJournal.push(held);
    } catch (problem) {
      replace(held, unavailableBecause((problem as Error).message));
    }
  }

  private deposit(deposit: Deposit, held: Held): void {
    const { desk } = this.options;
    const reply = held.bytes.subarray(held.start, held.end);
    const writes = this.isRefused(held) ? [] : writesOf(deposit, reply);
    if (writes.length === 0) return desk.leave(deposit.bytes);
    const wallMs = this.options.wallMs();
    const frames = writes.map(([{ id, frame, args }, answer]) =>
      NEEDS_JOURNAL_FORM[id] === 1 ? journalForm(id, frame, args, answer, wallMs) : frame,
    );
    const record = {
      db: deposit.db,
      flags: deposit.queued === null ? 0 : TRANSACTION,
      commands: frames.length,
      bytes: frames.length === 1 ? frames[0]! : Buffer.concat(frames),
    };
    const keys = keysOfAll(writes.map(([write]) => write));
    this.handIn(held, () => desk.append(this, deposit.bytes, record, keys));
  }

  /** The connection to the store is gone, and with it what the next `count` replies would have been. */
  private forget(count: number): void {
    this.partial = [];
    this.framer = new ReplyFramer();
    for (let left = count; left > 0;) {
      const head = this.expected[0]!;
      const gone = Math.min(left, head.count);
      head.count -= gone;
      left -= gone;
      if (head.to instanceof WriteRun) this.forgetNext(head.to, gone);
      else if (head.to !== null) this.options.desk.leave(head.to.bytes);
      if (head.count > 0) return;
      this.expected.shift();
    }
  }

  private forgetNext(run: WriteRun, count: number): void {
    for (let left = count; left > 0; left -= 1)
      if (run.next()) this.options.desk.leave(roomFor(run.end - run.start, 1));
  }
}

/** Where a later run may find it in the journal after all, nobody may say that it was not taken. */
function notJournaled(problem: Error): Buffer {
  const isUnknown = problem instanceof JournalProblem && problem.outcome === 'unknown';
  return isUnknown ? unknownOutcome(problem) : unavailableBecause(problem.message);
}

function replace(held: Held, reply: Buffer): void {
  held.bytes = reply;
  held.start = 0;
  held.end = reply.length;
}

/** Behind the replies from `index` on that stand side by side. An error is told by itself: it may be untrue. */
function endOfNeighbours(held: readonly Held[], index: number, end: number): number {
  const { bytes, start } = held[index]!;
  let next = index + 1;
  if (bytes[start] === ERROR_TYPE) return next;
  for (; next < end; next += 1) {
    const one = held[next]!;
    const isNeighbour = one.bytes === bytes && one.start === held[next - 1]!.end;
    if (!isNeighbour || bytes[one.start] === ERROR_TYPE) break;
  }
  return next;
}

/** The writes that took effect, each with the store's reply to it. */
function writesOf({ write, queued }: Deposit, reply: Buffer): [Write, Buffer][] {
  if (write !== null) return [[write, reply]];
  const elements = elementsOf(reply);
  return queued!.flatMap((one, index) => {
    const element = elements[index]!;
    return one === null || element[0] === 0x2d ? [] : [[one, element] as [Write, Buffer]];
  });
}

/** The elements of an array reply, as views of it. */
function elementsOf(reply: Buffer): Buffer[] {
  const framer = new ReplyFramer();
  const elements: Buffer[] = [];
  for (let pos = reply.indexOf('\r\n') + 2; pos < reply.length;) {
    const end = framer.scanFrame(reply, pos, reply.length);
    elements.push(reply.subarray(pos, end));
    pos = end;
  }
  return elements;
}

function keysOfAll(writes: readonly Write[]): Keys {
  const keys: Buffer[] = [];
  for (const { id, args } of writes) {
    const named = keysOf(id, args);
    if (named === null) return null;
    keys.push(...named);
  }
  return keys;
}
