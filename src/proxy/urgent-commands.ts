/**
 * SCRIPT KILL, FUNCTION KILL and SHUTDOWN of a client whose earlier commands wait for the very script that they are to
 * end: they are sent at once on a connection of their own, and each reply is kept for its place (I1, SEMANTICS §5).
 *
 *   waits   │ SET a 1 │ GET b │ SCRIPT KILL │ …        overheard ──► sent ──► +OK
 *   later   +OK         $1 x    +OK (the one that was kept)
 */
import { classify } from '../command/classify.js';
import { endsScripts } from '../command/effect.js';
import { COMMANDS } from '../command/table.js';
import type { Identity } from '../command/connection-state.js';
import { COMMAND, RequestFramer } from '../resp/request-framer.js';
import type { UpstreamConnection } from '../upstream/connection.js';
import { PROMPT } from '../upstream/in-flight.js';
import type { LeaseHolder, Pool } from '../upstream/pool.js';
import type { ReplyReceiver } from '../upstream/receiver.js';

/** Of one client; more wait their turn. */
const MAX_SENT = 8;

export interface UrgentHost {
  /** Where the client's commands go, and as whom. */
  readonly pool: Pool;
  readonly identity: Identity;
  /** It is not passed on, and its client told why in its turn. */
  isDenied(commandId: number, frame: Buffer): boolean;
  /** A reply has come, or will not. */
  goOn(): void;
}

export class UrgentCommands {
  private sent: Urgent[] = [];

  constructor(private readonly host: UrgentHost) {}

  /** Looks through what the client has sent and nobody has dealt with; sends what is urgent in it, once. */
  overheard(backlog: Buffer): void {
    const framer = new RequestFramer(Infinity);
    let seen = 0;
    for (let pos = 0; pos < backlog.length; pos = framer.frameEnd) {
      // Anything else than commands in frames is for people, who wait for their replies.
      if (framer.next(backlog, pos, backlog.length) !== COMMAND) return;
      const id = classify(backlog, framer.nameStart, framer.nameBytes);
      // What stands behind it is to be queued.
      if (COMMANDS[id]!.effect === 'multi') return;
      const frame = backlog.subarray(pos, framer.frameEnd);
      if (!endsScripts(id, frame) || this.host.isDenied(id, frame)) continue;
      seen += 1;
      if (seen <= this.sent.length) continue;
      if (this.sent.length >= MAX_SENT) return;
      this.sent.push(new Urgent(this.host, Buffer.from(frame)));
    }
  }

  /** The client has come to its oldest urgent command: was it sent already? */
  get isAhead(): boolean {
    return this.sent.length > 0;
  }

  /** The reply to that; null when it has not come yet. An empty one: it was not answered, and is to be said again. */
  get reply(): Buffer | null {
    return this.sent[0]?.reply ?? null;
  }

  /** It has been answered. */
  done(): void {
    this.sent.shift();
  }
}

const NO_REPLY = Buffer.alloc(0);

/** One of them, on its way. */
class Urgent implements LeaseHolder, ReplyReceiver {
  reply: Buffer | null = null;
  private connection: UpstreamConnection | null = null;
  private readonly parts: Buffer[] = [];

  constructor(
    private readonly host: UrgentHost,
    private readonly frame: Buffer,
  ) {
    const connection = host.pool.acquire(host.identity, null, this);
    if (connection !== null) this.granted(connection);
  }

  granted(connection: UpstreamConnection): void {
    this.connection = connection;
    connection.send(this, this.frame, 0, this.frame.length, 1, PROMPT);
  }

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    this.parts.push(Buffer.from(chunk.subarray(start, end)));
    if (completed === 0) return;
    this.host.pool.release(this.connection!);
    this.end(Buffer.concat(this.parts));
  }

  denied(): void {
    this.end(NO_REPLY);
  }
  lose(): void {
    this.end(NO_REPLY);
  }
  refuse(): void {
    this.end(NO_REPLY);
  }
  leaseLost(): void {
    if (this.reply === null) this.end(NO_REPLY);
  }
  leaseDrained(): void {}

  private end(reply: Buffer): void {
    this.reply = reply;
    this.host.goOn();
  }
}
