/** The clients that have replies to write, so that each of them writes once when a chunk of replies has been handed out. */

import type { Clock } from '../base/clock.js';

export interface Flushable {
  flush(): void;
}

export class Outbox {
  private dirty: Flushable[] = [];
  private isPlanned = false;
  private isRetaining = false;

  constructor(private readonly clock: Clock) {}

  /** The client has something to write. Call once until it was flushed. */
  add(client: Flushable): void {
    this.dirty.push(client);
  }

  /** A client has not taken all of what it was sent: the chunk that it came in is still referred to. */
  retains(): void {
    this.isRetaining = true;
  }

  /** Whether that has happened since this was last asked. */
  takeRetaining(): boolean {
    const { isRetaining } = this;
    this.isRetaining = false;
    return isRetaining;
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
