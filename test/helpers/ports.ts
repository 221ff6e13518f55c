/**
 * Free TCP ports for servers that cannot report the one they chose.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/**
 * `count` different ports of 127.0.0.1 that were free a moment ago. Somebody else may take one
 * before it is used: whoever starts a server on it tries again (see `servers.ts`).
 */
export async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer());
  for (const holder of holders) {
    holder.listen(0, '127.0.0.1');
    await once(holder, 'listening');
  }
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port);
  for (const holder of holders) {
    holder.close();
    await once(holder, 'close');
  }
  return ports;
}

/** One port, as `freePorts`. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('unreachable: one port was asked for');
  return port;
}
