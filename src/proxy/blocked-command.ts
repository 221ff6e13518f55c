/**
 * A blocking pop or read that is waiting upstream. If its connection is lost it waits on, for the time that it has left,
 * and is sent again on the next one; a worker that polls never notices. When its own timeout passes first the answer is
 * nil, which is true: nothing arrived. (SEMANTICS §7. What a dying server popped for it was lost with or without us.)
 */
import type { Clock, Timer } from '../base/clock.js';
import { blockingTimeoutOf, type BlockingTimeout } from '../command/blocking-timeout.js';
import type { RespVersion } from '../command/connection-state.js';
import { TimeoutError, type UpstreamConnection } from '../upstream/connection.js';
import { BLOCKING } from '../upstream/in-flight.js';
import type { ReplyReceiver } from '../upstream/receiver.js';

const NIL = { 2: Buffer.from('*-1\r\n'), 3: Buffer.from('_\r\n') } as const;
/** The least that is left to wait for when it is sent again: 0 would mean for ever. */
const LEAST_MS = 1;

export interface BlockedOptions {
  readonly clock: Clock;
  /** How much later than its timeout the upstream may answer. */
  readonly graceMs: number;
  readonly owner: ReplyReceiver;
  readonly resp: RespVersion;
  /** It may be sent again when its connection is lost. */
  readonly mayRepeat: () => boolean;
  /** Its own time is over: this is its answer. */
  readonly timedOut: (nil: Buffer) => void;
  /** Nothing had come for it when it was called off. */
  readonly calledOff: () => void;
  /** It has been answered, or its time is over: it needs no connection any more. */
  readonly ended: () => void;
}

export class BlockedCommand implements ReplyReceiver {
  /** Its connection was lost; it is to be sent again. */
  isWaiting = false;
  private timer: Timer | null = null;
  /** What it waits on upstream. */
  private connection: UpstreamConnection | null = null;
  /** Whether the upstream has been asked to answer now. */
  private callingOff: 'no' | 'asking' | 'asked' | 'in vain' = 'no';
  private readonly deadline: number;

  /** Null when `args` is nothing that can be repeated. */
  static from(args: readonly Buffer[], options: BlockedOptions): BlockedCommand | null {
    const timeout = blockingTimeoutOf(args);
    return timeout === null ? null : new BlockedCommand(timeout, options);
  }

  private constructor(
    private readonly timeout: BlockingTimeout,
    private readonly options: BlockedOptions,
  ) {
    this.deadline = timeout.ms === 0 ? Infinity : options.clock.now() + timeout.ms;
  }

  /** It was sent: an upstream that lets its timeout pass in silence is gone. */
  sentOn(connection: UpstreamConnection): void {
    this.connection = connection;
    this.startTimer(this.options.graceMs, () => this.giveUpOn(connection));
  }

  /** Its time is long over. While a script runs nobody is answered, and the script may yet push what is waited for. */
  private giveUpOn(connection: UpstreamConnection): void {
    if (!connection.isSilencedByOthers) {
      return connection.fail(
        new TimeoutError('a blocking command was not answered after its timeout'),
      );
    }
    const { clock, graceMs } = this.options;
    this.timer = clock.after(graceMs, () => this.giveUpOn(connection));
  }

  sendAgain(connection: UpstreamConnection): void {
    this.isWaiting = false;
    const left = Math.max(LEAST_MS, this.deadline - this.options.clock.now());
    const frame = this.timeout.withTimeout(left === Infinity ? 0 : left);
    connection.send(this, frame, 0, frame.length, 1, BLOCKING);
    this.sentOn(connection);
  }

  /** There is no connection to send it on yet. */
  waitForConnection(): void {
    this.waitOn();
  }

  cancel(): void {
    this.timer?.cancel();
  }

  /**
   * Its client is to be seen off, but what has been popped for it must reach it: asks the upstream to answer now. To be
   * called again until it has, because it may not have begun to wait. False: no answer is to be expected.
   */
  callOff(): boolean {
    if (this.isWaiting || this.connection === null) return false;
    if (this.callingOff === 'no' || this.callingOff === 'asked') {
      this.callingOff = 'asking';
      const canAsk = this.connection.callOff((isUnderstood) => {
        this.callingOff = isUnderstood ? 'asked' : 'in vain';
      });
      if (!canAsk) this.callingOff = 'in vain';
    }
    return this.callingOff !== 'in vain';
  }

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    if (completed > 0) this.end();
    // The client would take a nil for the end of its own timeout; cut off, it asks again elsewhere.
    if (this.callingOff !== 'no' && isNil(chunk, start, end)) return this.options.calledOff();
    this.options.owner.receive(chunk, start, end, completed);
  }

  /** As any other command it is said again when the upstream serves, from the beginning. */
  unserved(count: 1, frame: Buffer, request: Buffer | null): boolean {
    const isTaken = this.options.owner.unserved?.(count, frame, request) ?? false;
    if (isTaken) this.end();
    return isTaken;
  }

  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void {
    if (midReply || !this.options.mayRepeat()) {
      this.end();
      return this.options.owner.lose(count, midReply, cause, requests);
    }
    this.waitOn();
  }

  refuse(): void {
    this.waitOn();
  }

  private waitOn(): void {
    this.isWaiting = true;
    this.startTimer(0, () => {
      this.isWaiting = false;
      this.end();
      this.options.timedOut(NIL[this.options.resp]);
    });
  }

  private startTimer(extraMs: number, task: () => void): void {
    this.timer?.cancel();
    if (this.deadline === Infinity) return;
    this.timer = this.options.clock.after(this.deadline - this.options.clock.now() + extraMs, task);
  }

  private end(): void {
    this.timer?.cancel();
    this.options.ended();
  }
}

function isNil(chunk: Buffer, start: number, end: number): boolean {
  return end - start <= 5 && /^(\*-1|\$-1|_)\r\n$/.test(chunk.toString('latin1', start, end));
}
