/**
 * One client's replies while its writes are journaled: what the outage store answers waits here until the journal has the
 * write (I3), and whatever the client asked behind it waits its turn (I1). Empty whenever nothing is being journaled;
 * plain reads go past it then.
 *
 *   expected   [write SET] [2 reads] [write LPUSH]      what the store still owes, in order
 *   held       [+OK, at the journal] [$1 a] [$1 b]      what it has answered and the client may not see yet
 */
import { journalForm, NEEDS_JOURNAL_FORM } from '../command/journal-form.js';
import { keysOf } from '../command/keys.js';
import { JournalProblem } from '../journal/problem.js';
import { TRANSACTION } from '../journal/record.js';
import type { Depositor, JournalDesk, Keys } from '../outage/journal-desk.js';
import { ReplyFramer } from '../resp/reply-framer.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { unavailableBecause, unknownOutcome } from './errors.js';

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

interface Expected {
  /** Replies. */
  count: number;
  readonly deposit: Deposit | null;
}

interface Held {
  reply: Buffer;
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
    if (last !== undefined && last.deposit === null) last.count += count;
    else this.expected.push({ count, deposit: null });
  }

  /** The next reply of the store is that of a write. */
  expectWrite(deposit: Deposit): void {
    this.options.desk.enter(deposit.bytes);
    this.expected.push({ count: 1, deposit });
  }

  receive(chunk: Buffer, start: number, end: number): void {
    for (let pos = start; pos < end;) {
      const next = this.framer.scan(chunk, pos, end, 1);
      const isWhole = this.framer.completed === 1;
      // The chunk will be filled anew.
      this.partial.push(Buffer.from(chunk.subarray(pos, next)));
      if (isWhole) this.answered(this.takePartial());
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

  settled(problem: Error | null): void {
    const held = this.atJournal.shift()!;
    held.isAtJournal = false;
    if (problem !== null) held.reply = notJournaled(problem);
  }

  release(): void {
    const { held } = this;
    let count = 0;
    while (count < held.length && !held[count]!.isAtJournal) count += 1;
    if (count === 0) return;
    this.held = held.slice(count);
    for (let index = 0; index < count; index += 1) {
      const { reply } = held[index]!;
      this.options.owner.receive(reply, 0, reply.length, 1);
    }
  }

  private takePartial(): Buffer {
    const { partial } = this;
    this.partial = [];
    return partial.length === 1 ? partial[0]! : Buffer.concat(partial);
  }

  private answered(reply: Buffer): void {
    const head = this.expected[0]!;
    head.count -= 1;
    if (head.count === 0) this.expected.shift();
    const held: Held = { reply, isAtJournal: false };
    this.held.push(held);
    if (head.deposit !== null) this.deposit(head.deposit, held);
  }

  /** Where the store answered an error nothing is journaled, and the error is the answer. */
  private deposit(deposit: Deposit, held: Held): void {
    const { desk } = this.options;
    if (saysNoMemory(held.reply)) this.options.onStoreFull();
    const writes = isRefusal(held.reply) ? [] : writesOf(deposit, held.reply);
    if (writes.length === 0) return desk.leave(deposit.bytes);
    const wallMs = this.options.wallMs();
    const frames = writes.map(([{ id, frame, args }, reply]) =>
      NEEDS_JOURNAL_FORM[id] === 1 ? journalForm(id, frame, args, reply, wallMs) : frame,
    );
    const record = {
      db: deposit.db,
      flags: deposit.queued === null ? 0 : TRANSACTION,
      commands: frames.length,
      bytes: frames.length === 1 ? frames[0]! : Buffer.concat(frames),
    };
    try {
      desk.append(this, deposit.bytes, record, keysOfAll(writes.map(([write]) => write)));
      held.isAtJournal = true;
      this.atJournal.push(held);
    } catch (problem) {
      held.reply = unavailableBecause((problem as Error).message);
    }
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
      if (head.count > 0) return;
      if (head.deposit !== null) this.options.desk.leave(head.deposit.bytes);
      this.expected.shift();
    }
  }
}

/** Where a later run may find it in the journal after all, nobody may say that it was not taken. */
function notJournaled(problem: Error): Buffer {
  const isUnknown = problem instanceof JournalProblem && problem.outcome === 'unknown';
  return isUnknown ? unknownOutcome(problem) : unavailableBecause(problem.message);
}

function saysNoMemory(reply: Buffer): boolean {
  return reply.toString('latin1', 0, 4) === '-OOM';
}

function isRefusal(reply: Buffer): boolean {
  const isError = reply[0] === 0x2d || reply[0] === 0x21; // '-' '!'
  return isError || (reply.length <= 5 && NULL_REPLIES.has(reply.toString('latin1')));
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
