/**
 * Takes the cursor away once the journal is empty, so that a healthy Redis holds nothing of ours. By the same rules as a
 * batch: behind an answered WATCH and GET, in a transaction, so that a removal that arrives late cannot hit a newer
 * cursor. And only when the journal's files are empty too: records without a cursor are replayed.
 */
import type { Clock, Timer } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { Journal } from '../../journal/journal.js';
import type { ConnectionEvents, UpstreamConnection } from '../../upstream/connection.js';
import type { Cursor } from './cursor.js';
import { ReplayLink } from './replay-link.js';

export interface CursorRemovalOptions {
  readonly cursor: Cursor;
  readonly journal: Pick<Journal, 'empty'>;
  readonly connect: (events: ConnectionEvents) => UpstreamConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The journal's files are empty: none of its records can come again. */
  readonly onEmpty: () => void;
}

const TRIES = 5;
const PAUSE_MS = 1000;

export class CursorRemoval {
  /** Counts `begin` and `cancel`: what an earlier one has set in motion is of no more interest. */
  private run = 0;
  private triesLeft = 0;
  private link: ReplayLink | null = null;
  private pause: Timer | null = null;

  constructor(private readonly options: CursorRemovalOptions) {}

  begin(): void {
    this.cancel();
    this.triesLeft = TRIES;
    void this.emptyFirst();
  }

  cancel(): void {
    this.run += 1;
    this.pause?.cancel();
    this.close();
  }

  private async emptyFirst(): Promise<void> {
    const { run } = this;
    this.triesLeft -= 1;
    const isEmpty = await this.options.journal.empty().catch(() => false);
    if (run !== this.run) return;
    // Its files cannot be made anew (no descriptors, a full disk); with records in it, another run will come.
    if (!isEmpty) return this.tryLater('the journal is not empty', () => void this.emptyFirst());
    this.options.onEmpty();
    this.triesLeft = TRIES;
    this.connect();
  }

  private connect(): void {
    this.triesLeft -= 1;
    const link = new ReplayLink({
      connect: this.options.connect,
      fences: null,
      onReady: () => this.ask(link),
      onLost: (cause) => this.failed(cause.message),
    });
    this.link = link;
  }

  private ask(link: ReplayLink): void {
    const { cursor } = this.options;
    link.ask(cursor.watchAndGet, 2, (replies) => {
      try {
        if (cursor.readingOf(replies) === null) this.close();
        else this.remove(link);
      } catch (problem) {
        this.failed((problem as Error).message);
      }
    });
  }

  /** MULTI, DEL, EXEC. EXEC is nil when the cursor has changed since, and an error when there is no memory for MULTI. */
  private remove(link: ReplayLink): void {
    link.ask(this.options.cursor.removal, 3, (replies) => {
      const text = replies.toString('latin1');
      if (text.endsWith('*1\r\n:1\r\n')) this.close();
      else this.failed(text.trimEnd());
    });
  }

  private failed(reason: string): void {
    this.close();
    this.tryLater(reason, () => this.connect());
  }

  private tryLater(reason: string, task: () => void): void {
    if (this.triesLeft > 0) this.pause = this.options.clock.after(PAUSE_MS, task);
    else this.options.logger.warn('the replay cursor stays in the upstream', { reason });
  }

  private close(): void {
    this.link?.abandon();
    this.link = null;
  }
}
