/**
 * The probe: the one place where the upstream is asked how it is, on a connection of its own beside the lanes. Once a
 * second while all is well, so that an idle sidecar notices too, and when the breaker wants to know. PING alone says
 * little (FAULTS.md 5), so it also asks for a write that changes nothing:
 *
 *   AUTH, CLIENT SETNAME (a new connection) ─► PING ─► DEL <prefix>probe ─► TIME ─► judged: null, or why it cannot serve
 *
 * Each asking ends by its own deadline, whatever the upstream does.
 */
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Identity } from '../command/connection-state.js';
import { TimeoutError } from './deadline.js';
import type { Demotion } from './demotion.js';
import { ProbeClient, type ReplyText } from './probe-client.js';
import type { Silence } from './silence.js';
import type { SocketAddress } from './socket-transport.js';

export interface ProbeOptions {
  readonly address: SocketAddress;
  /** The sidecar's own. */
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly silence: Pick<Silence, 'isExplained' | 'isPaused'>;
  readonly demotion: Pick<Demotion, 'isOrdered' | 'explains' | 'forget'>;
  readonly periodMs: number;
  /** For one asking, from connecting to the last reply. */
  readonly timeoutMs: number;
  /** Deleted to see whether writes are taken; nobody ever sets it. */
  readonly key: string;
  /** Whether an error reply says that the server cannot serve; `wasWritable`: it has taken writes in this process's life. */
  readonly isFailure: (reply: string, wasWritable: boolean) => boolean;
  /**
   * Records wait for the upstream: one that takes no writes cannot serve then, for whatever reason, nor can one that does
   * not let us in.
   */
  readonly owesWrites: () => boolean;
  /** Asked each period; false: the breaker asks by itself now. */
  readonly isWatching: () => boolean;
  /**
   * What an asking has found, null for nothing wrong; of its own, and of `ask` before that is answered. Not called for one
   * that was given up.
   */
  readonly onResult: (problem: Error | null) => void;
}

interface Asking {
  /** Null: by the period. */
  readonly done: ((problem: Error | null) => void) | null;
  readonly timer: Timer;
  /** The upstream was meant to be a replica when it was asked. */
  readonly wasDemoted: boolean;
  /** What the login said; on an older connection it has said it before. */
  greetingsLeft: number;
  /** To PING and DEL, as far as they have come. */
  readonly replies: ReplyText[];
  problem: Error | null;
}

const CREDENTIALS = /^(NOAUTH|WRONGPASS|ERR AUTH|ERR invalid password)\b/;
/** PING, DEL and TIME. */
const QUESTIONS = 3;

export class Probe {
  private readonly period: Timer;
  private client: ProbeClient | null = null;
  private asking: Asking | null = null;
  private closed = false;
  private time: { readonly wallMs: number; readonly atMs: number } | null = null;
  private wasLetIn = false;
  private hasWritten = false;
  private hasToldReplica = false;

  constructor(private readonly options: ProbeOptions) {
    this.period = options.clock.every(options.periodMs, () => this.look());
    this.look();
  }

  /** The upstream has taken writes in this process's life: it is no mere replica. */
  get wasWritable(): boolean {
    return this.hasWritten;
  }

  /**
   * Asks now, on a new connection: one that stands says nothing about whether others can be made. `done` is called once,
   * later and within the deadline; with an Error when `close` or another `ask` comes first.
   */
  ask(done: (problem: Error | null) => void): void {
    if (this.closed) {
      done(new Error('the probe is closed'));
      return;
    }
    this.giveUp(new Error('asked again'));
    this.dropClient();
    this.begin(done);
  }

  close(): void {
    this.closed = true;
    this.period.cancel();
    this.giveUp(new Error('the probe is closed'));
    this.dropClient();
  }

  /**
   * The upstream's wall clock in milliseconds, carried on by our monotonic one since it was last asked: what it will judge
   * an expiry by, whatever becomes of our own wall clock. Null when it has never said.
   */
  get upstreamWallMs(): number | null {
    const { time } = this;
    return time === null ? null : time.wallMs + (this.options.clock.now() - time.atMs);
  }

  private look(): void {
    const { silence, isWatching } = this.options;
    // A pause would hold up its write, and INFO show a blocked client that is none.
    if (this.asking === null && !silence.isPaused && isWatching()) this.begin(null);
  }

