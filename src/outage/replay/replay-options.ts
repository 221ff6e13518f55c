/** What the replayer is given, and whom it tells. */
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { DeadLetters } from '../../journal/dead-letters.js';
import type { Journal } from '../../journal/journal.js';
import type { ConnectionEvents, UpstreamConnection } from '../../upstream/connection.js';
import type { Fences } from '../../upstream/fences.js';

/** What replay needs of the journal. */
export interface ReplayedJournal extends Pick<
  Journal,
  'lastSeq' | 'settledSeq' | 'releasedSeq' | 'pendingRecords' | 'read' | 'release' | 'empty'
> {
  readonly deadLetters: Pick<DeadLetters, 'add' | 'list'>;
}

export interface ReplayerOptions {
  readonly journal: ReplayedJournal;
  /** Opens a connection under the sidecar's own identity, in database 0 and RESP2. */
  readonly connect: (events: ConnectionEvents) => UpstreamConnection;
  readonly fences: Fences;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `<cursor-prefix>cursor:<journal id>`. */
  readonly cursorKey: string;
  /** Commands per second; null is as fast as it goes. */
  readonly ratePerSecond: number | null;
  /** The upstream has everything up to and with `throughSeq`, dead letters excepted. Called after `journal.release`. */
  readonly onApplied: (throughSeq: number) => void;
  /** Everything settled so far is applied; called whenever that has become so. */
  readonly onCaughtUp: () => void;
  /** Stopped: the connection is lost, or the upstream cannot serve. Nothing is lost; `start` may be called again. */
  readonly onFailed: (cause: Error) => void;
  /** One record has become a dead letter; `label` is bounded (`DEAD_LETTER_LABELS` and `other`). */
  readonly onDeadLetter: (label: string) => void;
}
