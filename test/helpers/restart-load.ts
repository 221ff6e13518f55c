/**
 * Loads of the rolling restart: applications that write with a real client and its ordinary settings for reconnecting,
 * and note in the ledger what their calls told them. An error that reaches the application is kept in words; the client's
 * own reconnecting is none.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { ManagedProcess, type Cleanup } from './child-process.js';
import { PLACES, type Book, type Ledger } from './ledger.js';
import { projectRoot } from './project.js';
import { redisPyInterpreter } from './redis-py.js';

const IN_PIPELINE = 8;

/** Writes until it is finished. */
export interface RestartLoad {
  readonly name: string;
  /** What reached the application, since it was last emptied. */
  readonly errors: string[];
  /** Writes whose calls succeeded. */
  readonly acknowledged: number;
  /** Stops after the writes at hand. */
  finish(): Promise<void>;
}

/** What all of one load's writes have in common: they are marks, settled together. */
class Writes {
  readonly errors: string[] = [];
  acknowledged = 0;

  constructor(private readonly ledger: Ledger) {}

  open(): Book {
    return this.ledger.open();
  }

  /** The next `count` marks of `book`. */
  begin(book: Book, count: number): number[] {
    return Array.from({ length: count }, () => book.begin('push', (book.count + 1) % PLACES));
  }

  settle(book: Book, marks: readonly number[], error: string | null): void {
    for (const n of marks) book.settle(n, error === null ? 'ok' : 'unknown');
    if (error === null) this.acknowledged += marks.length;
    else this.errors.push(error);
  }
}

/** ioredis with its defaults: one client writes one by one, one in pipelines, one in transactions. */
export class IoredisLoad implements RestartLoad {
  readonly name = 'ioredis';
  private readonly writes: Writes;
  private readonly clients: Redis[] = [];
  private readonly loops: Promise<void>[] = [];
  private isFinished = false;

  constructor(t: Cleanup, ledger: Ledger, port: number) {
    this.writes = new Writes(ledger);
    for (const say of [single, pipelined, inTransaction]) {
      const client = new Redis({ host: '127.0.0.1', port });
      // Reconnecting announces itself here; without a listener ioredis prints it.
      client.on('error', () => undefined);
      this.clients.push(client);
      this.loops.push(this.live(client, this.writes.open(), say));
    }
    t?.after(() => this.clients.forEach((client) => client.disconnect()));
  }

  get errors(): string[] {
    return this.writes.errors;
  }
  get acknowledged(): number {
    return this.writes.acknowledged;
  }

  async finish(): Promise<void> {
    this.isFinished = true;
    await Promise.all(this.loops);
    this.clients.forEach((client) => client.disconnect());
  }

  private async live(client: Redis, book: Book, say: Say): Promise<void> {
    while (!this.isFinished) {
      const marks = this.writes.begin(book, say === single ? 1 : IN_PIPELINE);
      const problem = await say(client, book, marks).catch((error: Error) => error);
      this.writes.settle(book, marks, problem === null ? null : String(problem));
    }
  }
}

/** Writes marks and resolves with the first error that a reply was. */
type Say = (client: Redis, book: Book, marks: readonly number[]) => Promise<Error | null>;

async function single(client: Redis, book: Book, marks: readonly number[]): Promise<null> {
  await client.rpush(...pushOf(book, marks[0]!));
  return null;
}

function pipelined(client: Redis, book: Book, marks: readonly number[]): Promise<Error | null> {
  return execute(client.pipeline(), book, marks);
}

function inTransaction(client: Redis, book: Book, marks: readonly number[]): Promise<Error | null> {
  return execute(client.multi(), book, marks);
}

async function execute(
  pipeline: ReturnType<Redis['pipeline']>,
  book: Book,
  marks: readonly number[],
): Promise<Error | null> {
  for (const n of marks) pipeline.rpush(...pushOf(book, n));
  const results = await pipeline.exec();
  if (results === null) return new Error('the transaction was discarded');
  return results.find(([error]) => error !== null)?.[0] ?? null;
}

function pushOf(book: Book, n: number): [key: string, mark: string] {
  return [`L:${book.placeOf(n)}`, `${book.client}:${n}`];
}

/** redis-py in a process of its own (`redis_py_writes.py`), one thread for each way of writing. */
export class RedisPyLoad implements RestartLoad {
  readonly name = 'redis-py';
  private readonly books = new Map<number, Book>();

  private constructor(
    private readonly writes: Writes,
    private readonly process: ManagedProcess,
    books: readonly Book[],
  ) {
    for (const book of books) this.books.set(book.client, book);
    const { stdout } = process.child;
    assert.ok(stdout);
    createInterface({ input: stdout }).on('line', (line) => this.told(line));
  }

  static async start(t: Cleanup, ledger: Ledger, port: number): Promise<RedisPyLoad> {
    const writes = new Writes(ledger);
    const ways = ['single', 'pipeline', 'transaction'];
    const books = ways.map(() => writes.open());
    const clients = Object.fromEntries(ways.map((way, index) => [way, books[index]!.client]));
    const process = new ManagedProcess({
      file: await redisPyInterpreter(),
      args: [
        join(projectRoot, 'test', 'helpers', 'redis_py_writes.py'),
        JSON.stringify({ port, clients }),
      ],
      cwd: projectRoot,
    });
    t?.after(() => process.killNow());
    return new RedisPyLoad(writes, process, books);
  }

  get errors(): string[] {
    return this.writes.errors;
  }
  get acknowledged(): number {
    assert.equal(this.process.exitCode, null, this.process.output().slice(-2_000));
    return this.writes.acknowledged;
  }

  async finish(): Promise<void> {
    assert.equal(await this.process.stop('SIGTERM'), 0, this.process.output().slice(-2_000));
  }

  private told(line: string): void {
    const told = JSON.parse(line) as { client: number; count: number; error?: string };
    const book = this.books.get(told.client)!;
    this.writes.settle(book, this.writes.begin(book, told.count), told.error ?? null);
  }
}
