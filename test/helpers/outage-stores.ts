/** An outage store over a real engine and a journal that a test fills, and somebody who asks it. */
import { systemClock } from '../../src/base/clock.js';
import { FRESH_STATE, IdentityRegister } from '../../src/command/connection-state.js';
import type { EmbeddedEngine } from '../../src/embedded/engine.js';
import { createWasmEngine } from '../../src/embedded/wasm-engine.js';
import { OutageStore } from '../../src/outage/outage-store.js';
import { encodeCommand, type Argument } from '../../src/resp/encoder.js';
import { PROMPT } from '../../src/upstream/in-flight.js';
import { Upstream } from '../../src/upstream/upstream.js';
import type { Cleanup } from './child-process.js';
import { HeldJournal } from './held-journal.js';
import { RecordingLogger } from './replaying.js';
import { TestTraffic } from './test-connection.js';

export class StoreUnderTest {
  readonly journal: HeldJournal;
  readonly logger = new RecordingLogger();
  readonly store: OutageStore;
  /** Every engine that was made, the newest last. */
  readonly engines: EmbeddedEngine[] = [];
  /** So many engines will not start. */
  failuresLeft = 0;
  private readonly stranger = new IdentityRegister().identityOf(null);

  constructor(t: Cleanup, held = new HeldJournal(), maxMemoryBytes = 64 * 1024 * 1024) {
    const { logger, stranger } = this;
    this.journal = held;
    this.store = new OutageStore({
      createEngine: () => {
        const engine = createWasmEngine({
          maxMemoryBytes,
          snapshotFile: null,
          logger,
          clock: systemClock,
        });
        this.engines.push(engine);
        if (this.failuresLeft === 0) return engine;
        this.failuresLeft -= 1;
        return Object.assign(engine, { start: () => Promise.reject(new Error('no memory')) });
      },
      createUpstream: (transport) =>
        new Upstream({
          transport,
          identity: stranger,
          initialDb: 0,
          clock: systemClock,
          random: Math.random,
          logger,
          traffic: new TestTraffic(),
          timeoutMs: 10_000,
          slowTimeoutMs: 120_000,
          busyWaitMs: 120_000,
          holdMs: 10_000,
          sharedLanes: 1,
          maxPinned: 16,
          isFenced: false,
          onFailure: () => undefined,
          onDelivered: () => false,
        }),
      journal: held,
      clock: systemClock,
      logger,
    });
    // The clock's timers do not keep a process alive, and an engine may be all there is.
    const alive = setInterval(() => undefined, 1000);
    t?.after(() => {
      clearInterval(alive);
      this.store.end();
    });
  }

  /** The reply to one command in database `db`, as latin1; `lost` or `refused` where none came. */
  readonly ask = (db: number, ...words: Argument[]): Promise<string> => {
    const bytes = encodeCommand(words);
    const lane = this.store.backend!.lane(this.stranger, { ...FRESH_STATE, db });
    return new Promise((resolve) => {
      let reply = '';
      const receiver = {
        receive(chunk: Buffer, start: number, end: number, completed: number) {
          reply += chunk.toString('latin1', start, end);
          if (completed > 0) resolve(reply);
        },
        lose: () => resolve('lost'),
        refuse: () => resolve('refused'),
      };
      lane.send(receiver, bytes, 0, bytes.length, 1, PROMPT);
    });
  };
}

/** Why a stream of this engine is closed. */
export function whyClosed(engine: EmbeddedEngine): Promise<string> {
  return new Promise((resolve) => {
    engine.open({
      onOpen: () => resolve('open'),
      onData: () => false,
      onDrain: () => undefined,
      onClose: (cause) => resolve(String(cause?.message)),
    });
  });
}
