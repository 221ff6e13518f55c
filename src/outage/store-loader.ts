/**
 * Fills a fresh outage store with the records that wait in the journal, over one plain stream, before anybody else may
 * talk to it. The stream stays open afterwards: that it closes is the sign that the engine, and all that was in it, is
 * gone, also when the engine starts again by itself.
 */
import type { ByteStream, Transport } from '../base/byte-stream.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Journal } from '../journal/journal.js';
import { encodeCommand } from '../resp/encoder.js';
import { ERROR_TYPE, ReplyFramer } from '../resp/reply-framer.js';

export interface StoreLoaderOptions {
  readonly transport: Transport;
  readonly journal: Pick<Journal, 'read' | 'releasedSeq' | 'settledSeq' | 'lastSeq'>;
  readonly clock: Clock;
  /** Called once. `refused` commands were answered with errors. */
  readonly onLoaded: (commands: number, refused: number) => void;
  /** The engine is gone, before or after it was loaded. Called at most once, never after `abandon`. */
  readonly onLost: (cause: Error) => void;
}

const READ_COMMANDS = 4096;
const READ_BYTES = 1024 * 1024;
/** Commands that may await their replies. */
const WINDOW_COMMANDS = 16_384;
/** How often the journal is asked whether what is on its way has settled. */
const SETTLE_MS = 1;

export class StoreLoader {
  private readonly stream: ByteStream;
  private readonly framer = new ReplyFramer();
  private phase: 'loading' | 'loaded' | 'over' = 'loading';
  private loadedSeq: number;
  private db = 0;
  private sent = 0;
  private answered = 0;
  private refused = 0;
  private settling: Timer | null = null;

  constructor(private readonly options: StoreLoaderOptions) {
    this.loadedSeq = options.journal.releasedSeq;
    this.stream = options.transport.open({
      onOpen: () => this.sendMore(),
      onData: (chunk) => this.read(chunk),
      onDrain: () => this.sendMore(),
      onClose: (cause) => this.lost(cause ?? new Error('the outage store closed the connection')),
    });
  }

  abandon(): void {
    this.phase = 'over';
    this.settling?.cancel();
    this.stream.reset();
  }

  /** In the order of the journal, and as single commands: nobody is there to see a transaction half done. */
  private sendMore(): void {
    if (this.phase !== 'loading') return;
    const { journal } = this.options;
    while (this.sent - this.answered < WINDOW_COMMANDS) {
      const records = journal.read(this.loadedSeq, READ_COMMANDS, READ_BYTES);
      if (records.length === 0) return this.finishIfAnswered();
      const pieces: Buffer[] = [];
      for (const { db, bytes, commands, seq } of records) {
        if (db !== this.db) {
          pieces.push(encodeCommand(['SELECT', db]));
          this.sent += 1;
          this.db = db;
        }
        pieces.push(bytes);
        this.sent += commands;
        this.loadedSeq = seq;
      }
      if (!this.stream.write(Buffer.concat(pieces))) return;
    }
  }

  private read(chunk: Buffer): false {
    for (let pos = 0; pos < chunk.length;) {
      pos = this.framer.scan(chunk, pos, chunk.length, 1);
      this.answered += this.framer.completed;
      if (this.framer.completed > 0 && this.framer.frameType === ERROR_TYPE) this.refused += 1;
    }
    this.sendMore();
    return false;
  }

  /** A record that is on its way to the disk was already applied to the store before this one: it belongs in here. */
  private finishIfAnswered(): void {
    const { journal, clock } = this.options;
    if (this.answered < this.sent) return;
    if (journal.settledSeq < journal.lastSeq) {
      this.settling ??= clock.after(SETTLE_MS, () => {
        this.settling = null;
        this.sendMore();
      });
      return;
    }
    this.phase = 'loaded';
    this.options.onLoaded(this.sent, this.refused);
  }

  private lost(cause: Error): void {
    if (this.phase === 'over') return;
    this.phase = 'over';
    this.settling?.cancel();
    this.options.onLost(cause);
  }
}