  private begin(done: Asking['done']): void {
    const { clock, timeoutMs, key, identity, demotion } = this.options;
    const isNew = this.client === null;
    this.client ??= this.connect();
    // A process that was stopped itself finds its timers due before it has read what came meanwhile.
    const timer = clock.after(timeoutMs, () => clock.endOfTick(() => this.timedOut(asking)));
    const greetingsLeft = isNew ? (identity.credentials === null ? 1 : 2) : 0;
    const wasDemoted = demotion.isOrdered;
    const asking: Asking = { done, timer, wasDemoted, greetingsLeft, replies: [], problem: null };
    this.asking = asking;
    this.client.send('PING');
    this.client.send('DEL', key);
    this.client.send('TIME');
  }

  private connect(): ProbeClient {
    const { address, identity } = this.options;
    return new ProbeClient(address, identity, {
      onReply: (error, value) => this.replied(error, value),
      onLost: (cause) => this.lost(cause),
    });
  }

  private replied(error: ReplyText, value: unknown): void {
    const { asking } = this;
    if (asking === null) return;
    const isGreeting = asking.greetingsLeft > 0;
    if (error !== null) asking.problem ??= this.problemIn(error, isGreeting);
    if (isGreeting) {
      asking.greetingsLeft -= 1;
      return;
    }
    asking.replies.push(error);
    if (asking.replies.length < QUESTIONS) return;
    if (error === null) this.learnTime(value);
    if (asking.problem === null) this.learn(asking);
    this.end(asking, asking.problem);
  }

  /** The upstream serves; what it allows is remembered. */
  private learn({ replies, wasDemoted }: Asking): void {
    if (!replies.some((reply) => reply !== null && CREDENTIALS.test(reply))) this.wasLetIn = true;
    const [, write] = replies;
    if (write === null) {
      this.hasWritten = true;
      // Somebody has taken it back elsewhere.
      if (wasDemoted) this.options.demotion.forget();
    } else if (write !== undefined && write.startsWith('READONLY') && !this.hasToldReplica) {
      this.hasToldReplica = true;
      this.options.logger.info('the upstream is a replica and takes no writes', { reply: write });
    }
  }

  private learnTime(reply: unknown): void {
    const [seconds, microseconds] = Array.isArray(reply) ? reply.map(Number) : [];
    const wallMs = (seconds ?? NaN) * 1000 + (microseconds ?? NaN) / 1000;
    if (Number.isFinite(wallMs)) this.time = { wallMs, atMs: this.options.clock.now() };
  }

  private problemIn(error: string, isGreeting: boolean): Error | null {
    const { isFailure, owesWrites, demotion } = this.options;
    if (error.startsWith('NOPERM')) return null;
    const isProblem =
      (owesWrites() && !isGreeting) ||
      (isFailure(error, this.hasWritten) && !demotion.explains(error)) ||
      (CREDENTIALS.test(error) && (this.wasLetIn || this.hasCredentials));
    return isProblem ? new Error(`the upstream says ${error}`) : null;
  }

  private get hasCredentials(): boolean {
    return this.options.identity.credentials !== null;
  }

  private lost(cause: Error): void {
    this.client = null;
    if (this.asking !== null) this.end(this.asking, this.asking.problem ?? cause);
  }

  private timedOut(asking: Asking): void {
    if (asking !== this.asking) return;
    this.dropClient();
    const { timeoutMs, silence } = this.options;
    const isPeriodic = asking.done === null;
    if (isPeriodic && silence.isExplained) this.asking = null;
    // Only its writes are held up (CLIENT PAUSE WRITE): its reads are better than none.
    else if (isPeriodic && asking.replies.length > 0) this.end(asking, asking.problem);
    else this.end(asking, new TimeoutError(`the upstream did not reply within ${timeoutMs} ms`));
  }

  /** Ends the asking at hand without a result. */
  private giveUp(why: Error): void {
    const { asking } = this;
    if (asking === null) return;
    this.asking = null;
    asking.timer.cancel();
    asking.done?.(why);
  }

  private end(asking: Asking, problem: Error | null): void {
    this.asking = null;
    asking.timer.cancel();
    this.options.onResult(problem);
    asking.done?.(problem);
  }

  private dropClient(): void {
    this.client?.close();
    this.client = null;
  }
}
