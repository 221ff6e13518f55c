/**
 * CLIENT KILL as it goes through. The upstream closes a killed connection without a word, and a closed connection is what
 * the sidecar hides; so all connections of an upstream share one of these, which says that somebody is killing. Beside
 * `silence`, which explains the opposite.
 */
import type { Clock } from '../base/clock.js';

/** The connection was closed while somebody was killing connections: its client is to be closed, as Redis does. */
export class Killed extends Error {
  constructor() {
    super('the upstream closed the connection: CLIENT KILL');
  }
}

/** From when CLIENT KILL is sent, and again from its success, which may overtake the end of another connection. */
const WITHIN_MS = 500;

export class Kills {
  /** On the monotonic clock. */
  private until = -Infinity;

  constructor(private readonly clock: Clock) {}

  /** What is closed now was probably killed. */
  get areExpected(): boolean {
    return this.clock.now() < this.until;
  }

  /** CLIENT KILL is being sent, or has killed somebody. */
  expect(): void {
    this.until = this.clock.now() + WITHIN_MS;
  }

  /** It found nobody. */
  forget(): void {
    this.until = -Infinity;
  }
}
