/** What commands can be sent to: the upstream, or the outage store while it stands in for it. */
import type { Identity } from '../command/connection-state.js';
import type { Session } from '../session/session.js';
import type { Lane } from '../upstream/lane.js';
import type { Pool } from '../upstream/pool.js';
import type { BusyView } from '../upstream/busy.js';
import type { Demotion } from '../upstream/demotion.js';
import type { Kills } from '../upstream/kills.js';
import type { Silence } from '../upstream/silence.js';

export interface Backend {
  readonly pool: Pool;
  readonly silence: Silence;
  readonly kills: Kills;
  readonly demotion: Demotion;
  /** A script keeps it from serving. */
  readonly busy: BusyView;
  /** Only for a client that awaits no replies. */
  laneFor(session: Session): Lane;
  /** As whom the client is known there. */
  identityOf(session: Session): Identity;
}
