/** For tests that look at what is said about scripts, byte by byte: a client behind a sidecar and one past it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { connectRaw, encodeCommand, type RawClient } from './raw-client.js';
import { startRedis, startSidecar } from './servers.js';

export type Command = readonly (string | number)[];

export const NO_SCRIPT = '-NOSCRIPT No matching script. Please use EVAL.\r\n';
export const INCREASE = "return redis.call('INCR', KEYS[1])";
export const READ = "return redis.call('GET', KEYS[1])";

/** A script's name. */
export function shaOf(source: string): string {
  return createHash('sha1').update(source).digest('hex');
}

/** Of a script that nobody has. */
export const UNKNOWN = shaOf('return 404');

/** A client behind a sidecar, and one past it. */
export async function scriptStage(t: TestContext, ...args: string[]) {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const client = await connectRaw(sidecar.port);
  const direct = await connectRaw(redis.port);
  t.after(() => [client, direct].forEach((one) => one.reset()));
  /** Somebody else has emptied the cache. */
  const forget = async (): Promise<void> => {
    assert.equal(await direct.ask('SCRIPT', 'FLUSH'), '+OK\r\n');
  };
  return { redis, sidecar, client, direct, forget };
}

/** Everything in one write: the replies, one string each. */
export async function pipelined(
  client: RawClient,
  ...commands: readonly Command[]
): Promise<string[]> {
  client.write(Buffer.concat(commands.map((command) => encodeCommand(...command))));
  return (await client.readFrames(commands.length)).map(String);
}

/** Each command when the one before is answered. */
export async function stepwise(
  client: RawClient,
  ...commands: readonly Command[]
): Promise<string[]> {
  const replies: string[] = [];
  for (const command of commands) replies.push(await client.ask(...command));
  return replies;
}
