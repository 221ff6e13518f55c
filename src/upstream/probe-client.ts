/**
 * One connection of the probe's, made with ioredis, of which only the pairing and the decoding are used: it queues,
 * retries, warns on the console and logs in as it likes, which is why all of that is switched off, the login is sent as
 * any other command, and no client's command ever touches it. It also throws where nobody can catch it (a null reply that
 * nobody asked for ended the process), so it sees only what `reply-guard` has let through.
 */
import type { Socket } from 'node:net';
import { AbstractConnector, Redis } from 'ioredis';
import type { Identity } from '../command/connection-state.js';
import { GuardedStream } from './guarded-stream.js';
import { ReplyGuard } from './reply-guard.js';
import { socketTransport, type SocketAddress } from './socket-transport.js';

/** The text of an error reply without the minus; null when the reply is none. */
export type ReplyText = string | null;

export interface ProbeClientEvents {
  /** The next command was answered, in the order of sending; the login counts as one. `value`: when it is no error. */
  onReply(error: ReplyText, value: unknown): void;
  /** Not made, or lost. Called at most once, and not after `close`. */
  onLost(cause: Error): void;
}

/** Name under which it appears in the upstream's CLIENT LIST. */
const CLIENT_NAME = 'respool-probe';
/** What an upstream that is frozen gets to say goodbye; then the socket is destroyed. */
const GOODBYE_MS = 100;

export class ProbeClient {
  private readonly redis: Redis;
  private readonly guard = new ReplyGuard();
  private lastError: Error | null = null;
  private isGone = false;

  /** Connects and logs in; what is sent meanwhile goes out behind that. */
  constructor(
    address: SocketAddress,
    { credentials }: Identity,
    private readonly events: ProbeClientEvents,
  ) {
    this.redis = newRedis(() => new GuardedStream(socketTransport(address), this.guard));
    // ioredis says why in an event, and then only that the connection is closed.
    this.redis.on('error', (error: Error) => (this.lastError = error));
    this.redis.once('close', () => this.gone(new Error('the connection was closed')));
    this.connected = this.redis.connect().catch((error: Error) => this.gone(error));
    // Sent byte for byte, as the lanes do it.
    const parts = credentials === null ? [] : [credentials.user, credentials.password];
    const args = parts.flatMap((part) => (part === null ? [] : [Buffer.from(part, 'latin1')]));
    if (credentials !== null) this.send('AUTH', ...args);
    this.send('CLIENT', 'SETNAME', CLIENT_NAME);
  }

  private readonly connected: Promise<void>;

  send(name: string, ...args: (string | Buffer)[]): void {
    void this.connected.then(() => {
      if (this.isGone) return;
      this.guard.expectReply();
      this.redis.call(name, ...args).then(
        (value: unknown) => this.replied(null, value),
        // Any other error is of the connection, which says itself why it ends.
        (error: Error) => error.name === 'ReplyError' && this.replied(error.message, null),
      );
    });
  }

  /** Gives it up; nothing is told any more. */
  close(): void {
    this.isGone = true;
    this.redis.disconnect();
  }

  private replied(error: ReplyText, value: unknown): void {
    if (!this.isGone) this.events.onReply(error, value);
  }

  private gone(cause: Error): void {
    if (this.isGone) return;
    this.close();
    this.events.onLost(this.lastError ?? cause);
  }
}

/** `open` is called once, when it connects. */
function newRedis(open: () => GuardedStream): Redis {
  class Connector extends AbstractConnector {
    constructor() {
      super(GOODBYE_MS);
    }
    override connect(): Promise<Socket> {
      // All that it does with a socket, a guarded stream can.
      const stream = open() as unknown as Socket;
      this.stream = stream;
      stream.once('error', (error) => (this.firstError = error));
      return Promise.resolve(stream);
    }
  }
  return new Redis({
    Connector,
    lazyConnect: true,
    protocol: 2,
    // One attempt, made by us: no queue, no retries, no resends, no greeting, no timers of its own.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: 0,
  });
}
