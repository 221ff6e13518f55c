/** Byte streams over the network: TCP, TLS and unix sockets. */
import net from 'node:net';
import tls from 'node:tls';
import type { ByteStream, ByteStreamHandlers, Transport } from '../base/byte-stream.js';

const KEEPALIVE_AFTER_MS = 30_000;
const HIGH_WATER_BYTES = 1024 * 1024;
const READ_BYTES = 64 * 1024;

export interface TlsSettings {
  /** PEM. Null: the system's authorities. */
  readonly ca: Buffer | null;
  /** PEM, for an upstream that asks for a client certificate. */
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  /** SNI, and the name that the certificate must carry. Null: the host. */
  readonly servername: string | null;
}

export type SocketAddress =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: TlsSettings | null;
    }
  | { readonly kind: 'unix'; readonly path: string };

export function socketTransport(address: SocketAddress): Transport {
  const description =
    address.kind === 'unix'
      ? `unix ${address.path}`
      : `${address.tls === null ? 'tcp' : 'tls'} ${address.host}:${address.port}`;
  return {
    description,
    closeIsFinal: address.kind === 'unix',
    open: (handlers) => new SocketStream(dial(address), handlers),
  };
}

/** The socket to speak through, and the TCP socket below it that can be reset; a unix socket has no reset. */
interface Sockets {
  readonly socket: net.Socket;
  readonly tcp: net.Socket | null;
  readonly openEvent: 'connect' | 'secureConnect';
  readonly reader: Reader | null;
}

function dial(address: SocketAddress): Sockets {
  if (address.kind === 'unix') {
    const reader = new Reader();
    const socket = net.connect({ path: address.path, onread: reader.onread });
    return { socket, tcp: null, openEvent: 'connect', reader };
  }
  const { host, port } = address;
  const reader = address.tls === null ? new Reader() : null;
  const tcp = net.connect({ host, port, noDelay: true, ...(reader && { onread: reader.onread }) });
  tcp.setKeepAlive(true, KEEPALIVE_AFTER_MS);
  if (address.tls === null) return { socket: tcp, tcp, openEvent: 'connect', reader };
  const { ca, cert, key, servername } = address.tls;
  // SNI carries names only; an address as the servername is refused by Node.
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  const socket = tls.connect({
    socket: tcp,
    host,
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(name === undefined ? {} : { servername: name }),
  });
  return { socket, tcp, openEvent: 'secureConnect', reader };
}

/**
 * Reads into one buffer again and again, as long as nobody refers to what was read before. Chunks of 64 KB that live for a
 * tick would otherwise make V8 collect its whole heap every few hundred of them (measured with 1 MB values).
 */
class Reader {
  handlers: ByteStreamHandlers | null = null;
  private buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly onread = {
    buffer: (): Uint8Array => this.buffer,
    callback: (bytes: number): boolean => {
      const isFree = this.handlers!.onData(this.buffer.subarray(0, bytes)) === false;
      if (!isFree) this.buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      return true;
    },
  };
}

class SocketStream implements ByteStream {
  private cause: Error | null = null;

  private readonly socket: net.Socket;
  private readonly tcp: net.Socket | null;

  constructor({ socket, tcp, openEvent, reader }: Sockets, handlers: ByteStreamHandlers) {
    this.socket = socket;
    this.tcp = tcp;
    socket.once(openEvent, () => handlers.onOpen());
    // A TLS socket makes its own chunks; the others read into a buffer of ours.
    if (reader === null) socket.on('data', (chunk: Buffer) => void handlers.onData(chunk));
    else reader.handlers = handlers;
    socket.on('drain', () => handlers.onDrain());
    socket.on('error', (error) => (this.cause = error));
    socket.on('end', () => (this.cause ??= new Error('the upstream closed the connection')));
    socket.once('close', () => handlers.onClose(this.cause));
  }

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.socket.writable) return true;
    this.socket.write(bytes);
    return this.socket.writableLength <= HIGH_WATER_BYTES;
  }

  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }
  end(): void {
    this.socket.end();
  }
  reset(): void {
    // `destroy` alone would let the kernel deliver what it holds (FAULTS.md 3). A socket that has begun to close cannot
    // be reset any more: Node would try, fail, and keep its descriptor for ever.
    if (this.tcp !== null && !this.tcp.connecting && this.tcp.writable) this.tcp.resetAndDestroy();
    this.socket.destroy();
  }
}
