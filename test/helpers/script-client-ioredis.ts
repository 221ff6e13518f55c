/** ioredis under a storm: `defineCommand`, and its four ways of saying several things. */
import { Redis, type ChainableCommander } from 'ioredis';
import type { Cleanup } from './child-process.js';
import { LocalScriptClient, settled, type Say, type Way } from './script-client.js';
import { ScriptRecord } from './script-record.js';
import { SCRIPTS, stepsOf, type Step } from './script-round.js';

/** `needsNoSidecar` of the first: nothing is behind its scripts, so ioredis itself may say them again. */
export const IOREDIS_WAYS: readonly Way[] = [
  way('ioredis-one-by-one', 2, (client) => oneByOne(client), 'needsNoSidecar'),
  way(
    'ioredis-one-tick',
    3,
    (client) => (steps) => settled(steps.map((step) => say(client, step))),
  ),
  way('ioredis-pipeline', 2, (client) => (steps) => executed(client.pipeline(), steps)),
  way('ioredis-multi', 3, (client) => (steps) => executed(client.multi(), steps)),
];

function way(
  name: string,
  protocol: 2 | 3,
  sayOf: (client: Redis) => Say,
  ...[needsNoSidecar]: 'needsNoSidecar'[]
): Way {
  return {
    name,
    ...(needsNoSidecar === undefined ? {} : { needsNoSidecar: true }),
    connect: async (t: Cleanup, port: number) => {
      const client = new Redis({
        ...{ host: '127.0.0.1', port, protocol, lazyConnect: true },
        // What is in flight when the connection is lost fails: said again it would run twice.
        ...{ maxRetriesPerRequest: 0, retryStrategy: () => 20 },
      });
      client.on('error', () => undefined);
      t?.after(() => client.disconnect());
      for (const [script, { lua, keys }] of Object.entries(SCRIPTS)) {
        client.defineCommand(script, { lua, numberOfKeys: keys });
      }
      await client.connect();
      // From now on it believes that the server knows its scripts.
      await oneByOne(client)(stepsOf(`${name}:calm`, 1));
      return new LocalScriptClient(new ScriptRecord(name), sayOf(client));
    },
  };
}

function oneByOne(client: Redis): Say {
  return async (steps) => {
    const replies: unknown[] = [];
    for (const step of steps) replies.push(await say(client, step));
    return replies;
  };
}

/** What `defineCommand` adds is unknown to the types, and a pipeline answers later. */
type Methods = Record<string, (...args: readonly string[]) => Promise<unknown>>;

function say(to: Redis | ChainableCommander, { script, args }: Step): Promise<unknown> {
  return (to as unknown as Methods)[script ?? 'call']!(...args);
}

/** The replies of EXEC are those of the round; an error inside stands for its command. */
async function executed(chain: ChainableCommander, steps: readonly Step[]): Promise<unknown[]> {
  for (const step of steps) void say(chain, step);
  const replies = (await chain.exec()) ?? [];
  return replies.map(([error, reply]) => error ?? reply);
}
