/**
 * What a connection to Redis remembers and what must therefore be re-applied when a client's next command goes to
 * another one (the idea of pgbouncer's varcache): who it is, which database, which protocol, which name.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { encodeCommand } from '../resp/encoder.js';

/** Credentials that an upstream accepted, or is to accept. Interned by `identityOf`: equal means identical. */
export interface Identity {
  /** For keys of maps; carries no secret. */
  readonly id: number;
  /** Null: never authenticated; the connection is whatever the upstream lets strangers be. */
  readonly credentials: { readonly user: string | null; readonly password: string } | null;
}

export type RespVersion = 2 | 3;

export interface ConnectionState {
  readonly db: number;
  readonly resp: RespVersion;
  /** As set by CLIENT SETNAME; empty is none. Latin-1, so that any byte survives. */
  readonly name: string;
  readonly libraryName: string;
  readonly libraryVersion: string;
}

/** The state of a connection that has said nothing yet. */
export const FRESH_STATE: ConnectionState = {
  db: 0,
  resp: 2,
  name: '',
  libraryName: '',
  libraryVersion: '',
};

/** `state` after the change that leads from `before` to `after`. */
export function changedLike(
  state: ConnectionState,
  before: ConnectionState,
  after: ConnectionState,
): ConnectionState {
  const keys = Object.keys(after) as (keyof ConnectionState)[];
  const changes = keys.filter((key) => before[key] !== after[key]);
  return { ...state, ...Object.fromEntries(changes.map((key) => [key, after[key]])) };
}

/** The commands that bring a connection from one state to the other, in order; none when they are equal. */
export function commandsBetween(from: ConnectionState, to: ConnectionState): Buffer[] {
  const commands: Buffer[] = [];
  if (from.resp !== to.resp) commands.push(encodeCommand(['HELLO', to.resp]));
  if (from.name !== to.name) {
    commands.push(encodeCommand(['CLIENT', 'SETNAME', Buffer.from(to.name, 'latin1')]));
  }
  if (from.libraryName !== to.libraryName) commands.push(setInfo('LIB-NAME', to.libraryName));
  if (from.libraryVersion !== to.libraryVersion)
    commands.push(setInfo('LIB-VER', to.libraryVersion));
  if (from.db !== to.db) commands.push(encodeCommand(['SELECT', to.db]));
  return commands;
}

function setInfo(field: string, value: string): Buffer {
  return encodeCommand(['CLIENT', 'SETINFO', field, Buffer.from(value, 'latin1')]);
}

/** AUTH with these credentials; null when there are none to give. */
export function authCommand(identity: Identity): Buffer | null {
  if (identity.credentials === null) return null;
  const { user, password } = identity.credentials;
  const secret = Buffer.from(password, 'latin1');
  return encodeCommand(
    user === null ? ['AUTH', secret] : ['AUTH', Buffer.from(user, 'latin1'), secret],
  );
}

/** Where Redis takes any password (nopass), a client can make up as many as it likes. */
const MAX_KNOWN = 1024;

interface Known {
  readonly identity: Identity;
  readonly digest: Buffer;
}

/**
 * Gives every pair of credentials that an upstream has accepted one Identity, as long as it is among the latest; an
 * older one is made anew.
 */
export class IdentityRegister {
  private readonly known = new Map<string, Known>();
  private readonly salt = randomBytes(32);
  private nextId = 0;

  /** The identity of credentials that are known, compared in constant time; null for all others. */
  accepted(user: string | null, password: string): Identity | null {
    const digest = this.digestOf(keyOf({ user, password }));
    let found: Identity | null = null;
    for (const known of this.known.values())
      if (timingSafeEqual(known.digest, digest)) found = known.identity;
    return found;
  }

  identityOf(credentials: Identity['credentials']): Identity {
    const key = keyOf(credentials);
    const known = this.known.get(key);
    if (known !== undefined) return known.identity;
    const identity = { id: this.nextId, credentials };
    this.nextId += 1;
    this.known.set(key, { identity, digest: this.digestOf(key) });
    if (this.known.size > MAX_KNOWN) this.known.delete(this.known.keys().next().value!);
    return identity;
  }

  private digestOf(key: string): Buffer {
    return createHmac('sha256', this.salt).update(key).digest();
  }
}

function keyOf(credentials: Identity['credentials']): string {
  if (credentials === null) return 'null';
  // A password alone is the default user's.
  return JSON.stringify([credentials.user ?? 'default', credentials.password]);
}
