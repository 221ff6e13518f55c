/**
 * A bad network between two programs, in one process and without privileges: a TCP forwarder that can
 * hold bytes back, in one direction or both, and deliver them later; reset; refuse; delay; slice; and
 * lead elsewhere. It stands for iptables in these tests (which needs rights and modules that machines
 * differ in).
 *
 *   client socket ──► Pipe toServer ──► server socket        hold('toServer')   packets to the server are lost …
 *   client socket ◄── Pipe toClient ◄── server socket        hold('toClient')   … or only the replies
 *                                                            heal()             and retransmitted
 *
 * What is held is delivered even if the sender has reset its socket meanwhile, unless
 * `afterReset` is `forget`: a kernel forgets, a proxy or a server's own receive buffer does not.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Cleanup } from './child-process.js';

export type Direction = 'toServer' | 'toClient';

/** How bytes of one direction travel. */
export interface Shape {
  readonly delayMs?: number;
  /** Up to this much more, by chance; order is kept. */
  readonly jitterMs?: number;
  /** At most so many bytes per write. */
  readonly sliceBytes?: number;
}

const BOTH: readonly Direction[] = ['toServer', 'toClient'];
/** What a direction keeps before its source is no longer read, as a full socket buffer would do. */
const HELD_LIMIT_BYTES = 16 * 1024 * 1024;

export class ChaosForwarder {
  /** When each connection was accepted (`performance.now`). */
  readonly connectedAt: number[] = [];
  /**
   * Sees each chunk before it travels. `hold` stops this chunk and what follows it on this connection in this
   * direction, until `heal`; other connections go on.
   */
  watch: ((chunk: Buffer, direction: Direction) => 'pass' | 'hold') | null = null;
  afterReset: 'deliver' | 'forget' = 'deliver';
  readonly #pairs = new Set<Pair>();
  readonly #held = new Set<Direction>();
  readonly #shapes: Record<Direction, Shape> = { toServer: {}, toClient: {} };
  #server: Server | null = null;
  #port = 0;

  private constructor(private target: number) {}

  /** Listens on a free port of 127.0.0.1 and forwards to `target`; `t` closes it. */
  static async start(t: Cleanup, target: number): Promise<ChaosForwarder> {
    const forwarder = new ChaosForwarder(target);
    await forwarder.accept();
    t?.after(() => forwarder.close());
    return forwarder;
  }

  get port(): number {
    return this.#port;
  }

  /** Nothing travels in these directions (both without any) until `heal`; new connections stay silent. */
  hold(...directions: Direction[]): void {
    for (const direction of directions.length === 0 ? BOTH : directions) this.#held.add(direction);
  }

