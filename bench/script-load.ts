/**
 * Scripts by their SHA-1, as fast as they are answered. A small client of ours: redis-benchmark knows no transactions.
 * All replies have the same length, so that they are counted by their bytes.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connectRaw, encodeCommand } from '../test/helpers/raw-client.js';
import type { Target } from './peers.js';
import { cpuMicrosOf } from './process-usage.js';
import { median } from './turns.js';

/** What each client sends in one write before it waits for the replies. */
export interface ScriptLoad {
  /** Of the script's source. */
  readonly sourceBytes: number;
  /** How many EVALSHA; in a transaction they are between MULTI and EXEC. */
  readonly depth: number;
  readonly isTransaction: boolean;
  readonly clients: number;
  /** Scripts of all clients together. */
  readonly scripts: number;
}

/** What came of it; CPU times and bytes are per script. */
export interface ScriptSample {
  readonly perSecond: number;
  /** From a write to the last of its replies. */
  readonly p50Ms: number;
  readonly cpuMicros: number;
  readonly redisCpuMicros: number;
  /** What Redis has read. */
  readonly upstreamBytes: number;
}

const CALL = "redis.call('SET', KEYS[1], ARGV[1]) return 1";

/** Puts the load on `target` and reads what it and the Redis behind it have used. */
export async function runScripts(
  target: Target,
  redis: Target,
  load: ScriptLoad,
): Promise<ScriptSample> {
  const batch = await prepared(target, load);
  const usage = async (): Promise<number[]> => [
    cpuMicrosOf(target.pid),
    cpuMicrosOf(redis.pid),
    await bytesReadBy(redis),
  ];
  const before = await usage();
  const startedAt = performance.now();
  const latenciesMs = await sendAll(target.port, batch, load);
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await usage();
  const scripts = latenciesMs.length * load.depth;
  const perScript = (index: number): number =>
    ((after[index] ?? NaN) - (before[index] ?? NaN)) / scripts;
  return {
    perSecond: scripts / seconds,
    p50Ms: median(latenciesMs),
    cpuMicros: perScript(0),
    redisCpuMicros: perScript(1),
    upstreamBytes: perScript(2),
  };
}

/** One write, and how long the replies to it are. */
interface Batch {
  readonly request: Buffer;
  readonly replyBytes: number;
}

/** The script is loaded through the target, as its clients do it; one batch shows what its replies are. */
async function prepared(target: Target, load: ScriptLoad): Promise<Batch> {
  const { sourceBytes, depth, isTransaction } = load;
  const source = `--${'x'.repeat(sourceBytes - CALL.length - 3)}\n${CALL}`;
  const sha = createHash('sha1').update(source).digest('hex');
  const calls = Array.from({ length: depth }, () => encodeCommand('EVALSHA', sha, 1, 'k', 'v'));
  const commands = isTransaction
    ? [encodeCommand('MULTI'), ...calls, encodeCommand('EXEC')]
    : calls;
  const request = Buffer.concat(commands);
  const client = await connectRaw(target.port);
  const loaded = await client.ask('SCRIPT', 'LOAD', source);
  if (!loaded.includes(sha)) throw new Error(`${target.name}: SCRIPT LOAD answers ${loaded}`);
  client.write(request);
  const replies = Buffer.concat(await client.readFrames(commands.length));
  if (replies.includes('-')) throw new Error(`${target.name}: ${replies.toString()}`);
  await client.close();
  return { request, replyBytes: replies.length };
}

/** Resolves with the time that each batch took, in milliseconds. */
async function sendAll(port: number, batch: Batch, load: ScriptLoad): Promise<number[]> {
  const latenciesMs: number[] = [];
  let left = Math.ceil(load.scripts / load.depth);
  const take = (): boolean => left-- > 0;
  const note = (milliseconds: number): void => void latenciesMs.push(milliseconds);
  await Promise.all(
    Array.from({ length: load.clients }, async () => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      await once(socket, 'connect');
      await converse(socket, batch, take, note);
      socket.destroy();
    }),
  );
  return latenciesMs;
}

/** Batch after batch on one socket, as long as `take` gives one. */
function converse(
  socket: Socket,
  { request, replyBytes }: Batch,
  take: () => boolean,
  note: (milliseconds: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    let awaitedBytes = 0;
    const next = (): void => {
      if (!take()) return resolve();
      sentAt = performance.now();
      awaitedBytes = replyBytes;
      socket.write(request);
    };
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      awaitedBytes -= chunk.length;
      if (awaitedBytes > 0) return;
      if (awaitedBytes < 0) return reject(new Error(`unexpected: ${chunk.toString()}`));
      note(performance.now() - sentAt);
      next();
    });
    next();
  });
}

async function bytesReadBy(redis: Target): Promise<number> {
  const client = await connectRaw(redis.port);
  const info = await client.ask('INFO', 'stats');
  client.reset();
  return Number(/total_net_input_bytes:(\d+)/.exec(info)?.[1]);
}
