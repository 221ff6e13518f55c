/**
 * Brings records onto a connection as one batch: asks first what must be known (`preparation`), settles the ids of stream
 * entries, sends the transaction, and reads its reply.
 *
 * A batch can be staged: sent without EXEC while another one is in flight, behind the WATCH and GET that belong to it, so
 * that the upstream takes it in meanwhile. Without EXEC it is nothing; EXEC follows when the GET has been answered.
 *
 *   EXEC of 1 · WATCH GET · MULTI and the commands of 2   ──answered──►   EXEC of 2 · WATCH GET · MULTI and …
 */
import type { JournalRecord } from '../../journal/record.js';
import { buildBatch, type Batch } from './batch.js';
import { DISCARD, EXEC, type Cursor } from './cursor.js';
import { ExecReply, type BatchOutcome } from './exec-reply.js';
import { Preparation, type Prepared } from './preparation.js';
import type { ReplayLink } from './replay-link.js';
import { withPossibleIds } from './stream-entries.js';
import type { Failed } from './verdict.js';

/** Records to be sent; those up to `throughSeq` that are not among them are dead letters. */
export interface Load {
  readonly records: readonly JournalRecord[];
  readonly throughSeq: number;
}

/** `free`: nobody else writes to the streams that are watched. `contended`: somebody does, so they cannot be. */
export type Streams = 'free' | 'contended';

export interface BatchSenderEvents {
  /** Nothing was sent: the databases of these records are not there. */
  onRefused(records: readonly Failed[]): void;
  /** The batch is in flight; `reply` is its reply as far as it will have come. */
  onSent(batch: Batch, reply: ExecReply): void;
  /** `renamed` entries did not get the id that their client was told. */
  onAnswered(batch: Batch, outcome: BatchOutcome, renamed: number): void;
}

/** A batch that has been sent but for its EXEC. */
interface Staged {
  readonly records: readonly JournalRecord[];
  readonly batch: Batch;
  readonly reply: ExecReply;
}

export class BatchSender {
  /** Databases that this connection is let into. */
  private readonly knownDbs = new Set([0]);
  private staged: Staged | null = null;

  constructor(
    private readonly link: ReplayLink,
    private readonly cursor: Cursor,
    private readonly events: BatchSenderEvents,
  ) {}

  /** The cursor has been read, and nothing else was staged than this. */
  send(load: Load, streams: Streams): void {
    if (this.staged !== null) return this.commit(this.staged);
    const preparation = Preparation.of(load.records, this.knownDbs, streams);
    if (preparation === null)
      return this.commit(this.stage(load, streams === 'free' ? new Map() : null));
    this.link.ask(preparation.bytes, preparation.commands, (replies) => {
      const prepared = preparation.read(replies);
      const refused = this.refusedAmong(load.records, prepared);
      if (refused.length > 0) this.events.onRefused(refused);
      else this.commit(this.stage(load, streams === 'free' ? prepared.lastIds : null));
    });
  }

  /** This will probably be sent next: stages it, where nothing has to be asked first. */
  sendAhead(load: Load): void {
    if (Preparation.of(load.records, this.knownDbs, 'free') === null)
      this.staged = this.stage(load, new Map());
  }

  /** True: something is staged that is not `load`; it was given up, and the WATCH of the cursor with it. */
  discardUnless(load: Load | null): boolean {
    if (this.staged === null || (load !== null && isFor(this.staged, load))) return false;
    this.staged = null;
    this.link.ask(DISCARD, 1, () => undefined);
    return true;
  }

  private refusedAmong(records: readonly JournalRecord[], prepared: Prepared): Failed[] {
    const refused: Failed[] = [];
    for (const record of records) {
      const reason = prepared.refusedDbs.get(record.db);
      if (reason === undefined) this.knownDbs.add(record.db);
      else refused.push({ record, commands: null, reason });
    }
    return refused;
  }

  private stage({ records, throughSeq }: Load, lastIds: Prepared['lastIds'] | null): Staged {
    const possible = withPossibleIds(records, lastIds);
    const batch = buildBatch(possible.records, throughSeq, this.cursor);
    const reply = new ExecReply(batch.commands, (outcome) =>
      this.events.onAnswered(batch, outcome, possible.renamed),
    );
    this.link.send(reply, batch.bytes, batch.commands + 1);
    return { records, batch, reply };
  }

  private commit({ batch, reply }: Staged): void {
    this.staged = null;
    this.link.send(reply, EXEC, 1);
    this.events.onSent(batch, reply);
  }
}

/** The same records: those of one reading, of which none has become a dead letter since. */
function isFor(staged: Staged, { records, throughSeq }: Load): boolean {
  const isSame = staged.records[0] === records[0] && staged.records.length === records.length;
  return isSame && staged.batch.throughSeq === throughSeq;
}
