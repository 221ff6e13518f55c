/** Many raw clients at once, for tests about numbers of connections. */
import type { Cleanup } from './child-process.js';
import { connectRaw, type RawClient } from './raw-client.js';

const WAVE = 100;

/** Connects `count` clients in waves, so that the listener's backlog is not what is tested; `t` resets them. */
export async function connectMany(t: Cleanup, port: number, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  t?.after(() => clients.forEach((client) => client.reset()));
  while (clients.length < count) {
    const wave = Math.min(WAVE, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: wave }, () => connectRaw(port)))));
  }
  return clients;
}
