/**
 * The outage store: an embedded engine that stands in for the upstream while that is away, behind an `Upstream` of its
 * own, so that lanes, pool and sessions work on it as they do on Redis. It begins with what the journal still holds, so
 * that clients go on reading their own writes; it is thrown away when everything has been replayed.
 *
 *   begin ──► booting ──► loading ──► ready ──end──► none        commands: wait in the lanes │ wait │ go through
 *               ▲           │           │
 *               └─ a pause ◄┴── died ◄──┴── or ahead of the journal: rebuild
 *
 * Each engine is used for one life. One that died and starts again by itself is empty, so it is thrown away, too.
 */
import { Backoff } from '../base/backoff.js';
import type { Transport } from '../base/byte-stream.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { EmbeddedEngine } from '../embedded/engine.js';
import type { Journal } from '../journal/journal.js';
import { NeverSent } from '../upstream/receiver.js';
import type { Upstream } from '../upstream/upstream.js';
import { Gate } from './gate.js';
import { StoreLoader } from './store-loader.js';

export interface OutageStoreOptions {
  /** A fresh engine, not started, without a snapshot. */
  readonly createEngine: () => EmbeddedEngine;
  /**
   * An `Upstream` over `transport` with the identity that has no credentials. While the store boots or is rebuilt the
   * transport opens nothing and commands wait in the lanes: `holdMs` and `timeoutMs` must cover that.
   */
  readonly createUpstream: (transport: Transport) => Upstream;
  readonly journal: Pick<Journal, 'read' | 'releasedSeq' | 'settledSeq' | 'lastSeq'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A store that answered for so long was well: the next one comes quickly again. */
const WELL_AFTER_MS = 30_000;
/** Between lives; nobody else waits for the same engine, so nothing is left to chance. */
const PAUSES = { firstMs: 20, maxMs: 5000, factor: 2, jitter: 0, random: () => 0 } as const;

/** How long a prepared engine is kept for an outage that does not come. */
const SPARE_MS = 30_000;

/** An engine that has been started. */
interface Booting {
  readonly engine: EmbeddedEngine;
  readonly started: Promise<void>;
}

/** One engine, from its boot to its end. */
interface Life extends Booting {
  loader: StoreLoader | null;
}

export class OutageStore {
  /** Null while there is none: before `begin` and after `end`. */
  backend: Upstream | null = null;
  /** It has been loaded and answers. */
  isReady = false;
  private gate: Gate;
  private life: Life | null = null;
  private pause: Timer | null = null;
  private spare: Booting | null = null;
  private spareExpiry: Timer | null = null;
  private readonly pauses = new Backoff(PAUSES);
  private beganMs = 0;

  constructor(private readonly options: OutageStoreOptions) {
    this.gate = this.newGate();
  }

  /** Starts it; does nothing when it is there already. `backend` can be used at once: commands wait until it is loaded. */
  begin(): void {
    if (this.backend !== null) return;
    this.gate = this.newGate();
    this.backend = this.options.createUpstream(this.gate);
    this.live();
  }

  /** The upstream has failed in some way: boots an engine, in its own thread, so that `begin` would find it ready. */
  prepare(): void {
    if (this.backend !== null || this.spare !== null) return;
    this.spare = this.boot();
    this.spareExpiry = this.options.clock.after(SPARE_MS, () => this.discardSpare());
  }

  /**
   * It has applied what the journal does not have: makes it anew from the journal, on a fresh engine. What is in flight
   * comes back to its receivers as lost. One that is being made anyway will have nothing but what the journal has.
   */
  rebuild(): void {
    if (!this.isReady) return;
    this.die();
    this.live();
  }

  /** Stops it. What is in flight comes back to its receivers as lost, what waits as refused. */
  end(): void {
    const { backend } = this;
    this.discardSpare();
    if (backend === null) return;
    this.backend = null;
    backend.suspend(new NeverSent(new Error('the outage is over')));
    this.die();
    backend.close();
  }

  private newGate(): Gate {
    return new Gate('outage store', this.options.clock);
  }

  private live(): void {
    this.beganMs = this.options.clock.now();
    const life: Life = { ...(this.takeSpare() ?? this.boot()), loader: null };
    this.life = life;
    life.started.then(
      () => this.load(life),
      (cause: unknown) => this.died(life, cause as Error),
    );
  }

  private boot(): Booting {
    const engine = this.options.createEngine();
    const started = engine.start();
    // Whoever lives on it hears of its failure; nobody does who only wanted it ready.
    started.catch(() => undefined);
    return { engine, started };
  }

  private takeSpare(): Booting | null {
    const { spare } = this;
    this.spare = null;
    this.spareExpiry?.cancel();
    // It died, and was started again, while it waited: nothing is known of it.
    if (spare === null || spare.engine.restarts === 0) return spare;
    void spare.engine.stop();
    return null;
  }

  private discardSpare(): void {
    void this.takeSpare()?.engine.stop();
  }

  private load(life: Life): void {
    if (life !== this.life) return void life.engine.stop();
    const { journal, clock, logger } = this.options;
    life.loader = new StoreLoader({
      transport: life.engine,
      journal,
      clock,
      onLoaded: (commands, refused) => {
        this.isReady = true;
        const milliseconds = Math.round(clock.now() - this.beganMs);
        logger.info('the outage store answers', { commands, milliseconds });
        if (refused > 0) logger.warn('the outage store lacks buffered writes', { refused });
        this.gate.openTo(life.engine);
      },
      onLost: (cause) => this.died(life, cause),
    });
  }

  private died(life: Life, cause: Error): void {
    if (life !== this.life) return;
    this.options.logger.error('the outage store died and is made again from the journal', {
      cause: cause.message,
    });
    if (this.options.clock.now() - this.beganMs > WELL_AFTER_MS) this.pauses.reset();
    this.die();
    this.pause = this.options.clock.after(this.pauses.next(), () => this.live());
  }

  /** Ends this life: whoever was on it is told at once, whoever waits at the gate waits for the next one. */
  private die(): void {
    const { life, backend, isReady } = this;
    this.isReady = false;
    this.gate.shut();
    this.pause?.cancel();
    this.life = null;
    if (isReady) backend?.suspend(new NeverSent(new Error('the outage store is made again')));
    life?.loader?.abandon();
    void life?.engine.stop();
    if (isReady) backend?.resume();
  }
}
