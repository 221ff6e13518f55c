/**
 * What can stand between client and server: the sidecar, nothing but a pipe (then there must be no
 * difference at all, which calibrates the masks), and programs that are wrong on purpose (then
 * there must be differences, which proves that the checker can find any).
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { startSidecar } from '../helpers/servers.js';
import type { Target } from './lock-step.js';

const STAR = '*'.charCodeAt(0);

/** The sidecar, run as its users run it. */
export const sidecar: Target = async (t, upstream) =>
  (await startSidecar(t, { upstream: upstream.url, args: ['--journal-dir', 'memory'] })).port;

/** Bytes in, the same bytes out. */
export const plainForwarder: Target = forwarder((reply) => reply);

/** What a proxy does that decodes replies and encodes them again: nulls and statuses lose their type. */
export const nullConfusingForwarder: Target = forwarder((reply) =>
  replaceLatin1(reply, /\*-1\r\n/g, '$-1\r\n'),
);

/** A status becomes a bulk string. */
export const statusConfusingForwarder: Target = forwarder((reply) =>
  replaceLatin1(reply, /^\+OK\r\n/g, '$2\r\nOK\r\n'),
);

/** Integers above 2^53 are rounded, as JavaScript numbers are. */
export const roundingForwarder: Target = forwarder((reply) =>
  replaceLatin1(
    reply,
    /^:(-?\d{16,})\r\n/g,
    (_, digits: string) => `:${BigInt(Number(digits))}\r\n`,
  ),
);

/** The answer looks right, the key space is wrong: only the digests show it. */
export const changingForwarder: Target = forwarder(
  (reply) => reply,
  (request) => replaceLatin1(request, /\bstr\r\n/g, 'Str\r\n'),
);

/** What is a set in RESP3 becomes an array. */
export const flatteningForwarder: Target = forwarder((reply) =>
  replaceLatin1(reply, /^~(\d+)\r\n/g, (_, count: string) => `*${count}\r\n`),
);

/** Takes every chunk for a whole request: a piece that begins in the middle is spoilt. */
export const chunkBoundForwarder: Target = forwarder(
  (reply) => reply,
  (request) => (request[0] === STAR ? request : replaceLatin1(request, /str/g, 'int')),
);

/** The client is not told that the server has closed the connection. */
export const clingingForwarder: Target = forwarder(
  (reply) => reply,
  (request) => request,
  'clings',
);

function replaceLatin1(
  bytes: Buffer,
  pattern: RegExp,
  by: string | ((match: string, group: string) => string),
): Buffer {
  const text = bytes.toString('latin1');
  const changed = typeof by === 'string' ? text.replace(pattern, by) : text.replace(pattern, by);
  return Buffer.from(changed, 'latin1');
}

function forwarder(
  onReply: (bytes: Buffer) => Buffer,
  onRequest: (bytes: Buffer) => Buffer = (bytes) => bytes,
  atEnd: 'closes' | 'clings' = 'closes',
): Target {
  return async (t, upstream) => {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      const redis = connect({ port: upstream.port, host: upstream.host, noDelay: true });
      for (const socket of [client, redis]) {
        sockets.add(socket);
        socket.on('error', () => [client, redis].forEach((each) => each.destroy()));
        socket.on('close', () => sockets.delete(socket));
      }
      client.on('data', (bytes) => redis.write(onRequest(bytes)));
      redis.on('data', (bytes) => client.write(onReply(bytes)));
      client.on('end', () => redis.end());
      redis.on('end', () => (atEnd === 'closes' ? client.end() : undefined));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t?.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
}
