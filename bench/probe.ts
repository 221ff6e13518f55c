/**
 * Small GETs with the time that each took, in microseconds. redis-benchmark's own histogram has steps of eight
 * microseconds and asks again only when it was answered, so that it sleeps through the stalls it should see.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connectRaw, encodeCommand } from '../test/helpers/raw-client.js';

/** Percentiles in microseconds. */
export interface Latencies {
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly maxMicros: number;
}

const KEY = 'bench:small';
const VALUE = 'v'.repeat(64);
const REQUEST = encodeCommand('GET', KEY);
const REPLY_BYTES = encodeCommand(VALUE).length - '*1\r\n'.length;

/** Stores the value that the GETs of this file read. */
export async function storeSmallValue(port: number): Promise<void> {
  const client = await connectRaw(port);
  await client.command('SET', KEY, VALUE);
  await client.close();
}

/** `count` GETs on one connection, each sent when the one before is answered. */
export async function askInTurn(port: number, count: number): Promise<Latencies> {
  const socket = await open(port);
  const micros: number[] = [];
  let sentAt = 0;
  const ask = (): void => {
    sentAt = performance.now();
    socket.write(REQUEST);
  };
  await new Promise<void>((resolve, reject) => {
    onReplies(socket, reject, () => {
      micros.push((performance.now() - sentAt) * 1000);
      if (micros.length < count) ask();
      else resolve();
    });
    ask();
  });
  socket.destroy();
  return summary(micros);
}

/**
 * One GET every millisecond for `durationMs`, on `connections` connections in turn, whether the ones before were
 * answered or not: the 99th percentile is what one of a hundred moments costs.
 */
export async function askEveryMillisecond(
  port: number,
  connections: number,
  durationMs: number,
): Promise<Latencies> {
  const lines = await Promise.all(
    Array.from({ length: connections }, async () => ({
      socket: await open(port),
      sentAt: [] as number[],
    })),
  );
  const micros: number[] = [];
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    let asking = true;
    for (const { socket, sentAt } of lines) {
      onReplies(socket, reject, () => {
        micros.push((performance.now() - (sentAt.shift() ?? NaN)) * 1000);
        if (!asking && micros.length === sent) resolve();
      });
    }
    const end = performance.now() + durationMs;
    const timer = setInterval(() => {
      const line = lines[sent % connections];
      sent += 1;
      line?.sentAt.push(performance.now());
      line?.socket.write(REQUEST);
      asking = performance.now() < end;
      if (!asking) clearInterval(timer);
    }, 1);
  });
  for (const { socket } of lines) socket.destroy();
  return summary(micros);
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Calls `onReply` for every complete reply; all of them have the same length. */
function onReplies(socket: Socket, onEnd: (error: Error) => void, onReply: () => void): void {
  let bytes = 0;
  socket.on('data', (chunk) => {
    for (bytes += chunk.length; bytes >= REPLY_BYTES; bytes -= REPLY_BYTES) onReply();
  });
  socket.on('error', onEnd);
  socket.on('end', () =>
    onEnd(new Error('a connection was closed in the middle of a measurement')),
  );
}

function summary(micros: number[]): Latencies {
  micros.sort((a, b) => a - b);
  const at = (share: number): number =>
    micros[Math.min(micros.length - 1, Math.floor(micros.length * share))] ?? NaN;
  return { p50Micros: at(0.5), p99Micros: at(0.99), maxMicros: at(1) };
}
