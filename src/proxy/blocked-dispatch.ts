/**
 * The dispatcher's part for commands that wait for data: makes the `BlockedCommand` that goes on waiting when its
 * connection is lost, or when there is no upstream to wait at, and has it sent again once another connection is there.
 * One at a time, and only where nothing else of the client is outstanding; any other waits as a plain command does.
 */
import type { ClientConnection } from '../downstream/connection.js';
import type { Session } from '../session/session.js';
import type { UpstreamConnection } from '../upstream/connection.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { BlockedCommand } from './blocked-command.js';
import type { ProxyContext } from './context.js';
import { unavailableBecause } from './errors.js';
import type { Special } from './special.js';
import type { UpstreamLink } from './upstream-link.js';

/** What it asks of the dispatcher, which takes the reply. */
export interface BlockedHost extends ReplyReceiver {
  readonly session: Session;
  /** Commands that have been passed on and not been answered. */
  outstanding: number;
  replyTo(count: number): ReplyReceiver;
  answerHere(reply: Buffer): boolean;
  /** Asks for the connection on which what was lost is made again. */
  reconnect(): void;
  reposition(): void;
  /** Everything has been answered. */
  settle(): void;
}

export class BlockedDispatch {
  /** The one that waits; null when there is none, or it is none that can be said twice. */
  command: BlockedCommand | null = null;

  constructor(
    private readonly host: BlockedHost,
    private readonly link: UpstreamLink,
    private readonly client: ClientConnection,
    private readonly context: ProxyContext,
  ) {}

  /** It has no connection at the moment, and is sent again on the next. */
  get isWaiting(): boolean {
    return this.command?.isWaiting === true;
  }

  /** Who takes the reply of a command that is about to be sent. */
  receiver(args: readonly Buffer[]): ReplyReceiver {
    const { host } = this;
    if (host.outstanding > 0 || host.session.transaction !== 'none') return host.replyTo(1);
    return this.begin(args) ?? host;
  }

  /** A command was sent on `lease`, and `receiver` takes its reply. */
  sent(receiver: ReplyReceiver, lease: UpstreamConnection): void {
    if (receiver === this.command) this.command.sentOn(lease);
  }

  /** There is no upstream to wait at: waits until there is, or until its own time is over. False: not now. */
  waitForUpstream({ args }: Special): boolean {
    const { host } = this;
    if (host.outstanding > 0) return false;
    const command = this.begin(args);
    if (command === null) return host.answerHere(unavailableBecause(this.context.outage.reason()));
    host.outstanding = 1;
    command.waitForConnection();
    host.reconnect();
    host.reposition();
    return true;
  }

  /** It `isWaiting`, and `lease` is the next connection. */
  continueOn(lease: UpstreamConnection): void {
    const command = this.command!;
    // What it asked for the first time must not be given to a connection that is gone.
    this.context.outage.fences.whenClear(() => {
      if (!command.isWaiting || this.link.lease !== lease) return;
      command.sendAgain(lease);
      this.context.observer.blockedResent += 1;
    });
  }

  private begin(args: readonly Buffer[]): BlockedCommand | null {
    const { host } = this;
    this.command = BlockedCommand.from(args, {
      clock: this.context.clock,
      graceMs: this.context.upstreamTimeoutMs,
      owner: host,
      resp: host.session.state.resp,
      timedOut: (nil) => {
        this.client.replyHere(nil);
        host.outstanding -= 1;
        if (host.outstanding === 0) host.settle();
      },
      mayRepeat: () => host.outstanding === 1 && this.mayRepeat,
      calledOff: () => this.client.finish(null),
      ended: () => {
        this.command = null;
        this.link.stopAsking();
        host.reposition();
      },
    });
    return this.command;
  }

  /** What may have run may be said again, where that is harmless. */
  private get mayRepeat(): boolean {
    const { outage } = this.context;
    return outage.ambiguity === 'repeat' && !outage.fences.isForbidden;
  }
}
