/**
 * What people usually build instead of this product, so that the ledger can show what it finds there:
 * a proxy that tries again after a timeout, answers OK to writes while Redis is away, keeps them in an
 * array, and sends them when Redis is back. Each of its habits is a fault of issue 3's list; nothing
 * here is exaggerated, only short.
 *
 * It is a fixture, not a model: a checker that never failed is no evidence.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cleanup } from './child-process.js';
import { ReplyScanner } from './reply-scanner.js';

/** What it does with a write while Redis is away. */
export interface NaiveHabits {
  readonly whenAway: 'queue' | 'queue and raise';
  readonly timeoutMs: number;
}

const RETRIES = 1;
const PROBE_MS = 20;
const OK = Buffer.from('+OK\r\n');
const NIL = Buffer.from('$-1\r\n');
const RAISED = Buffer.from('-ERR connection is closed\r\n');
const READS = new Set(['GET', 'PING']);

export class NaiveForwarder {
  isAway = false;
  queue: Buffer[] = [];
  readonly #clients = new Set<Socket>();
  #probing: Promise<void> | null = null;
  #isClosed = false;

  private constructor(
    readonly target: number,
    readonly habits: NaiveHabits,
    private readonly server: Server,
  ) {
    server.on('connection', (socket) => {
      this.#clients.add(socket);
      new NaiveClient(this, socket);
    });
  }

  /** Listens on a free port (or on `port`) of 127.0.0.1, in front of the Redis at `target`; `t` closes it. */
  static async start(
    t: Cleanup,
    target: number,
    habits: NaiveHabits,
    port = 0,
  ): Promise<NaiveForwarder> {
    const server = createServer({ noDelay: true });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const forwarder = new NaiveForwarder(target, habits, server);
    t?.after(() => forwarder.close());
    return forwarder;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** As if it was killed: what was in memory is gone. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.isAway = false;
    this.server.close();
    for (const socket of this.#clients) socket.resetAndDestroy();
    await this.#probing;
  }

  /** Redis does not answer: writes are queued from now on. */
  wentAway(): void {
    if (this.#isClosed) return;
    this.isAway = true;
    this.#probing ??= this.#probe().finally(() => (this.#probing = null));
  }

  /** Asks until Redis answers; then new commands pass, and the queue is sent beside them. */
  async #probe(): Promise<void> {
    while (!this.#isClosed) {
      const link = new Link(this.target, this.habits.timeoutMs);
      try {
        await link.call(Buffer.from('PING\r\n'));
        this.isAway = false;
        await this.#replay(link);
        // A command may have found it away again while the queue was being sent.
        if (!this.isAway) return;
      } catch {
        await pause(PROBE_MS);
      } finally {
        link.close();
      }
    }
  }

  /** Takes the queue and sends it; when that fails half way, the rest is gone with the array. */
  async #replay(link: Link): Promise<void> {
    const batch = this.queue;
    this.queue = [];
    for (const frame of batch) await link.call(frame);
  }
}

/** One client: its commands one after the other, each with retries. */
class NaiveClient {
  #received = Buffer.alloc(0);
  #link: Link | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(
    private readonly forwarder: NaiveForwarder,
    socket: Socket,
  ) {
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      for (let frame = this.#nextFrame(); frame !== null; frame = this.#nextFrame()) {
        const request = frame;
        this.#work = this.#work.then(async () => {
          const reply = await this.#answer(request);
          if (socket.writable) socket.write(reply);
        });
      }
    });
    socket.on('error', () => undefined);
    socket.once('close', () => this.#link?.close());
  }

  async #answer(frame: Buffer): Promise<Buffer> {
    const { forwarder } = this;
    for (let attempt = 0; attempt <= RETRIES && !forwarder.isAway; attempt += 1) {
      try {
        this.#link ??= new Link(forwarder.target, forwarder.habits.timeoutMs);
        return await this.#link.call(frame);
      } catch {
        this.#link?.close();
        this.#link = null;
      }
    }
    forwarder.wentAway();
    if (READS.has(/\$\d+\r\n(\w+)/.exec(frame.toString('latin1'))?.[1] ?? '')) return NIL;
    forwarder.queue.push(frame);
    return forwarder.habits.whenAway === 'queue' ? OK : RAISED;
  }

  /** The next array of bulk strings; the ledger's clients send nothing else. */
  #nextFrame(): Buffer | null {
    const bytes = this.#received;
    let at = bytes.indexOf('\r\n');
    if (at < 0) return null;
    let values = Number(bytes.toString('latin1', 1, at));
    for (at += 2; values > 0; values -= 1) {
      const lineEnd = bytes.indexOf('\r\n', at);
      if (lineEnd < 0) return null;
      at = lineEnd + 2 + Number(bytes.toString('latin1', at + 1, lineEnd)) + 2;
    }
    if (at > bytes.length) return null;
    this.#received = bytes.subarray(at);
    return bytes.subarray(0, at);
  }
}

/** A connection to Redis, one command at a time. */
class Link {
  readonly #socket: Socket;
  readonly #scanner = new ReplyScanner();
  #settle: { resolve: (reply: Buffer) => void; reject: (error: Error) => void } | null = null;

  constructor(
    target: number,
    private readonly timeoutMs: number,
  ) {
    this.#socket = connect({ host: '127.0.0.1', port: target, noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.#scanner.push(chunk);
      const reply = this.#scanner.next();
      if (reply !== null) this.#settle?.resolve(reply);
    });
    const lost = (): void => this.#settle?.reject(new Error('connection lost'));
    this.#socket.on('error', lost);
    this.#socket.once('close', lost);
  }

  async call(frame: Buffer): Promise<Buffer> {
    const timeout = setTimeout(() => this.#settle?.reject(new Error('timeout')), this.timeoutMs);
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        this.#settle = { resolve, reject };
        if (this.#socket.destroyed) reject(new Error('connection lost'));
        else this.#socket.write(frame);
      });
    } finally {
      clearTimeout(timeout);
      this.#settle = null;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
