/** Clients that read and write without haste and never mind what they are answered: traffic to look at. */
import type { Cleanup } from './child-process.js';
import { connectRaw, type RawClient } from './raw-client.js';

const TICK_MS = 50;

export class SteadyTraffic {
  #step = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(
    private readonly clients: readonly RawClient[],
    private readonly perSecond: number,
  ) {
    for (const { socket } of clients) socket.resume();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** `clients` connections to a port that together send about `perSecond` commands; `t` ends it. */
  static async start(
    t: Cleanup,
    port: number,
    { clients, perSecond }: { readonly clients: number; readonly perSecond: number },
  ): Promise<SteadyTraffic> {
    const connected: RawClient[] = [];
    while (connected.length < clients) connected.push(await connectRaw(port));
    const traffic = new SteadyTraffic(connected, perSecond);
    t?.after(() => traffic.stop());
    return traffic;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const client of this.clients) client.reset();
  }

  #tick(): void {
    this.#step += 1;
    // It swells and ebbs, as traffic does.
    const wave = 1 + 0.3 * Math.sin(this.#step / 600) + 0.1 * Math.sin(this.#step / 130);
    const commands = Math.round((this.perSecond * wave * TICK_MS) / 1000);
    for (let sent = 0; sent < commands; sent += 1) {
      const client = this.clients[sent % this.clients.length]!;
      const key = `page:${(this.#step * 31 + sent * 7) % 5000}`;
      if (sent % 4 === 0) client.send('SET', key, this.#step);
      else client.send('GET', key);
    }
  }
}
