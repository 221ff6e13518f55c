/** What all dispatchers share, put together once by the composition root. */
import type { Clock } from '../base/clock.js';
import type { Identity } from '../command/connection-state.js';
import type { Session } from '../session/session.js';
import type { Backend } from './backend.js';
import type { Observer } from './observer.js';
import type { OutageView } from './outage-view.js';
import type { Control } from './respool-command.js';

export interface ProxyContext {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly upstream: Backend;
  /** What happens while the upstream is away; never, when it is embedded. */
  readonly outage: OutageView;
  /** The sidecar's own password; null when clients need none. */
  readonly password: Buffer | null;
  /** For those who ask the sidecar itself. */
  readonly control: Control;
  readonly upstreamTimeoutMs: number;
  /** For a client that has said nothing yet. */
  readonly newSession: () => Session;
  /** The upstream wants a password from this identity, which has none. */
  readonly isStranger: (identity: Identity) => boolean;
  /** A command this upstream must not get: the frame to send in its place, or null. */
  readonly refusal: (commandId: number, args: readonly Buffer[]) => Buffer | null;
  /** `passes` without the commands that `refusal` wants to see. */
  readonly filterPassing: (passes: Uint8Array) => Uint8Array;
  /** The client keeps a connection for a while after a long reply: `releaseIfIdle` is to be called now and then. */
  readonly lingers: (client: Lingering) => void;
  readonly left: (client: Lingering) => void;
}

/** A client as the register of clients knows it. */
export interface Lingering {
  releaseIfIdle(): void;
}
