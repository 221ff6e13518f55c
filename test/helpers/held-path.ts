/**
 * A way to a server on which bytes can be held back and delivered later, whatever has become of their sender: what a
 * network does with packets that are on their way. The sender's end does not close the far end.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Cleanup } from './child-process.js';

export class HeldPath {
  readonly #server: Server;
  readonly #far = new Set<Socket>();
  #held: (() => void)[] = [];
  #isHolding = false;
  /** Replies are thrown away. */
  losesReplies = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** A path to `port` of this machine. */
  static async open(t: Cleanup, port: number): Promise<HeldPath> {
    const server = createServer();
    const path = new HeldPath(server);
    server.on('connection', (near) => path.#join(near, connect({ host: '127.0.0.1', port })));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t?.after(() => path.close());
    return path;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  /** Chunks that are held back. */
  get heldChunks(): number {
    return this.#held.length;
  }

  /** From now on what is sent towards the server stays on its way. */
  hold(): void {
    this.#isHolding = true;
  }

  /** Delivers what was held back, in order. */
  deliver(): void {
    this.#isHolding = false;
    for (const write of this.#held.splice(0)) write();
  }

  close(): void {
    for (const socket of this.#far) socket.destroy();
    this.#server.close();
  }

  #join(near: Socket, far: Socket): void {
    this.#far.add(far);
    far.setNoDelay(true);
    near.setNoDelay(true);
    near.on('data', (chunk: Buffer) => {
      const write = (): void => void far.write(chunk);
      if (this.#isHolding) this.#held.push(write);
      else write();
    });
    far.on('data', (chunk: Buffer) => {
      if (!this.losesReplies && !near.destroyed) near.write(chunk);
    });
    // A sender that is gone takes nothing back.
    near.on('error', () => undefined);
    far.on('error', () => undefined);
    far.on('close', () => near.destroy());
  }
}
