/**
 * Addresses the sidecar listens on: `host:port` and `unix:/path`, and whether one of them can be reached from another
 * machine. Knows no option and no socket.
 */
import { accepted, REJECTED, type Kind } from './kinds.js';

/** A port of a host: to listen on, or to connect to. */
export interface TcpAddress {
  readonly kind: 'tcp';
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 lets the system choose a free one. */
  readonly port: number;
}

/** A socket in the file system. */
export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

/** Where clients connect to. */
export type ListenAddress = TcpAddress | UnixAddress;

/** Reads `host:port` with a host name, an IPv4 address or `[IPv6]`; null when it is none. */
export function parseHostPort(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  return port > 65535 ? null : { host: (match[1] ?? match[2])!, port };
}

/** `host:port`; port 0 is a free one. */
export const tcpAddress: Kind<TcpAddress> = {
  placeholder: 'host:port',
  allowed: 'host:port, as in 127.0.0.1:9380 or [::1]:9380',
  parse(text) {
    const address = parseHostPort(text);
    return address === null ? REJECTED : accepted({ kind: 'tcp', ...address });
  },
};

/** Longer paths do not fit into `sockaddr_un`, which holds 108 bytes with the final zero. */
const MAX_UNIX_PATH_BYTES = 107;

/** `host:port` or `unix:/path`. */
export const listenAddress: Kind<ListenAddress> = {
  placeholder: 'address',
  allowed: `host:port or unix:/path (at most ${MAX_UNIX_PATH_BYTES} bytes), as in 127.0.0.1:6380, [::1]:6380, unix:/run/respool.sock`,
  parse(text) {
    if (!text.startsWith('unix:')) return tcpAddress.parse(text);
    const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    return isUnixPath(path) ? accepted({ kind: 'unix', path }) : REJECTED;
  },
};

/** Whether a unix socket can have this path. */
export function isUnixPath(path: string): boolean {
  return /^\/[^\0]*[^\0/]$/.test(path) && Buffer.byteLength(path) <= MAX_UNIX_PATH_BYTES;
}

/** The text that `listenAddress` reads back. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Whether only processes of this machine can connect. A name other than `localhost` may mean anything. */
export function isLocal(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true;
  const host = address.host.toLowerCase();
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
