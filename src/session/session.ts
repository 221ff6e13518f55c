/**
 * What one client has said so far, and what of it must hold on whichever upstream connection its next command takes.
 * A setting counts only once the upstream's reply has confirmed it: `confirm` is the one place where state changes.
 * Knows no sockets and no lanes.
 */
import { asksAboutConnection, subcommand } from '../command/effect.js';
import type {
  ConnectionState,
  Identity,
  IdentityRegister,
  RespVersion,
} from '../command/connection-state.js';
import type { SessionEffect } from '../command/table.js';
import { Subscriptions } from './subscriptions.js';

/**
 * - `none` no transaction.
 * - `watching` WATCH holds, MULTI was not said yet.
 * - `open` MULTI was accepted; commands are being queued upstream.
 * - `broken` MULTI was said, but the connection that held the queue is lost: nothing of it will run.
 */
export type Transaction = 'none' | 'watching' | 'open' | 'broken';

/**
 * What ties the client to the connection that it has, until it leaves:
 * - `none` nothing.
 * - `named` it was told about it, or has given it a name; should it be lost, another one is as good.
 * - `bound` it has left on it what cannot be had on another one unnoticed, such as tracking.
 */
export type Tie = 'none' | 'named' | 'bound';

/** How much of a reply `confirm` needs to see. */
export const CONFIRMATION_BYTES = 16;

export class Session {
  transaction: Transaction = 'none';
  /** A WATCH was lost with its connection: the next EXEC must fail as if a watched key had changed. */
  watchLost = false;
  tie: Tie = 'none';
  readonly subscriptions = new Subscriptions();

  constructor(
    public identity: Identity,
    public state: ConnectionState,
    private readonly identities: IdentityRegister,
  ) {}

  /** Nothing stays behind on the connection when the client's commands are answered. */
  get isClean(): boolean {
    return this.transaction === 'none' && this.tie === 'none';
  }

  /** Applies what a command changed. `reply` is the beginning of the upstream's answer to it. */
  confirm(effect: SessionEffect, args: readonly Buffer[], reply: Buffer): void {
    const failed = reply[0] === 0x2d; // '-'
    const queued = reply.toString('latin1').startsWith('+QUEUED');
    switch (effect) {
      case 'multi':
        if (!failed) this.transaction = 'open';
        return;
      case 'exec':
        // EXECABORT ends the transaction; any other error leaves it as it was (ERR EXEC without MULTI, wrong arity).
        if (!failed || reply.toString('latin1').startsWith('-EXECABORT')) this.endTransaction();
        return;
      case 'discard':
        if (!failed) this.endTransaction();
        return;
      case 'watch':
        if (!failed && !queued && this.transaction === 'none') this.transaction = 'watching';
        return;
      case 'unwatch':
        if (!failed && !queued) this.endTransaction();
        return;
      case 'tied':
        if (!failed) this.tieBy(args);
        return;
      case 'auth':
      case 'hello':
      case 'select':
      case 'name':
      case 'library':
        if (!failed && !queued) this.applySetting(effect, args);
        return;
      default:
        return;
    }
  }

  /** The connection that held the transaction is gone. */
  connectionLost(): void {
    if (this.transaction === 'watching') {
      this.transaction = 'none';
      this.watchLost = true;
    } else if (this.transaction === 'open') {
      this.transaction = 'broken';
    }
  }

  endTransaction(): void {
    this.transaction = 'none';
    this.watchLost = false;
  }

  private tieBy(args: readonly Buffer[]): void {
    if (this.tie === 'bound' || args[2]?.toString('latin1').toLowerCase() === 'off') return;
    this.tie = asksAboutConnection(args) ? 'named' : 'bound';
  }

  private applySetting(
    effect: 'auth' | 'hello' | 'select' | 'name' | 'library',
    args: readonly Buffer[],
  ): void {
    const text = (index: number): string => args[index]?.toString('latin1') ?? '';
    switch (effect) {
      case 'auth':
        this.authenticateAs(args.length > 2 ? text(1) : null, text(args.length - 1));
        return;
      case 'select':
        this.state = { ...this.state, db: Number(text(1)) };
        return;
      case 'name':
        if (subcommand(args) === 'setname') this.call(text(2));
        return;
      case 'library':
        this.state =
          text(2).toLowerCase() === 'lib-name'
            ? { ...this.state, libraryName: text(3) }
            : { ...this.state, libraryVersion: text(3) };
        return;
      case 'hello':
        this.applyHello(args);
        return;
    }
  }

  /** HELLO [version [AUTH user password] [SETNAME name]] */
  private applyHello(args: readonly Buffer[]): void {
    if (args.length < 2) return;
    this.state = { ...this.state, resp: Number(args[1]!.toString('latin1')) as RespVersion };
    for (let index = 2; index < args.length; index += 1) {
      const option = args[index]!.toString('latin1').toLowerCase();
      if (option === 'auth') {
        this.authenticateAs(
          args[index + 1]!.toString('latin1'),
          args[index + 2]!.toString('latin1'),
        );
        index += 2;
      } else if (option === 'setname') {
        this.call(args[index + 1]!.toString('latin1'));
        index += 1;
      }
    }
  }

  /** Who looks for it by its name shall find it, and nobody else under that name. */
  private call(name: string): void {
    this.state = { ...this.state, name };
    if (name !== '' && this.tie === 'none') this.tie = 'named';
  }

  private authenticateAs(user: string | null, password: string): void {
    this.identity = this.identities.identityOf({ user, password });
  }
}
