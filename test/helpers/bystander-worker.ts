/**
 * The thread behind `bystander.ts`: one client that writes, reads back and checks what it reads, a
 * few hundred times a second. In a thread of its own, so that what it measures is not the test.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { machineNow, watchProcess } from './machine-time.js';
import { connectRaw } from './raw-client.js';

const PAUSE_MS = 2;

const { port, pids } = workerData as { port: number; pids: readonly number[] };
let latenciesMs: number[] = [];
let failure: string | null = null;

parentPort?.on('message', () => {
  parentPort?.postMessage({ latenciesMs, failure });
  latenciesMs = [];
});

for (const pid of pids) watchProcess(pid);
try {
  const client = await connectRaw(port);
  for (let n = 0; ; n += 1) {
    const value = `value-${n}`;
    const startedAt = machineNow();
    const set = await client.ask('SET', 'bystander', value);
    const middleAt = machineNow();
    const get = await client.ask('GET', 'bystander');
    latenciesMs.push(middleAt - startedAt, machineNow() - middleAt);
    if (set !== '+OK\r\n' || !get.endsWith(`\r\n${value}\r\n`)) throw new Error(`${set}${get}`);
    await pause(PAUSE_MS);
  }
} catch (error) {
  failure = String(error);
}
