/**
 * The engine's thread: boots Valkey, and from then on feeds it what arrives and posts what it says. One turn is
 *
 *     take in every batch that has arrived ──► rk_step until nothing is left to do ──► one batch back per step
 *
 * Valkey runs inside `rk_step`, so this thread does not return to its event loop while a script runs. Valkey looks for
 * events in the middle of a long script, though (that is how SCRIPT KILL and -BUSY work), and the bridge then takes in
 * and sends messages synchronously. A trap ends the thread; `wasm-engine` starts another.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.js';
import { Bridge } from './bridge.js';
import { EngineFiles } from './engine-files.js';
import { EngineMemory } from './engine-memory.js';
import { engineClock } from './engine-clock.js';
import type { WorkerInput, WorkerNotice } from './messages.js';
import { RecordSender } from './record-sender.js';
import { createWasi } from './wasi.js';
import { webAssembly, type WasmMemory } from './wasm-api.js';

interface Engine {
  readonly memory: WasmMemory;
  _initialize(): void;
  /** Starts Valkey; the port is only a number to it. Returns 0 when it is ready. */
  rk_boot(port: number): number;
  /** One turn of Valkey's event loop. Returns how many events it handled. */
  rk_step(): number;
  rk_next_timeout_ms(): number;
}

const port = parentPort!;
const { module, snapshotFile } = workerData as WorkerInput;
const memory = new EngineMemory();
const sender = new RecordSender((batch) => port.postMessage(batch, [batch]));
const clock = engineClock(systemClock);
let polls = 0;
const bridge = new Bridge(memory, sender, () => {
  polls += 1;
  // The first look in a step: replies have been written, and what is read next may take long to execute.
  if (polls === 1) sender.flush();
  // Any other comes from the middle of a script: nobody else will deliver messages meanwhile.
  else {
    clock.follow();
    exchange();
  }
});

function notify(notice: WorkerNotice): void {
  port.postMessage(notice);
}

function exchange(): void {
  bridge.flush();
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
    bridge.receive(next.message as ArrayBuffer);
  }
}

/** Whatever comes out of WebAssembly here is the end of this engine: its memory can no longer be trusted. */
function alive(run: () => void): void {
  try {
    run();
  } catch (error) {
    notify({
      kind: 'died',
      reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    });
    process.exit(1);
  }
}

function start(): Engine {
  const instance = new webAssembly.Instance(module, {
    wasi_snapshot_preview1: createWasi(module, {
      memory,
      files: new EngineFiles(snapshotFile),
      ...clock,
      log: (line) => notify({ kind: 'log', line }),
    }),
    host: bridge.imports(),
    // Lua's longjmp throws this exception; its one parameter points at the arguments.
    env: { __c_longjmp: new webAssembly.Tag({ parameters: ['i32'] }) },
  });
  const engine = instance.exports as Engine;
  memory.attach(engine.memory);
  engine._initialize();
  const status = engine.rk_boot(6379);
  if (status !== 0) throw new Error(`boot returned ${status}`);
  return engine;
}

alive(() => {
  const engine = start();
  const turn = (): void => {
    clock.follow();
    // Replies are written at the beginning of the step after the one that executed their commands.
    do polls = 0;
    while (engine.rk_step() > 0);
    bridge.flush();
  };
  port.on('message', (batch: ArrayBuffer) => {
    bridge.receive(batch);
    alive(() => {
      exchange();
      turn();
    });
  });
  // Expiry, blocked clients' timeouts and the rest of serverCron.
  systemClock.every(engine.rk_next_timeout_ms(), () => alive(turn));
  turn();
  notify({ kind: 'ready' });
});
