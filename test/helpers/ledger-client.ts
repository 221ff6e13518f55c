/**
 * One client of the ledger: a raw socket that writes marks through the thing under test, strictly one
 * command after the other or pipelined, and enters in its book what it was told. When its socket is
 * lost, what was in flight is `dropped`, and it connects again.
 */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { chooseFrom } from '../conformance/random.js';
import { keyOf } from './ledger-check.js';
import type { LedgerLoad } from './ledger-load.js';
import { machineNow } from './machine-time.js';
import { PLACES, SLOTS, type Book, type MarkKind } from './ledger.js';
import { ReplyScanner } from './reply-scanner.js';

/** What `script` marks run; its caller loads it, for only scripts that the upstream knows can be run by their sha1. */
export const LEDGER_SCRIPT = "return redis.call('RPUSH', KEYS[1], ARGV[1])";
const LEDGER_SCRIPT_SHA = createHash('sha1').update(LEDGER_SCRIPT).digest('hex');

/** What a client does next: a write of a kind, or a read of one of its own values. */
export type Deed = MarkKind | 'read';

/** As often as it is named here, so often it is chosen. */
export const MIXED: readonly Deed[] = [
  ...([
    'push',
    'push',
    'push',
    'push',
    'stream',
    'set',
    'set',
    'field',
    'member',
    'pair',
    'script',
    'read',
  ] as const),
];

/** Less than a person notices, and not all of them at once. */
const RECONNECT_MS = 50;
/** Of a pair: its halves and EXEC. */
const COMMANDS_AFTER_MULTI = 3;

/** A command on its way: what its answer means. */
interface Awaited {
  readonly role: 'greet' | 'write' | 'read' | 'begin' | 'queue' | 'execute';
  readonly n: number;
  readonly frame: string;
  sentAt: number;
}

/** A book, a socket, and what it awaits. The load calls `proceed` when there may be more. */
export class LedgerClient {
  #socket: Socket;
  #scanner = new ReplyScanner();
  /** Connected, and answered to its greeting. */
  #isReady = false;
  #isClosed = false;
  /** Commands of a deed that has begun, not sent yet. */
  #outbox: Awaited[] = [];
  #inFlight: Awaited[] = [];
  #head = 0;
  #reconnect: NodeJS.Timeout | null = null;

  constructor(
    private readonly load: LedgerLoad,
    private readonly book: Book,
    private readonly depth: number,
    /** RESP version. */
    private readonly protocol: 2 | 3,
  ) {
    this.#socket = this.#connect();
  }

  get isIdle(): boolean {
    return this.#awaited === 0 && this.#outbox.length === 0;
  }

  /** Sends as much as its depth and the load's pace allow. */
  proceed(): void {
    if (!this.#isReady) return;
    let text = '';
    while (this.#awaited < this.depth) {
      if (this.#outbox.length === 0) {
        if (!this.load.admits(this)) break;
        this.#begin(chooseFrom(this.load.random, this.load.deeds));
      }
      const next = this.#outbox.shift();
      if (next === undefined) break;
      next.sentAt = machineNow();
      this.#inFlight.push(next);
      text += next.frame;
    }
    if (text !== '') this.#socket.write(text, 'latin1');
  }

  close(): void {
    this.#isClosed = true;
    if (this.#reconnect !== null) clearTimeout(this.#reconnect);
    this.#socket.destroy();
  }

  /** Whether nothing of transaction `n` was sent but its MULTI. */
  #isUnsent(n: number): boolean {
    return this.#outbox.length === COMMANDS_AFTER_MULTI && this.#outbox[0]?.n === n;
  }

  get #awaited(): number {
    return this.#inFlight.length - this.#head;
  }

  #connect(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.load.options.port, noDelay: true });
    this.#scanner = new ReplyScanner();
    socket.once('connect', () => this.#greet());
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => this.#onClose());
    return socket;
  }

