/**
 * REPLICAOF as it goes through. A server that takes no writes any more, or has lost its primary, is how a failover looks;
 * one that a client has made a replica does what it was told. All who judge an upstream's errors share one of these, which
 * says that somebody wants them so. Beside `kills`, which does the same for connections that end.
 */
import type { Clock } from '../base/clock.js';

/** What was said before the order was confirmed, or before it was taken back, may be read after it on another connection. */
const WITHIN_MS = 500;
/** How a replica answers: to a write, without its primary, and while it loads what its primary has. */
const OF_A_REPLICA = /^(READONLY|MASTERDOWN|LOADING)\b/;

export class Demotion {
  /** On the monotonic clock; Infinity: until it is taken back. */
  private until = -Infinity;

  constructor(private readonly clock: Clock) {}

  /** A client has made the upstream a replica, and nobody has taken that back. */
  get isOrdered(): boolean {
    return this.until === Infinity;
  }

  /** `error` (its text, without the minus) is what the order has brought about. */
  explains(error: string): boolean {
    return this.clock.now() < this.until && OF_A_REPLICA.test(error);
  }

  /** REPLICAOF is being sent. */
  expect(): void {
    this.until = Math.max(this.until, this.clock.now() + WITHIN_MS);
  }

  /** The upstream has said yes to it. */
  order(): void {
    this.until = Infinity;
  }

  /** The upstream has said yes to REPLICAOF NO ONE. */
  takeBack(): void {
    if (this.isOrdered) this.until = this.clock.now() + WITHIN_MS;
  }

  /** It takes writes, or it is not there: whatever it becomes now, that was not the order. */
  forget(): void {
    this.until = -Infinity;
  }
}
