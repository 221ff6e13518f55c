/** node-redis under a storm: `defineScript`, what it pipelines by itself, and its transactions. */
import { createClient, defineScript, type CommandParser } from 'redis';
import type { Cleanup } from './child-process.js';
import { LocalScriptClient, settled, type Say, type Way } from './script-client.js';
import { ScriptRecord } from './script-record.js';
import { SCRIPTS, stepsOf, type ScriptName, type Step } from './script-round.js';

/** Its transactions hand over each source once: they need nobody, but are to work. */
export const NODE_REDIS_WAYS: readonly Way[] = [
  {
    name: 'node-redis-one-tick',
    connect: (t, port) =>
      connect(t, port, 'node-redis-one-tick', 3, (client) => (steps) => inOneTick(client, steps)),
  },
  {
    name: 'node-redis-multi',
    needsNoSidecar: true,
    connect: (t, port) =>
      connect(t, port, 'node-redis-multi', 2, (client) => (steps) => inMulti(client, steps)),
  },
];

function scriptOf(name: ScriptName) {
  const { lua, keys } = SCRIPTS[name];
  return defineScript({
    SCRIPT: lua,
    NUMBER_OF_KEYS: keys,
    parseCommand: (parser: CommandParser, ...args: string[]) => parser.push(...args),
    transformReply: (reply: unknown) => reply,
  });
}

function clientAt(port: number, RESP: 2 | 3) {
  return createClient({
    RESP,
    socket: { host: '127.0.0.1', port, reconnectStrategy: () => 20 },
    scripts: { step: scriptOf('step'), look: scriptOf('look') },
  });
}

type Client = ReturnType<typeof clientAt>;

async function connect(
  t: Cleanup,
  port: number,
  name: string,
  RESP: 2 | 3,
  sayOf: (client: Client) => Say,
): Promise<LocalScriptClient> {
  const client = clientAt(port, RESP);
  client.on('error', () => undefined);
  t?.after(() => client.destroy());
  await client.connect();
  // It says EVALSHA even when it is the first to know a script, and EVAL when it was told NOSCRIPT.
  for (const step of stepsOf(`${name}:calm`, 1)) await say(client, step);
  return new LocalScriptClient(new ScriptRecord(name), sayOf(client));
}

function say(client: Client, { script, args }: Step): Promise<unknown> {
  return script === null ? client.sendCommand([...args]) : client[script](...args);
}

function inOneTick(client: Client, steps: readonly Step[]): Promise<unknown[]> {
  return settled(steps.map((step) => say(client, step)));
}

async function inMulti(client: Client, steps: readonly Step[]): Promise<unknown[]> {
  const multi = client.multi();
  for (const { script, args } of steps) {
    if (script === null) multi.sendCommand([...args]);
    else multi[script](...args);
  }
  return multi.exec();
}