  /** Says what each connection says first; nothing else goes out before that is answered. */
  #greet(): void {
    if (this.protocol === 3) this.#add('greet', 0, ['HELLO', '3']);
    if (this.book.db !== 0) this.#add('greet', 0, ['SELECT', String(this.book.db)]);
    const greeting = this.#outbox.splice(0);
    this.#isReady = greeting.length === 0;
    for (const step of greeting) step.sentAt = machineNow();
    this.#inFlight.push(...greeting);
    this.#socket.write(greeting.map(({ frame }) => frame).join(''), 'latin1');
    this.proceed();
  }

  #onClose(): void {
    this.#isReady = false;
    if (this.#isClosed) return;
    // A transaction whose EXEC was never sent has not run and never will.
    const unsent = new Set(this.#outbox.map(({ n }) => n));
    this.#outbox = [];
    for (const { role, n } of this.#inFlight.splice(this.#head)) {
      if (role === 'write' || role === 'execute') this.book.settle(n, 'dropped');
    }
    for (const n of unsent) if (n > 0) this.book.settle(n, 'refused');
    this.#inFlight = [];
    this.#head = 0;
    const waitMs = RECONNECT_MS * (1 + 2 * this.load.random());
    this.#reconnect = setTimeout(() => (this.#socket = this.#connect()), waitMs);
  }

  #onData(chunk: Buffer): void {
    this.#scanner.push(chunk);
    for (let frame = this.#scanner.next(); frame !== null; frame = this.#scanner.next()) {
      const awaited = this.#inFlight[this.#head];
      if (awaited === undefined) throw new Error(`an answer that nobody awaits: ${String(frame)}`);
      this.#head += 1;
      this.#answered(awaited, frame);
    }
    if (this.#head > 1_024 || this.#awaited === 0) {
      this.#inFlight.splice(0, this.#head);
      this.#head = 0;
    }
    this.proceed();
  }

  #answered(awaited: Awaited, frame: Buffer): void {
    this.#judgeTime(awaited, frame);
    const isError = frame[0] === 0x2d;
    if (isError) this.load.ledger.erred(frame.toString('latin1', 0, 80));
    switch (awaited.role) {
      case 'write':
        this.#settle(awaited.n, frame, isError);
        break;
      case 'execute':
        // A nil array (no WATCH was used), an error, or answers that are all errors: nothing was run.
        this.#settle(
          awaited.n,
          frame,
          isError || /^(_|\*-1|\*2\r\n-.*\r\n-)/s.test(frame.toString('latin1', 0, 400)),
        );
        break;
      case 'greet':
        // In another protocol or database than it means to be, it would write to the wrong place.
        if (isError) this.#socket.destroy();
        else this.#isReady ||= this.#awaited === 0;
        break;
      case 'read':
        this.#judgeRead(awaited, frame, isError);
        break;
      case 'begin':
        // Who has sent nothing else of a transaction does not go on with one that was refused.
        if (isError && this.#isUnsent(awaited.n)) {
          this.#outbox = [];
          this.#settle(awaited.n, frame, true);
        }
        break;
      case 'queue':
        break;
      default:
        awaited.role satisfies never;
    }
  }

  #settle(n: number, frame: Buffer, isRefused: boolean): void {
    const { ledger } = this.load;
    if (!isRefused) {
      this.book.settle(n, 'ok');
      this.#judgeType(n, frame);
      return;
    }
    const text = frame.toString('latin1', 0, 200).trimEnd();
    const isUnknown = text.startsWith('-UNKNOWNOUTCOME');
    this.book.settle(n, isUnknown ? 'unknown' : 'refused');
    if (!isUnknown) ledger.refusedWith(text);
  }

  /** Promise T. */
  #judgeTime({ sentAt, frame }: Awaited, reply: Buffer): void {
    const { ledger, options } = this.load;
    const elapsedMs = machineNow() - sentAt;
    ledger.slowestMs = Math.max(ledger.slowestMs, elapsedMs);
    if (elapsedMs <= (options.answerWithinMs ?? Infinity)) return;
    const told = reply.toString('latin1', 0, 80);
    ledger.sighted(
      'late',
      `${JSON.stringify(frame)} → ${JSON.stringify(told)} after ${elapsedMs} ms`,
    );
  }

  /** The reply of a write has the type that Redis gives it. */
  #judgeType(n: number, frame: Buffer): void {
    const type = String.fromCharCode(frame[0] ?? 0);
    const kind = this.book.kindOf(n);
    const expected = { set: '+', stream: '$', pair: '*' } as const;
    if (type === (kind in expected ? expected[kind as keyof typeof expected] : ':')) return;
    this.load.ledger.sighted('wrongType', `${kind} → ${JSON.stringify(frame.toString('latin1'))}`);
  }

  /** Nothing (an empty store answers in an outage), or at least what was acknowledged to this client before. */
  #judgeRead({ n: slot, frame }: Awaited, reply: Buffer, isError: boolean): void {
    const value = Number(/^\$\d+\r\n(\d+)/.exec(reply.toString('latin1'))?.[1] ?? Number.NaN);
    const acknowledged = this.book.acknowledgedSet(slot);
    if (
      isError ||
      Number.isNaN(value) ||
      value >= acknowledged ||
      acknowledged <= this.book.lossFloor
    )
      return;
    const what = `${JSON.stringify(frame)} → ${value}, but ${acknowledged} was acknowledged before`;
    this.load.ledger.sighted('stale', what);
  }

  #begin(deed: Deed): void {
    const { random } = this.load;
    const { client } = this.book;
    if (deed === 'read') {
      const slot = Math.floor(random() * SLOTS);
      this.#add('read', slot, ['GET', `S:${client}:${slot}`]);
      return;
    }
    const n = this.book.begin(deed, Math.floor(random() * (deed === 'set' ? SLOTS : PLACES)));
    const key = keyOf(this.book, n);
    const mark = `${client}:${n}`;
    switch (deed) {
      case 'push':
        return this.#add('write', n, ['RPUSH', key, mark]);
      case 'stream':
        return this.#add('write', n, ['XADD', key, '*', 'm', mark]);
      case 'set':
        return this.#add('write', n, ['SET', key, String(n)]);
      case 'field':
        return this.#add('write', n, ['HSET', key, mark, '1']);
      case 'member':
        return this.#add('write', n, ['SADD', key, mark]);
      case 'script':
        return this.#add('write', n, ['EVALSHA', LEDGER_SCRIPT_SHA, '1', key, mark]);
      case 'pair':
        this.#add('begin', n, ['MULTI']);
        this.#add('queue', n, ['RPUSH', `${key}:a`, mark]);
        this.#add('queue', n, ['RPUSH', `${key}:b`, mark]);
        return this.#add('execute', n, ['EXEC']);
      default:
        deed satisfies never;
    }
  }

  #add(role: Awaited['role'], n: number, args: readonly string[]): void {
    let frame = `*${args.length}\r\n`;
    for (const arg of args) frame += `$${arg.length}\r\n${arg}\r\n`;
    this.#outbox.push({ role, n, frame, sentAt: 0 });
  }
}
