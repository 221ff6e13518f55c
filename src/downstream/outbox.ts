/** The clients that have replies to write, so that each of them writes once when a chunk of replies has been handed out. */

import type { Clock } from '../base/clock.js';

export interface Flushable {
  flush(): void;
}

export class Outbox {
  private dirty: Flushable[] = [];
  private isPlanned = false;

  constructor(private readonly clock: Clock) {}

  /** The client has something to write. Call once until it was flushed. */
  add(client: Flushable): void {
    this.dirty.push(client);
  }

  /** Flushes at the end of this tick, for replies that no upstream's chunk brought. */
  flushSoon(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    this.clock.endOfTick(() => {
      this.isPlanned = false;
      this.flush();
    });
  }

  flush(): void {
    const dirty = this.dirty;
    if (dirty.length === 0) return;
    this.dirty = [];
    for (const client of dirty) client.flush();
  }
}
