/**
 * The load of outage tests: the ledger's clients together, their pace, and when to stop.
 *
 *   LedgerLoad ── how many, how fast, until when
 *      └─ LedgerClient × n ── a socket, a book, the commands in flight
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom, type Random } from '../conformance/random.js';
import { eventually } from './eventually.js';
import { LedgerClient, MIXED, type Deed } from './ledger-client.js';
import type { Ledger } from './ledger.js';

export interface LoadOptions {
  readonly port: number;
  /** How many clients wait for each answer before the next command, and how many pipeline `depth` deep. */
  readonly sequential: number;
  readonly pipelined: number;
  readonly depth?: number;
  /** Writes and reads per second of all together; without it as fast as they are answered. */
  readonly perSecond?: number;
  readonly deeds?: readonly Deed[];
  /** Some clients speak RESP3, and some work in another database. */
  readonly isVaried?: boolean;
  readonly seed?: number;
  /** Promise T, in machine time: an answer that takes longer is a fault. Without it none is. */
  readonly answerWithinMs?: number;
  /** Throws when what is under test has ended: there is nothing to wait for then. */
  readonly assertAlive?: () => void;
}

const TICK_MS = 5;
const OTHER_DB = 5;

/** Sends until it is told to stop. */
export class LedgerLoad {
  isSending = true;
  readonly random: Random;
  readonly deeds: readonly Deed[];
  readonly #clients: LedgerClient[];
  #waiting: LedgerClient[] = [];
  #allowance = 0;
  #tickedAt = performance.now();
  readonly #timer = setInterval(() => this.#tick(), TICK_MS);

  constructor(
    readonly ledger: Ledger,
    readonly options: LoadOptions,
  ) {
    this.random = seededRandom(options.seed ?? 1);
    this.deeds = options.deeds ?? MIXED;
    const { sequential, pipelined, depth = 16, isVaried = false } = options;
    this.#clients = Array.from({ length: sequential + pipelined }, (_, index) => {
      const isOdd = (of: number): boolean => isVaried && index % of === of - 1;
      const book = ledger.open(isOdd(4) ? OTHER_DB : 0);
      return new LedgerClient(this, book, index < sequential ? 1 : depth, isOdd(3) ? 3 : 2);
    });
  }

  /** Writes that were sent and not yet answered. */
  get inFlight(): number {
    return this.ledger.counts.open;
  }

  /** Resolves when so many writes are acknowledged in all. */
  async untilAcknowledged(count: number, withinMs = 60_000): Promise<void> {
    const { assertAlive = () => undefined } = this.options;
    const deadline = performance.now() + withinMs;
    while (this.ledger.counts.ok < count) {
      assertAlive();
      const { counts, refusals } = this.ledger;
      const state = JSON.stringify({ ...counts, refusals: [...refusals] });
      const late = `only ${counts.ok} of ${count} writes are acknowledged: ${state}`;
      assert.ok(performance.now() < deadline, late);
      await pause(5);
    }
  }

  /** Resolves when `count` more are acknowledged than now. */
  untilMore(count: number, withinMs?: number): Promise<void> {
    return this.untilAcknowledged(this.ledger.counts.ok + count, withinMs);
  }

  /** Resolves when writes are in flight, and what was answered has been read: nothing came between two looks. */
  async untilStill(): Promise<void> {
    let answered = -1;
    const isStill = (): boolean => {
      const { open, ok } = this.ledger.counts;
      const isSame = open > 0 && ok === answered;
      answered = ok;
      return isSame;
    };
    await eventually('writes wait for an answer', isStill, { everyMs: 50 });
  }

  /** No more commands; resolves when all are answered. What is not within the time stays open, and is hung. */
  async finish(withinMs = 60_000): Promise<void> {
    this.isSending = false;
    const isAnswered = (): boolean => this.#clients.every(({ isIdle }) => isIdle);
    await eventually('everything is answered', isAnswered, { withinMs }).catch(() => undefined);
    this.close();
  }

  /** Ends it, whatever is in flight. */
  close(): void {
    this.isSending = false;
    clearInterval(this.#timer);
    for (const client of this.#clients) client.close();
  }

  /** For clients: may another deed begin now? If not, the client is called when it may. */
  admits(client: LedgerClient): boolean {
    if (!this.isSending) return false;
    if (this.options.perSecond === undefined) return true;
    if (this.#allowance >= 1) {
      this.#allowance -= 1;
      return true;
    }
    if (!this.#waiting.includes(client)) this.#waiting.push(client);
    return false;
  }

  #tick(): void {
    const now = performance.now();
    const elapsedMs = now - this.#tickedAt;
    this.#tickedAt = now;
    const { perSecond } = this.options;
    if (perSecond === undefined) return;
    // Not more than a tenth of a second's worth at a time: what was held up is not made good in a burst.
    this.#allowance = Math.min(
      this.#allowance + (perSecond * elapsedMs) / 1_000,
      perSecond / 10 + 1,
    );
    for (const client of this.#waiting.splice(0)) client.proceed();
  }
}
