/**
 * The sidecar's own password (`requirepass`): a client passes once it has given it, with AUTH or HELLO, as the default
 * user. Any other user is the upstream's to judge. The texts are Redis'.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { encodeCommand, encodeError, OK_REPLY } from '../resp/encoder.js';
import { authOptionAt, isAuth } from './credentials.js';
import { NOAUTH_HELLO, NOPROTO, NOT_A_VERSION, WRONGPASS } from './errors.js';

export type Verdict =
  | { readonly kind: 'reply'; readonly reply: Buffer; readonly isAccepted: boolean }
  /** The credentials are another user's: ask the upstream. */
  | { readonly kind: 'upstream' }
  /** The password was right; the rest of the command remains to be done. */
  | { readonly kind: 'go-on'; readonly rewritten: Buffer };

export class PasswordGate {
  isOpen: boolean;

  /** `password` null: there is no gate. */
  constructor(private readonly password: Buffer | null) {
    this.isOpen = password === null;
  }

  open(): void {
    this.isOpen = true;
  }
  lock(): void {
    this.isOpen = this.password === null;
  }

  /** Whether these credentials are the sidecar's to judge, also from a client that has passed already. */
  concerns(args: readonly Buffer[]): boolean {
    if (this.password === null) return false;
    if (isAuth(args)) return args.length < 3 || isDefaultUser(args[1]!);
    const at = authOptionAt(args);
    return at !== -1 && at + 2 < args.length && isDefaultUser(args[at + 1]!);
  }

  /** Judges AUTH or HELLO. */
  check(args: readonly Buffer[]): Verdict {
    return isAuth(args) ? this.checkAuth(args) : this.checkHello(args);
  }

  private checkAuth(args: readonly Buffer[]): Verdict {
    if (args.length < 2)
      return reply(encodeError("ERR wrong number of arguments for 'auth' command"));
    if (args.length > 3) return reply(encodeError('ERR syntax error'));
    if (args.length === 3 && !isDefaultUser(args[1]!)) return { kind: 'upstream' };
    return this.accepts(args[args.length - 1]!)
      ? { kind: 'reply', reply: OK_REPLY, isAccepted: true }
      : reply(WRONGPASS);
  }

  /** In the order of `helloCommand` (networking.c): the version, the options, the password. */
  private checkHello(args: readonly Buffer[]): Verdict {
    const version = args[1]?.toString('latin1') ?? '2';
    if (!/^-?\d{1,18}$/.test(version)) return reply(NOT_A_VERSION);
    if (version !== '2' && version !== '3') return reply(NOPROTO);
    const at = authOptionAt(args);
    if (at !== -1 && at + 2 >= args.length) {
      const option = args[at]!.toString('latin1');
      return reply(encodeError(`ERR Syntax error in HELLO option '${option}'`));
    }
    if (at === -1) return reply(NOAUTH_HELLO);
    if (!isDefaultUser(args[at + 1]!)) return { kind: 'upstream' };
    if (!this.accepts(args[at + 2]!)) return reply(WRONGPASS);
    const rewritten = encodeCommand([...args.slice(0, at), ...args.slice(at + 3)]);
    return { kind: 'go-on', rewritten };
  }

  private accepts(given: Buffer): boolean {
    const right = this.password !== null && timingSafeEqual(digest(given), digest(this.password));
    if (right) this.isOpen = true;
    return right;
  }
}

function isDefaultUser(name: Buffer): boolean {
  return name.toString('latin1') === 'default';
}

/** Of equal length whatever the input, for a comparison in constant time. */
function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function reply(bytes: Buffer): Verdict {
  return { kind: 'reply', reply: bytes, isAccepted: false };
}
