/** A pool of upstream connections over fakes, and those who borrow from it. */
import assert from 'node:assert/strict';
import {
  FRESH_STATE,
  IdentityRegister,
  type ConnectionState,
  type Identity,
} from '../../src/command/connection-state.js';
import type { Unsent, UpstreamConnection } from '../../src/upstream/connection.js';
import { Knocking } from '../../src/upstream/knocking.js';
import { Pool, type LeaseHolder } from '../../src/upstream/pool.js';
import { FakeClock } from './fake-clock.js';
import { FakeTransport } from './fake-transport.js';
import { connectionOptions } from './test-connection.js';

export const HOLD_MS = 1000;

/** A session that borrows, and what it was told. */
export class Holder implements LeaseHolder {
  lease: UpstreamConnection | null = null;
  readonly events: string[] = [];

  granted(connection: UpstreamConnection): void {
    this.lease = connection;
    this.events.push('granted');
  }
  denied(cause: Error): void {
    this.events.push(`denied: ${cause.message}`);
  }
  leaseLost(cause: Error, unsent: Unsent): void {
    this.lease = null;
    this.events.push(`lost: ${cause.message}, ${unsent.entries.length} unsent`);
  }
  leaseDrained(): void {
    this.events.push('drained');
  }
}

/** A pool over fake streams and a clock that stands still. */
export class TestPool {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly identities = new IdentityRegister();
  /** `ready`, why a connection was lost, `hold expired: <why>`. */
  readonly changes: string[] = [];
  /** What is done about it. */
  onHoldExpired: () => void = () => undefined;
  readonly pool: Pool;
  readonly nobody = this.identities.identityOf(null);
  readonly ann = this.identities.identityOf({ user: 'ann', password: 'pw' });

  constructor(maxConnections = 4) {
    const { clock, transport } = this;
    this.pool = new Pool({
      connectionFor: (identity, state) =>
        connectionOptions({ clock, transport, identity, state, kind: 'pinned' }),
      maySelect: (identity) => identity === this.nobody,
      clock,
      knocking: new Knocking({ clock, random: () => 0.5, holdMs: HOLD_MS, leastPeriodMs: 10 }),
      maxConnections,
      holdMs: HOLD_MS,
      onReady: () => this.changes.push('ready'),
      onLost: (_, cause) => this.changes.push(cause.message),
      onHoldExpired: (cause) => {
        this.changes.push(`hold expired: ${cause.message}`);
        this.onHoldExpired();
      },
      onDelivered: () => undefined,
    });
  }

  /** A holder that asked; `lease` is set when it was served at once. */
  readonly acquire = (
    identity: Identity = this.nobody,
    state: ConnectionState | null = FRESH_STATE,
  ): Holder => {
    const holder = new Holder();
    holder.lease = this.pool.acquire(identity, state, holder);
    return holder;
  };

  /** A holder with an open connection. */
  readonly lent = (): Holder & { lease: UpstreamConnection } => {
    const holder = this.acquire();
    if (holder.lease === null) this.transport.last.open();
    assert.ok(holder.lease !== null);
    return holder as Holder & { lease: UpstreamConnection };
  };
}
