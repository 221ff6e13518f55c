/**
 * Two servers in the same state, A and B, and two clients that do the same: one talks to A
 * directly, the other to B through the program under test. Everything is sent to both and read
 * from both before the next step. Setup and resets go to each server directly, so that only the
 * case itself passes through the program.
 */
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { startRedis, type RedisServer } from '../helpers/servers.js';
import type { Cleanup } from '../helpers/child-process.js';
import { RESET_ALL, SERVER_ARGUMENTS, type Setup, type Words } from './fixture.js';
import type { Dumps } from './vocabulary.js';
import { parseFrame } from './reply-tree.js';

/** What stands between client B and server B: given the server, the port to talk to. */
export type Target = (t: Cleanup, upstream: RedisServer) => Promise<number>;

export type Protocol = 2 | 3;

/** What one client received, and whether its connection still lives. */
export interface Outcome {
  readonly frames: readonly Buffer[];
  readonly ending: 'open' | 'closed' | 'silent' | 'garbage';
  /** Bytes that are no whole frame, when the connection closed. */
  readonly rest: string;
}

const DIRECT_PATIENCE_MS = 10_000;
const THROUGH_PATIENCE_MS = 12_000;

/** One of the two sides. */
export class Side {
  readonly server: RedisServer;
  readonly port: number;
  /** Straight to the server, whatever side this is. */
  readonly admin: RawClient;
  readonly patienceMs: number;

  constructor(server: RedisServer, port: number, admin: RawClient, patienceMs: number) {
    this.server = server;
    this.port = port;
    this.admin = admin;
    this.patienceMs = patienceMs;
  }

  async connect(protocol: Protocol): Promise<RawClient> {
    const client = await connectRaw(this.port);
    if (protocol === 3) await client.command('HELLO', '3');
    return client;
  }

  /** Runs setup on the server itself; returns the first reply. */
  async setUp(setup: Setup): Promise<Buffer> {
    this.admin.write(setup.bytes);
    const [first = Buffer.alloc(0)] = await this.admin.readFrames(setup.replies);
    return first;
  }
}

/** Both sides, with one client each that can be replaced. */
export class Pair {
  readonly direct: Side;
  readonly through: Side;
  readonly protocol: Protocol;
  #clients: readonly [RawClient, RawClient] | null = null;

  constructor(direct: Side, through: Side, protocol: Protocol) {
    this.direct = direct;
    this.through = through;
    this.protocol = protocol;
  }

  /** The same two servers, spoken to in another protocol version. */
  speaking(protocol: Protocol): Pair {
    return new Pair(this.direct, this.through, protocol);
  }

  /** Sends the same bytes to both and reads `count` frames from each, or what comes instead. */
  async exchange(bytes: Buffer, count = 1): Promise<[Outcome, Outcome]> {
    return this.exchangeChunks([bytes], count);
  }

  /** As `exchange`, with the bytes in several writes, each in a turn of the event loop of its own. */
  async exchangeChunks(chunks: readonly Buffer[], count: number): Promise<[Outcome, Outcome]> {
    const [a, b] = await this.clients();
    for (const [index, chunk] of chunks.entries()) {
      if (index > 0) await new Promise((resolve) => setImmediate(resolve));
      a.write(chunk);
      b.write(chunk);
    }
    return Promise.all([
      collect(a, count, this.direct.patienceMs),
      collect(b, count, this.through.patienceMs),
    ]);
  }

  /** Puts both servers back; returns the digests of their key spaces before that. */
  async reset(setup: Setup): Promise<[string, string]> {
    const [a, b] = await Promise.all([this.direct.setUp(setup), this.through.setUp(setup)]);
    return [a.toString(), b.toString()];
  }

  /** Closes both connections; the next exchange opens new ones. */
  async disconnect(): Promise<void> {
    const clients = this.#clients;
    this.#clients = null;
    if (clients !== null) await Promise.all(clients.map((client) => client.close()));
  }

  private async clients(): Promise<readonly [RawClient, RawClient]> {
    this.#clients ??= await Promise.all([
      this.direct.connect(this.protocol),
      this.through.connect(this.protocol),
    ]);
    return this.#clients;
  }
}

/**
 * Starts both servers with the fixture, and the target in front of the second one. With a password
 * the servers demand it of everybody; the target is not given it.
 */
export async function startPair(t: Cleanup, target: Target, password = ''): Promise<Pair> {
  const args = password === '' ? [] : ['--requirepass', password];
  const [a, b] = await Promise.all([
    startRedis(t, { args: [...SERVER_ARGUMENTS, ...args] }),
    startRedis(t, { args: [...SERVER_ARGUMENTS, ...args] }),
  ]);
  const port = await target(t, b);
  const [adminA, adminB] = await Promise.all([connectRaw(a.port), connectRaw(b.port)]);
  t?.after(() => Promise.all([adminA.close(), adminB.close()]).then(() => undefined));
  if (password !== '') {
    for (const admin of [adminA, adminB]) await admin.command('AUTH', password);
  }
  const direct = new Side(a, a.port, adminA, DIRECT_PATIENCE_MS);
  const through = new Side(b, port, adminB, THROUGH_PATIENCE_MS);
  const pair = new Pair(direct, through, 2);
  await pair.reset(RESET_ALL);
  return pair;
}

/** The payloads that only a server with the fixture can make. */
export async function readDumps(side: Side): Promise<Dumps> {
  const bulk = async (...words: Words): Promise<Buffer> => {
    side.admin.write(encodeCommand(...words));
    const reply = parseFrame(await side.admin.readFrame());
    return Buffer.from('text' in reply ? (reply.text ?? '') : '', 'latin1');
  };
  return { key: await bulk('DUMP', 'str'), functions: await bulk('FUNCTION', 'DUMP') };
}

/** Reads `count` frames, or as many as come before the connection ends or falls silent. */
export async function collect(
  client: RawClient,
  count: number,
  patienceMs: number,
): Promise<Outcome> {
  const frames: Buffer[] = [];
  try {
    while (frames.length < count) frames.push(await client.readFrame(patienceMs));
    return { frames, ending: 'open', rest: '' };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Not RESP')) {
      return { frames, ending: 'garbage', rest: error.message };
    }
    if (client.ending === null) return { frames, ending: 'silent', rest: '' };
    const rest = await client.readUntilClose(patienceMs);
    return { frames, ending: 'closed', rest: rest.toString('latin1') };
  }
}
