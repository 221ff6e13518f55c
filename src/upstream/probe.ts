/**
 * The health probe: a connection of its own, beside the lanes, that asks the upstream once a second how it is. Control
 * plane only: ioredis decodes, queues and retries by itself, which is why no client's command ever touches it and why
 * all of that is switched off here.
 */
import { Redis } from 'ioredis';
import type { Clock, Timer } from '../base/clock.js';
import type { Identity } from '../command/connection-state.js';
import type { SocketAddress } from './socket-transport.js';

export interface ProbeOptions {
  readonly address: SocketAddress;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly periodMs: number;
  readonly timeoutMs: number;
  /** Called after each probe: null when the upstream answered, else why it did not. */
  readonly onResult: (problem: Error | null) => void;
}

export class Probe {
  private readonly redis: Redis;
  private readonly timer: Timer;
  private busy = false;
  private closed = false;

  constructor(private readonly options: ProbeOptions) {
    this.redis = newClient(options);
    // Each attempt reports its own failure; without a listener ioredis would print it.
    this.redis.on('error', () => undefined);
    this.timer = options.clock.every(options.periodMs, () => void this.ask());
    void this.ask();
  }

  close(): void {
    this.closed = true;
    this.timer.cancel();
    this.redis.disconnect();
  }

  private async ask(): Promise<void> {
    if (this.busy || this.closed) return;
    this.busy = true;
    try {
      if (this.redis.status !== 'ready') await this.redis.connect();
      await this.redis.ping();
      this.report(null);
    } catch (problem) {
      const error = problem instanceof Error ? problem : new Error(String(problem));
      // An error reply is an answer: the upstream lives, whatever it thinks of PING (NOAUTH, BUSY, LOADING).
      this.report(error.name === 'ReplyError' ? null : error);
      if (error.name !== 'ReplyError') this.redis.disconnect();
    } finally {
      this.busy = false;
    }
  }

  private report(problem: Error | null): void {
    if (!this.closed) this.options.onResult(problem);
  }
}

function newClient({ address, identity, timeoutMs }: ProbeOptions): Redis {
  const { credentials } = identity;
  const user = credentials?.user ?? null;
  const base = {
    lazyConnect: true,
    protocol: 2 as const,
    connectionName: 'respool-probe',
    // One attempt at a time, made by us: no queue, no retries, no resends, no second guess.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    ...(credentials === null ? {} : { password: credentials.password }),
    ...(user === null ? {} : { username: user }),
  };
  if (address.kind === 'unix') return new Redis({ ...base, path: address.path });
  const { host, port, tls } = address;
  if (tls === null) return new Redis({ ...base, host, port });
  const { ca, cert, key, servername } = tls;
  return new Redis({
    ...base,
    host,
    port,
    tls: {
      ...(ca === null ? {} : { ca }),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
      ...(servername === null ? {} : { servername }),
    },
  });
}
