/**
 * The upstream's URL: what it may look like, what it means, and how it is shown to people. A parser of our own, because
 * passwords are pasted into these URLs as they are (`/`, `@`, `#`), and because a URL that cannot be read must still be
 * printed without its password. Secrets live in the parsed value only; `describeUpstream` and `maskUrl` never show one.
 */
import { isUnixPath, parseHostPort } from './addresses.js';
import { accepted, REJECTED, type Kind, type Parsed } from './kinds.js';

/** What the sidecar says about itself to the upstream. `user` without `password` is completed from a secret. */
export interface Login {
  readonly user: string | null;
  readonly password: string | null;
  readonly db: number;
}

/** An upstream that this version can speak to. */
export type Upstream =
  | ({
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: boolean;
    } & Login)
  | ({ readonly kind: 'unix'; readonly path: string } & Login)
  | { readonly kind: 'embedded' };

/** Everything the option `upstream` can name, also what a later version will speak. */
export type UpstreamUrl =
  | Upstream
  | ({
      readonly kind: 'sentinel';
      readonly sentinels: readonly { readonly host: string; readonly port: number }[];
      readonly name: string;
    } & Login)
  | ({
      readonly kind: 'cluster';
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
    } & Login);

/** Redis has 16 databases unless told otherwise; nobody has more than this. */
const MAX_DB = 65535;
const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;

/** The option `upstream`: any URL the program will ever speak, so that each gets its own sentence. */
export const upstreamUrl: Kind<UpstreamUrl> = {
  placeholder: 'url',
  allowed:
    'redis://[user:password@]host[:port][/db], rediss://… (TLS), unix:///path[?db=n], embedded:, ' +
    'sentinel://host:port,host:port/name, cluster://host:port,host:port',
  parse(text) {
    if (text === 'embedded:' || text === 'embedded') return accepted({ kind: 'embedded' });
    const match = /^(redis|rediss|unix|sentinel|cluster):(.*)$/.exec(
      text.replace(/^unix:\/(?!\/)/, 'unix:///'),
    );
    if (match === null || !match[2]!.startsWith('//')) return REJECTED;
    const split = splitLogin(match[2]!.slice(2));
    if (split === null) {
      return { ok: false, why: 'a % in the user or the password must be written %25' };
    }
    return parseTarget(match[1]!, split.target, split.login);
  },
};

type Credentials = Pick<Login, 'user' | 'password'>;

/** Takes `user:password@` off. The last `@` counts, so that a pasted password may hold one. Null: broken `%`. */
function splitLogin(text: string): { login: Credentials; target: string } | null {
  const at = text.startsWith('/') ? -1 : text.lastIndexOf('@');
  if (at < 0) return { login: { user: null, password: null }, target: text };
  const userinfo = text.slice(0, at);
  const colon = userinfo.indexOf(':');
  const user = colon < 0 ? userinfo : userinfo.slice(0, colon);
  try {
    const login = {
      user: user === '' ? null : decodeURIComponent(user),
      password: colon < 0 ? null : decodeURIComponent(userinfo.slice(colon + 1)),
    };
    return { login, target: text.slice(at + 1) };
  } catch {
    return null;
  }
}

function parseTarget(scheme: string, target: string, login: Credentials): Parsed<UpstreamUrl> {
  const { place, db } = splitDb(scheme, target);
  if (db === null) return { ok: false, why: `the database is a number from 0 to ${MAX_DB}` };
  const common = { ...login, db };
  if (scheme === 'unix') {
    return isUnixPath(place) ? accepted({ kind: 'unix', path: place, ...common }) : REJECTED;
  }
  if (scheme === 'redis' || scheme === 'rediss') {
    const address = parseServer(place, DEFAULT_PORT);
    if (address === null) return REJECTED;
    return accepted({ kind: 'tcp', ...address, tls: scheme === 'rediss', ...common });
  }
  const [list, name = ''] = place.split('/', 2);
  const port = scheme === 'sentinel' ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT;
  const addresses = list!.split(',').map((server) => parseServer(server, port));
  if (!addresses.every((address) => address !== null)) return REJECTED;
  if (scheme === 'cluster') return accepted({ kind: 'cluster', nodes: addresses, ...common });
  return name === ''
    ? REJECTED
    : accepted({ kind: 'sentinel', sentinels: addresses, name, ...common });
}

/** Takes `/db` (TCP) or `?db=n` (any) off; `db` is null when what stands there is no database. */
function splitDb(scheme: string, target: string): { place: string; db: number | null } {
  const hasQuery = target.includes('?');
  if (!hasQuery && scheme !== 'redis' && scheme !== 'rediss') return { place: target, db: 0 };
  const at = target.indexOf(hasQuery ? '?' : '/');
  if (at < 0) return { place: target, db: 0 };
  const rest = target.slice(at + 1);
  const match = hasQuery ? /^db=(\d{1,5})$/.exec(rest) : /^(\d{0,5})$/.exec(rest);
  const db = match === null ? null : Number(match[1]);
  return { place: target.slice(0, at), db: db !== null && db > MAX_DB ? null : db };
}

function parseServer(text: string, defaultPort: number): { host: string; port: number } | null {
  const hasPort = /:\d*$/.test(text.replace(/^\[[^\]]*\]/, ''));
  const address = parseHostPort(hasPort ? text : `${text}:${defaultPort}`);
  return address === null || address.port === 0 ? null : address;
}

/** A URL for people and logs, complete but for the password, which is shown as `***`. */
export function describeUpstream(upstream: UpstreamUrl): string {
  if (upstream.kind === 'embedded') return 'embedded:';
  const user = upstream.user === null ? '' : encodeURIComponent(upstream.user);
  const password = upstream.password === null ? '' : ':***';
  const login = user + password === '' ? '' : `${user}${password}@`;
  const query = upstream.db === 0 ? '' : `?db=${upstream.db}`;
  switch (upstream.kind) {
    case 'tcp': {
      const db = upstream.db === 0 ? '' : `/${upstream.db}`;
      return `${upstream.tls ? 'rediss' : 'redis'}://${login}${formatServer(upstream)}${db}`;
    }
    case 'unix':
      return `unix://${login}${upstream.path}${query}`;
    case 'sentinel':
      return `sentinel://${login}${upstream.sentinels.map(formatServer).join(',')}/${upstream.name}${query}`;
    case 'cluster':
      return `cluster://${login}${upstream.nodes.map(formatServer).join(',')}${query}`;
  }
}

function formatServer({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * `text` with whatever may be a secret replaced by `***`, also when it cannot be read as a URL: all before the last
 * `@` (a lone word there may be a password in the wrong place), and anything after `?` that is called a password.
 */
export function maskUrl(text: string): string {
  return text
    .replace(/^([a-z]+:\/\/)?.*@/is, (_all, scheme: string | undefined) => `${scheme ?? ''}***@`)
    .replace(/([?&][^=&]*pass[^=&]*=)[^&]*/gi, '$1***');
}
