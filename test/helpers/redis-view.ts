/**
 * Redis seen directly, past the sidecar: which connections the sidecar holds there and what is true
 * of each. Tests compare this with what the sidecar's clients were promised.
 */
import { connectRaw, type RawClient } from './raw-client.js';
import { eventually } from './eventually.js';
import type { Cleanup } from './child-process.js';

/** One line of CLIENT LIST, by field (`id`, `flags`, `db`, `name`, `cmd` …). */
export type ClientFields = Readonly<Record<string, string>>;

/** A direct connection to a Redis, for looking and for acting behind the sidecar's back. */
export class RedisView {
  private constructor(
    private readonly client: RawClient,
    private readonly ownId: string,
  ) {}

  /** Connects to the Redis at `port`; `t` closes the connection. */
  static async of(t: Cleanup, port: number): Promise<RedisView> {
    const client = await connectRaw(port);
    t?.after(() => client.reset());
    const id = await client.ask('CLIENT', 'ID');
    return new RedisView(client, id.slice(1).trim());
  }

  /** Sends a command to Redis itself; the reply frame as latin1. */
  ask(...args: (string | number)[]): Promise<string> {
    return this.client.ask(...args);
  }

  /** All connections that Redis has, except this one. */
  async connections(): Promise<ClientFields[]> {
    return parseClients(await this.ask('CLIENT', 'LIST')).filter(({ id }) => id !== this.ownId);
  }

  /** Waits until `expected` connections satisfy `condition`. */
  async untilConnections(
    what: string,
    expected: number,
    condition: (fields: ClientFields) => boolean,
  ): Promise<void> {
    await eventually(`${expected} connections: ${what}`, async () => {
      return (await this.connections()).filter(condition).length === expected;
    });
  }

  /** A field of INFO, as text. */
  async info(section: string, field: string): Promise<string> {
    const text = await this.ask('INFO', section);
    const value = new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`INFO ${section} has no ${field}`);
    return value;
  }
}

/** The lines of a CLIENT LIST or CLIENT INFO reply, in either protocol. */
export function parseClients(reply: string): ClientFields[] {
  return reply
    .split('\n')
    .filter((line) => line.startsWith('id='))
    .map((line) =>
      Object.fromEntries(
        line.split(' ').map((field) => {
          const at = field.indexOf('=');
          return [field.slice(0, at), field.slice(at + 1).trim()];
        }),
      ),
    );
}
