/**
 * TLS in front of a client's socket: takes the raw connection, and gives out one whose handshake is done. A stranger who
 * connects and says nothing, or something else, costs a socket until the deadline; only so many may be under way (I6),
 * and one more drops whoever has taken the longest, so that a crowd of silent strangers cannot lock anybody out.
 *
 *   raw socket ─► accept ─► pending ──done──► onClient(socket)
 *                             └── silent, or not TLS, or no certificate: reset
 */
import { constants } from 'node:crypto';
import type net from 'node:net';
import tls from 'node:tls';
import type { Clock, Timer } from '../base/clock.js';

/** In PEM. With `ca`, a client must show a certificate of one of these authorities. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | null;
}

export interface HandshakesOptions {
  readonly material: TlsMaterial;
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly maxPending: number;
  /** Owns the socket. */
  readonly onClient: (socket: net.Socket) => void;
  /** A connection came to nothing: `reason` is OpenSSL's, or ours. */
  readonly onFailed: (reason: string) => void;
}

interface Pending {
  readonly raw: net.Socket;
  readonly timer: Timer;
}

export class Handshakes {
  /** Does not listen: it is handed what the listener accepts. */
  private readonly server: tls.Server;
  /** By the addresses of both ends, in the order of arrival. */
  private readonly pending = new Map<string, Pending>();

  /** Throws when the material does not fit together. */
  constructor(private readonly options: HandshakesOptions) {
    this.server = tls.createServer({
      ...contextOf(options.material),
      requestCert: options.material.ca !== null,
      rejectUnauthorized: true,
      // Never the first: our own deadline resets the connection.
      handshakeTimeout: options.deadlineMs * 2,
    });
    this.server.on('secureConnection', (socket) => {
      if (this.end(endsOf(socket), null)) options.onClient(socket);
      else socket.destroy();
    });
    this.server.on('tlsClientError', (error, socket) => {
      this.end(endsOf(socket), reasonOf(error));
      socket.destroy();
    });
  }

  /** Under way at this moment. */
  get pendingCount(): number {
    return this.pending.size;
  }

  accept(raw: net.Socket): void {
    const { clock, deadlineMs, maxPending } = this.options;
    const ends = endsOf(raw);
    // Until the handshake is done nobody else listens for what goes wrong, nor is it of interest.
    raw.on('error', () => undefined);
    raw.once('close', () => this.pending.get(ends)?.raw === raw && this.end(ends, 'hung up'));
    const [oldest] = this.pending.keys();
    if (this.pending.size >= maxPending) this.end(oldest!, 'too many handshakes at a time');
    const timer = clock.after(deadlineMs, () => this.end(ends, 'no handshake in time'));
    this.pending.set(ends, { raw, timer });
    this.server.emit('connection', raw);
  }

  /** From now on others are shown and asked for; who is connected stays. Throws when it does not fit together. */
  useMaterial(material: TlsMaterial): void {
    this.server.setSecureContext(contextOf(material));
  }

  /** Ends what is under way. */
  close(): void {
    for (const { raw } of this.pending.values()) raw.resetAndDestroy();
  }

  /** It is pending no longer: done, or failed for a reason. False: it was not pending any more. */
  private end(ends: string, reason: string | null): boolean {
    const pending = this.pending.get(ends);
    if (pending === undefined) return false;
    this.pending.delete(ends);
    pending.timer.cancel();
    if (reason === null) return true;
    this.options.onFailed(reason);
    pending.raw.resetAndDestroy();
    return true;
  }
}

/** Unique while the connection stands; the socket and the TLS socket made of it say the same. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: net.Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** OpenSSL's own words without the addresses around them: `wrong version number`. */
function reasonOf(error: Error): string {
  const { reason, code } = error as { reason?: string; code?: string };
  return reason ?? code ?? error.message;
}

function contextOf({ cert, key, ca }: TlsMaterial): tls.SecureContextOptions {
  return {
    cert,
    key,
    ...(ca === null ? {} : { ca }),
    minVersion: 'TLSv1.2',
    // A client could make us work by asking for new keys again and again.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}
