/**
 * Two databases of one server that begin each trial with exactly the same keys (copied, down to the times in a stream's
 * pending entries), and what either holds afterwards. Shows whether two ways of doing something leave the same behind.
 */
import assert from 'node:assert/strict';
import { parseFrame, plain } from '../conformance/reply-tree.js';
import type { Cleanup } from './child-process.js';
import { connectRaw, encodeCommand, type RawClient } from './raw-client.js';

type Word = string | number | Uint8Array;

/** The databases; keys are copied from the first to the second. */
export type Twin = 8 | 9;

/** What one database holds, by key: the value as text, and when it expires (Unix time in ms, -1 for never). */
export type Contents = ReadonlyMap<string, Held>;

interface Held {
  readonly value: string;
  readonly expiresMs: readonly number[];
}

const HASH = '+hash\r\n';
const SET = '+set\r\n';
const ZSET = '+zset\r\n';
const STRING = '+string\r\n';

/** What is not compared as DUMP has it: readers may change how it is kept (SORT of a sorted set, PFCOUNT). */
const READERS: Readonly<Record<string, (key: Buffer) => Word[]>> = {
  [HASH]: (key) => ['HGETALL', key],
  [STRING]: (key) => ['GET', key],
  [SET]: (key) => ['SMEMBERS', key],
  [ZSET]: (key) => ['ZRANGE', key, 0, -1, 'WITHSCORES'],
};

/** A HyperLogLog keeps the count that PFCOUNT found, in 8 bytes behind `HYLL` and four more. */
const KEPT_COUNT = /(?<=^\$\d+\r\nHYLL.{4}).{8}/s;

/** Two clocked runs of the same command are no further apart than this. */
const CLOCK_TOLERANCE_MS = 5_000;

export class TwinDatabases {
  private keys: Buffer[] = [];

  private constructor(
    private readonly client: RawClient,
    private readonly hasFieldExpiry: boolean,
  ) {}

  /** On the server at `port`, which belongs to the test. */
  static async of(t: Cleanup, port: number): Promise<TwinDatabases> {
    const client = await connectRaw(port);
    t?.after(() => client.reset());
    const known = plain(parseFrame(await client.command('COMMAND', 'INFO', 'hpexpiretime')));
    return new TwinDatabases(client, (known as unknown[])[0] !== null);
  }

  /** Empties the server and fills both databases with what the pipeline `setup` makes. */
  async fill(setup: { bytes: Buffer; replies: number }): Promise<void> {
    await this.pipeline([['FLUSHALL'], ['SELECT', 8]]);
    this.client.write(setup.bytes);
    await this.client.readFrames(setup.replies);
    await this.pipeline([['SELECT', 8]]);
    this.keys = await this.keysNow();
    await this.pipeline(this.keys.map((key) => ['COPY', key, key, 'DB', 9]));
  }

  /** Runs `frame` in `twin`; the reply. */
  async run(twin: Twin, frame: Uint8Array): Promise<Buffer> {
    this.client.write(encodeCommand('SELECT', twin));
    this.client.write(frame);
    const [, reply] = await this.client.readFrames(2);
    return reply!;
  }

  async contents(twin: Twin): Promise<Contents> {
    await this.pipeline([['SELECT', twin]]);
    const keys = await this.keysNow();
    const types = await this.pipeline(keys.map((key) => ['TYPE', key]));
    const values = await this.pipeline(
      keys.map((key, at) => READERS[types[at]!.toString('latin1')]?.(key) ?? ['DUMP', key]),
    );
    const times = await this.pipeline(keys.map((key) => ['PEXPIRETIME', key]));
    const found = new Map<string, Held>();
    for (const [at, key] of keys.entries()) {
      const type = types[at]!.toString('latin1');
      const expiresMs = [Number(times[at]!.toString('latin1', 1))];
      if (type === HASH && this.hasFieldExpiry) expiresMs.push(...(await this.fieldExpiry(key)));
      found.set(key.toString('latin1'), { value: type + canonical(type, values[at]!), expiresMs });
    }
    return found;
  }

  private async fieldExpiry(key: Buffer): Promise<number[]> {
    const [names] = await this.pipeline([['HKEYS', key]]);
    const fields = (plain(parseFrame(names!)) as string[]).sort();
    const words = fields.map((field) => Buffer.from(field, 'latin1'));
    const [reply] = await this.pipeline([['HPEXPIRETIME', key, 'FIELDS', words.length, ...words]]);
    return plain(parseFrame(reply!)) as number[];
  }

  private async keysNow(): Promise<Buffer[]> {
    const [reply] = await this.pipeline([['KEYS', '*']]);
    const names = plain(parseFrame(reply!)) as string[];
    return names.sort().map((name) => Buffer.from(name, 'latin1'));
  }

  private async pipeline(commands: readonly (readonly Word[])[]): Promise<Buffer[]> {
    if (commands.length === 0) return [];
    this.client.write(Buffer.concat(commands.map((words) => encodeCommand(...words))));
    return this.client.readFrames(commands.length);
  }
}

/** The value as text; the order in a hash table is the table's own affair, and a copy has another one. */
function canonical(type: string, reply: Buffer): string {
  if (type !== HASH && type !== SET) return reply.toString('latin1').replace(KEPT_COUNT, '');
  const flat = plain(parseFrame(reply)) as string[];
  if (type === SET) return JSON.stringify(flat.sort());
  const pairs = flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1]]] : []));
  return JSON.stringify(pairs.sort(([a], [b]) => (a! < b! ? -1 : 1)));
}

/** The keys in which two databases differ; times of expiry may differ by what the test itself took. */
export function differingKeys(a: Contents, b: Contents): string[] {
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names].filter((name) => !isSame(a.get(name), b.get(name)));
}

function isSame(a: Held | undefined, b: Held | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  assert.ok(a.expiresMs.length > 0);
  return (
    a.value === b.value &&
    a.expiresMs.length === b.expiresMs.length &&
    a.expiresMs.every((time, at) => isNear(time, b.expiresMs[at]!))
  );
}

function isNear(a: number, b: number): boolean {
  return a === b || (a > 0 && b > 0 && Math.abs(a - b) < CLOCK_TOLERANCE_MS);
}
