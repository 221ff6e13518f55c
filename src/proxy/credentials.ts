/** What AUTH and HELLO say about who a client is. */
import { encodeCommand } from '../resp/encoder.js';

export interface Credentials {
  /** Null: AUTH with a password alone. Latin-1, so that any byte survives. */
  readonly user: string | null;
  readonly password: string;
  /** The command without them; null when nothing is left of it. */
  readonly rest: Buffer | null;
}

/** Null when the command (AUTH or HELLO) carries none, or not in a form that Redis takes. */
export function credentialsIn(args: readonly Buffer[]): Credentials | null {
  const text = (index: number): string => args[index]!.toString('latin1');
  if (isAuth(args)) {
    if (args.length !== 2 && args.length !== 3) return null;
    const user = args.length === 3 ? text(1) : null;
    return { user, password: text(args.length - 1), rest: null };
  }
  const at = authOptionAt(args);
  if (at === -1 || at + 2 >= args.length) return null;
  const rest = encodeCommand([...args.slice(0, at), ...args.slice(at + 3)]);
  return { user: text(at + 1), password: text(at + 2), rest };
}

export function isAuth(args: readonly Buffer[]): boolean {
  return args[0]!.toString('latin1').toLowerCase() === 'auth';
}

/** Where AUTH stands among the options of HELLO, or -1. */
export function authOptionAt(args: readonly Buffer[]): number {
  return args.findIndex(
    (argument, index) => index > 1 && argument.toString('latin1').toLowerCase() === 'auth',
  );
}
