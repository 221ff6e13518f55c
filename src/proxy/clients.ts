/** The connected clients: who is let in, how many there are, and how they are seen off. */
import type net from 'node:net';
import type { Clock } from '../base/clock.js';
import { ClientConnection, type ConnectionOptions } from '../downstream/connection.js';
import { RateLimit, type RateLimitOptions } from '../downstream/rate-limit.js';
import type { Lingering, ProxyContext } from './context.js';
import { Dispatcher } from './dispatcher.js';
import { MAX_CLIENTS } from './errors.js';

export interface ClientsOptions {
  readonly clock: Clock;
  readonly maxClients: number;
  /** Null: clients send as fast as they can. */
  readonly clientRate: Pick<RateLimitOptions, 'perSecond' | 'burst'> | null;
  readonly connection: ConnectionOptions;
  /** Everything a dispatcher needs but what this class does for it. */
  readonly context: Omit<ProxyContext, 'lingers' | 'left'>;
}

const LINGER_CHECK_MS = 1000;
/** For a client that was not let in to read why. */
const REFUSED_LINGER_MS = 1000;
const DRAIN_CHECK_MS = 10;

export class Clients {
  private readonly all = new Map<
    Lingering,
    { dispatcher: Dispatcher; connection: ClientConnection; rateLimit: RateLimit | null }
  >();
  private readonly lingering = new Set<Lingering>();
  private readonly context: ProxyContext;

  constructor(private readonly options: ClientsOptions) {
    this.context = {
      ...options.context,
      lingers: (client) => this.lingering.add(client),
      left: (client) => {
        this.all.delete(client);
        this.lingering.delete(client);
      },
    };
    options.clock.every(LINGER_CHECK_MS, () => {
      for (const client of this.lingering) client.releaseIfIdle();
    });
  }

  get count(): number {
    return this.all.size;
  }
  get pinnedCount(): number {
    return count(this.all.values(), ({ dispatcher }) => dispatcher.isPinned);
  }
  /** Replies that clients have not read. */
  get unreadBytes(): number {
    let sum = 0;
    for (const { connection } of this.all.values()) sum += connection.unreadBytes;
    return sum;
  }

  /** Commands go another way from now on. */
  modeChanged(): void {
    for (const { dispatcher } of this.all.values()) dispatcher.modeChanged();
  }

  /** A script keeps the upstream from serving, or does so no more. */
  busyChanged(): void {
    for (const { dispatcher } of this.all.values()) dispatcher.busyChanged();
  }

  accept(socket: net.Socket): void {
    const { observer } = this.options.context;
    if (this.all.size >= this.options.maxClients) {
      observer.connectionsRefused += 1;
      socket.on('error', () => undefined);
      socket.end(MAX_CLIENTS);
      socket.resume();
      // It may leave its side open for ever, and is not among those who are counted.
      this.options.clock.after(REFUSED_LINGER_MS, () => socket.destroy());
      return;
    }
    observer.connectionsAccepted += 1;
    const connection = new ClientConnection(socket, this.options.connection);
    const dispatcher = new Dispatcher(connection, this.context);
    const rateLimit = this.rateLimitOf(dispatcher, connection);
    this.all.set(dispatcher, { dispatcher, connection, rateLimit });
    connection.attach(rateLimit ?? dispatcher);
  }

  private rateLimitOf(dispatcher: Dispatcher, connection: ClientConnection): RateLimit | null {
    const { clientRate, clock, context } = this.options;
    if (clientRate === null) return null;
    return new RateLimit(dispatcher, {
      ...clientRate,
      clock,
      resume: () => connection.resume(),
      onSlowedDown: () => (context.observer.clientsSlowedDown += 1),
    });
  }

  /** Lets what is in flight finish, for at most `limitMs`; closes each client as soon as it awaits nothing. */
  async drain(limitMs: number): Promise<void> {
    const { clock } = this.options;
    const deadline = clock.now() + limitMs;
    for (const { rateLimit } of this.all.values()) rateLimit?.lift();
    while (this.all.size > 0 && clock.now() < deadline) {
      for (const { dispatcher } of this.all.values()) dispatcher.seeOff();
      await new Promise<void>((resolve) => void clock.after(DRAIN_CHECK_MS, resolve));
    }
    for (const { connection } of this.all.values()) connection.destroy();
  }
}

function count<T>(items: Iterable<T>, test: (item: T) => boolean): number {
  let total = 0;
  for (const item of items) if (test(item)) total += 1;
  return total;
}