  /** Everything travels again, beginning with what was held. */
  heal(): void {
    this.#held.clear();
    for (const pair of this.#pairs) pair.heal();
  }

  isHeld(direction: Direction): boolean {
    return this.#held.has(direction);
  }

  /** How bytes of `direction` travel from now on. */
  shape(direction: Direction, shape: Shape): void {
    this.#shapes[direction] = shape;
  }

  shapeOf(direction: Direction): Shape {
    return this.#shapes[direction];
  }

  /** Every connection is reset on both sides, and what it held is gone. */
  resetAll(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  /** New connections are refused; those that are there stay. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    // `close` waits for the connections too; the port is free before that.
    server.close();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Listens again, on the same port. */
  async accept(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.connectedAt.push(performance.now());
      const pair = new Pair(this, client, this.target, () => this.#pairs.delete(pair));
      this.#pairs.add(pair);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** The address moves: new connections go to `target`, those that are there are reset. */
  moveTo(target: number): void {
    this.target = target;
    this.resetAll();
  }

  async close(): Promise<void> {
    await this.refuse();
    this.resetAll();
  }
}

/** One connection: two sockets and a pipe each way. */
class Pair {
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  #server: Socket | null = null;

  constructor(
    private readonly chaos: ChaosForwarder,
    private readonly client: Socket,
    private readonly target: number,
    private readonly onGone: () => void,
  ) {
    this.#toServer = new Pipe(chaos, 'toServer', client);
    this.#toClient = new Pipe(chaos, 'toClient', null);
    this.#toClient.leadsTo(client);
    client.once('close', () => this.#closed());
    this.heal();
  }

  /** Dials if that had to wait, and goes on with what was held. */
  heal(): void {
    if (this.#server === null && !this.chaos.isHeld('toServer')) this.#dial();
    this.#toServer.heal();
    this.#toClient.heal();
  }

  reset(): void {
    for (const socket of [this.client, this.#server]) {
      if (socket?.writable === true) socket.resetAndDestroy();
      else socket?.destroy();
    }
    this.onGone();
  }

  #dial(): void {
    const server = connect({
      host: '127.0.0.1',
      port: this.target,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#server = server;
    this.#toServer.leadsTo(server);
    this.#toClient.comesFrom(server);
    server.once('close', () => this.#closed());
  }

  /** Gone when both sides are, and nothing is held any more. */
  #closed(): void {
    if (this.client.destroyed && (this.#server?.destroyed ?? false)) this.onGone();
  }
}

/** Something on its way: bytes, or the end of them. */
interface Parcel {
  readonly bytes: Buffer | null;
  readonly dueAt: number;
}

/** One direction of one connection. */
class Pipe {
  #source: Socket | null = null;
  #sink: Socket | null = null;
  #parcels: Parcel[] = [];
  #bytes = 0;
  #isHeld = false;
  #wake: NodeJS.Timeout | NodeJS.Immediate | null = null;

  constructor(
    private readonly chaos: ChaosForwarder,
    private readonly direction: Direction,
    source: Socket | null,
  ) {
    if (source !== null) this.comesFrom(source);
  }

  comesFrom(source: Socket): void {
    this.#source = source;
    let hasEnded = false;
    const end = (): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#push(null);
    };
    source.on('data', (chunk: Buffer) => {
      if (this.chaos.watch?.(chunk, this.direction) === 'hold') this.#isHeld = true;
      this.#push(chunk);
    });
    source.on('error', () => {
      if (this.chaos.afterReset === 'forget') this.#parcels = [];
    });
    source.once('end', end);
    source.once('close', end);
  }

  leadsTo(sink: Socket): void {
    this.#sink = sink;
    sink.on('error', () => undefined);
    this.pump();
  }

  /** What `watch` stopped goes on. */
  heal(): void {
    this.#isHeld = false;
    this.pump();
  }

  /** Sends what is due, in order, a slice at a time. */
  pump(): void {
    if (this.#isHeld) return;
    this.#wake = null;
    const { sliceBytes = Infinity } = this.chaos.shapeOf(this.direction);
    while (this.#sink !== null && !this.chaos.isHeld(this.direction)) {
      const first = this.#parcels[0];
      if (first === undefined) break;
      const waitMs = first.dueAt - performance.now();
      if (waitMs > 0) return this.#later(setTimeout(() => this.pump(), waitMs));
      this.#parcels.shift();
      if (first.bytes === null) {
        // FIN and not RST: what was sent before it must arrive.
        this.#sink.end();
        if (this.#source?.destroyed === true) this.#sink.destroySoon();
        break;
      }
      const slice = first.bytes.subarray(0, sliceBytes);
      const rest = first.bytes.subarray(slice.length);
      if (this.#sink.writable) this.#sink.write(slice);
      this.#bytes -= slice.length;
      if (rest.length === 0) continue;
      this.#parcels.unshift({ bytes: rest, dueAt: first.dueAt });
      return this.#later(setImmediate(() => this.pump()));
    }
    if (this.#bytes < HELD_LIMIT_BYTES) this.#source?.resume();
  }

  #push(bytes: Buffer | null): void {
    const { delayMs = 0, jitterMs = 0 } = this.chaos.shapeOf(this.direction);
    const due = performance.now() + delayMs + Math.random() * jitterMs;
    this.#parcels.push({ bytes, dueAt: Math.max(due, this.#parcels.at(-1)?.dueAt ?? 0) });
    this.#bytes += bytes?.length ?? 0;
    if (this.#bytes >= HELD_LIMIT_BYTES) this.#source?.pause();
    if (this.#wake === null) this.pump();
  }

  #later(wake: NodeJS.Timeout | NodeJS.Immediate): void {
    this.#wake = wake;
  }
}
