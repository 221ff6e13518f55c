/** Accepts clients on one address. The only file that listens for them. */
import fs from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** The kernel caps it at somaxconn; a short queue makes connection storms wait for SYN retransmits of a second each. */
const BACKLOG = 4096;
const KEEPALIVE_AFTER_MS = 300_000;

export class Listener {
  private readonly server: net.Server;

  /** `onClient` owns the socket. Sockets are half-open: a client may stop sending and still read. */
  constructor(
    private readonly address: ListenAddress,
    onClient: (socket: net.Socket) => void,
  ) {
    this.server = net.createServer(
      {
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEPALIVE_AFTER_MS,
      },
      onClient,
    );
  }

  /** Rejects with a sentence that says which address and why. */
  async start(): Promise<void> {
    if (this.address.kind === 'unix') await removeStaleSocket(this.address.path);
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) =>
        reject(new Error(this.explain(error))),
      );
      const where =
        this.address.kind === 'unix'
          ? { path: this.address.path }
          : { host: this.address.host, port: this.address.port };
      this.server.listen({ ...where, backlog: BACKLOG }, resolve);
    });
    // Redis' unixsocketperm is the operator's choice; ours is what only the same user can open.
    if (this.address.kind === 'unix') fs.chmodSync(this.address.path, 0o700);
  }

  /** Where it listens; once it has started, with the port that port 0 stands for. */
  get where(): ListenAddress {
    const bound = this.server.address();
    const isPort = this.address.kind === 'tcp' && bound !== null && typeof bound === 'object';
    return isPort ? { ...this.address, port: bound.port } : this.address;
  }

  /** Stops accepting; established connections go on. */
  stop(): void {
    this.server.close();
  }

  private explain(error: NodeJS.ErrnoException): string {
    const name =
      this.address.kind === 'unix'
        ? `unix:${this.address.path}`
        : `${this.address.host}:${this.address.port}`;
    if (error.code === 'EADDRINUSE') {
      return `cannot listen on ${name}: another program already does. Stop it, or choose another address with --listen.`;
    }
    return `cannot listen on ${name}: ${this.reasonOf(error)}. Choose another address with --listen.`;
  }

  private reasonOf({ code, message }: NodeJS.ErrnoException): string {
    const { address } = this;
    if (code === 'EADDRNOTAVAIL') return 'this machine has no such address';
    if (code !== 'EACCES') return message;
    // libuv says EACCES for a directory that is not there, too.
    const isHomeless = address.kind === 'unix' && !fs.existsSync(dirname(address.path));
    return isHomeless ? `there is no directory ${dirname(address.path)}` : 'not permitted';
  }
}

/**
 * Why nobody could listen there at this moment, in a sentence; null when it can be done. Leaves nothing behind and takes
 * nothing away.
 */
export async function whyNotListen(address: ListenAddress): Promise<string | null> {
  if (address.kind === 'unix') return whyNoSocketAt(address.path);
  const listener = new Listener(address, (socket) => socket.destroy());
  try {
    await listener.start();
    return null;
  } catch (error) {
    return (error as Error).message;
  } finally {
    listener.stop();
  }
}

async function whyNoSocketAt(path: string): Promise<string | null> {
  try {
    if (fs.existsSync(path) && !fs.statSync(path).isSocket())
      return `cannot listen on unix:${path}: another file is there`;
    if (await isAnswered(path))
      return `cannot listen on unix:${path}: another program already does`;
    fs.accessSync(dirname(path), fs.constants.W_OK);
    return null;
  } catch (error) {
    return `cannot listen on unix:${path}: ${(error as Error).message}`;
  }
}

/** A socket file that nobody answers on was left by a process that was killed; one that answers is not ours to take. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!fs.existsSync(path) || !fs.statSync(path).isSocket()) return;
  if (!(await isAnswered(path))) fs.rmSync(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    const probe = net.connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
