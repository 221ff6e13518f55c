/**
 * What `GET /status` and `respool status` show: the sidecar's condition at one moment, as plain JSON. The composition
 * root fills it, the admin server sends it, the CLI prints it. Fields may be added, never renamed (CONTRACT.md,
 * "Admin HTTP"); what this version does not have (journal, replay, breaker) is absent rather than invented.
 */

/** The state of the whole sidecar. `holding`: the upstream connection is lost or not yet made, commands wait. */
export type Condition = 'healthy' | 'holding' | 'outage' | 'replaying' | 'draining';

export interface SidecarStatus {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly condition: Condition;
  readonly upstream: {
    /** Masked: it never holds a password. */
    readonly url: string;
    /** Whether the upstream answered last time it was asked. */
    readonly connected: boolean;
    /** Open shared connections. */
    readonly lanes: number;
  };
  readonly clients: {
    readonly connected: number;
    /** Clients that hold an upstream connection of their own at this moment. */
    readonly pinned: number;
  };
}
