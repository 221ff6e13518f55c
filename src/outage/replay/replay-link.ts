/**
 * The replayer's connection: opened, cleared of what must not run any more, and tried out before the first batch.
 *
 *   open ─► CLIENT KILL of what is fenced ─► MULTI EXEC ─► ready ─► WATCH GET ─► batches
 *
 * Knows no records. What is said on it is answered in order; what is not, is told by `onLost`.
 */
import { ReplyError } from '../../resp/decoder.js';
import type { ConnectionEvents, UpstreamConnection } from '../../upstream/connection.js';
import type { Fences } from '../../upstream/fences.js';
import { PROMPT } from '../../upstream/in-flight.js';
import type { ReplyReceiver } from '../../upstream/receiver.js';
import { EXEC, MULTI } from './cursor.js';
import { decodeReplies, OwnReplies } from './own-replies.js';

export interface ReplayLinkOptions {
  /** Opens a connection under the sidecar's own identity, in database 0 and RESP2. */
  readonly connect: (events: ConnectionEvents) => UpstreamConnection;
  /** Null: the connection is to be ready as soon as it is open. */
  readonly fences: Fences | null;
  readonly onReady: () => void;
  /** The connection is gone, or of no use. Called at most once, never after `abandon`. */
  readonly onLost: (cause: Error) => void;
}

export class ReplayLink {
  private readonly connection: UpstreamConnection;
  private isOver = false;

  constructor(private readonly options: ReplayLinkOptions) {
    this.connection = options.connect({
      onReady: () => this.opened(),
      onLost: (_, cause) => this.fail(cause),
      onDrain: () => undefined,
      onDelivered: () => false,
    });
  }

  /** Sends `commands` commands; all of one tick go out together. */
  send(receiver: ReplyReceiver, bytes: Buffer, commands: number): void {
    this.connection.send(receiver, bytes, 0, bytes.length, commands, PROMPT);
  }

  /** As `send`; `done` gets the bytes of all replies. */
  ask(bytes: Buffer, commands: number, done: (replies: Buffer) => void): void {
    this.send(new OwnReplies(commands, done), bytes, commands);
  }

  abandon(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.connection.abandon();
  }

  private fail(cause: Error): void {
    if (this.isOver) return;
    this.abandon();
    this.options.onLost(cause);
  }

  private opened(): void {
    const { fences, onReady } = this.options;
    if (fences === null) onReady();
    else this.fence(fences);
  }

  /** What was given up, by whomever, must not run after what is replayed now (FAULTS.md 2). */
  private fence(fences: Fences): void {
    const round = fences.killCommands();
    if (round === null) return this.rehearse();
    this.ask(round.bytes, round.count, (replies) => {
      fences.confirm(round, replies);
      const isUndecided = round.targets.some((target) => fences.pending.includes(target));
      if (!isUndecided) this.fence(fences);
      else this.fail(new Error('the upstream cannot kill connections that were given up yet'));
    });
  }

  /** Where MULTI is refused, what follows it would run at once and by itself. So it is tried with nothing in it. */
  private rehearse(): void {
    this.ask(Buffer.concat([MULTI, EXEC]), 2, (replies) => {
      const refusal = decodeReplies(replies).find((value) => value instanceof ReplyError);
      if (refusal === undefined) this.options.onReady();
      else this.fail(new Error(`the upstream refuses transactions: ${refusal.message}`));
    });
  }
}
