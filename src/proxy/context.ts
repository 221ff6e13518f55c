/** What all dispatchers share, put together once by the composition root. */
import type { Clock } from '../base/clock.js';
import type { Identity } from '../command/connection-state.js';
import type { Session } from '../session/session.js';
import type { Backend } from './backend.js';
import type { Observer } from './observer.js';
import type { OutageView } from './outage-view.js';
import type { Control } from './respool-command.js';
import type { Scripts } from './script-lookup.js';

export interface ProxyContext {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly upstream: Backend;
  /** What happens while the upstream is away; never, when it is embedded. */
  readonly outage: OutageView;
  /** What is known of scripts; null: they pass as they come. */
  readonly scripts: Scripts | null;
  /** How long a client's commands wait for the end of a script that keeps the upstream from serving. */
  readonly busyWaitMs: number;
  /** The sidecar's own password; null when clients need none. */
  readonly password: Buffer | null;
  /** For those who ask the sidecar itself. */
  readonly control: Control;
  readonly upstreamTimeoutMs: number;
  /** For a client that has said nothing yet. */
  readonly newSession: () => Session;
  /** The upstream wants a password from this identity, which has none. */
  readonly isStranger: (identity: Identity) => boolean;
  /**
   * This upstream may forget what a client has sent behind a command that waits, once more of it has come than fits into
   * one read: nothing is sent behind it.
   */
  readonly losesSightOfBlocked: boolean;
  /** Whether a command must not be passed, and what is done in its place. */
  readonly refusal: (commandId: number, args: readonly Buffer[]) => Refusal | null;
  /** `passes` without the commands that `refusal` wants to see. */
  readonly filterPassing: (passes: Uint8Array) => Uint8Array;
  /** The client keeps a connection for a while after a long reply: `releaseIfIdle` is to be called now and then. */
  readonly lingers: (client: Lingering) => void;
  readonly left: (client: Lingering) => void;
}

/** A command that is not passed: its client gets `reply`; null: what the upstream says to `frame`. */
export type Refusal = { readonly reply: Buffer } | { readonly reply: null; readonly frame: Buffer };

/** A client as the register of clients knows it. */
export interface Lingering {
  releaseIfIdle(): void;
}
