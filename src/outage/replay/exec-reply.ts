/**
 * Reads what the upstream says to one batch: MULTI's reply, one reply per queued command, and EXEC's. Nothing is kept but
 * errors, and nothing is decoded but them, because a batch that went well is 257 lines of no interest, and a read in a
 * transaction may answer with a hundred megabytes.
 *
 *   +OK  +QUEUED …  +QUEUED  *257 +OK :1 -WRONGTYPE … +OK      applied, one command with an error
 *   +OK  +QUEUED …  +QUEUED  *-1                               overtaken: the cursor has moved, nothing has run
 *   +OK  -ERR unknown …      -EXECABORT …                      refused: nothing has run
 */
import { ERROR_TYPE, ReplyFramer } from '../../resp/reply-framer.js';
import type { ReplyReceiver } from '../../upstream/receiver.js';

/** An error reply to the command at `index` of the transaction (the first behind MULTI is 0); the text is without `-`. */
export interface CommandError {
  readonly index: number;
  readonly text: string;
}

export type BatchOutcome =
  | { readonly kind: 'applied'; readonly errors: readonly CommandError[] }
  | { readonly kind: 'overtaken' }
  /** `text` is what EXEC said. `errors` are those at queueing; without any, the whole was refused for what `text` says. */
  | { readonly kind: 'refused'; readonly errors: readonly CommandError[]; readonly text: string };

const PLUS = 43;
const COLON = 58;
const STAR = 42;
const MINUS = 45;
const LF = 10;
/** Redis' errors quote what they were given, shortened; nothing longer than this helps anybody. */
const MAX_TEXT_BYTES = 2048;

export class ExecReply implements ReplyReceiver {
  /** Errors so far. Of interest before the end only when the connection is lost. */
  readonly errors: CommandError[] = [];
  private readonly framer = new ReplyFramer();
  /** Replies read: MULTI's and the queued commands'. */
  private read = 0;
  /** Of EXEC's array: unknown (null) until its header has been read. */
  private elements: number | null = null;
  private elementsRead = 0;
  private skipped = 0;
  private header = '';
  private text = '';

  /** `commands`: between MULTI and EXEC. `done` is called once, when EXEC has been answered. */
  constructor(
    private readonly commands: number,
    private readonly done: (outcome: BatchOutcome) => void,
  ) {}

  receive(chunk: Buffer, start: number, end: number): void {
    let pos = start;
    while (pos < end) {
      if (this.read <= this.commands) pos = this.readQueued(chunk, pos, end);
      else if (this.elements === null) pos = this.readHeader(chunk, pos, end);
      else pos = this.readElement(chunk, pos, end);
    }
  }

  // The connection tells the replayer that it is lost; the cursor then tells what became of the batch.
  lose(): void {}
  refuse(): void {}

  /** Passes over lines that say that all is well, up to `limit` of them: nearly all of what there is to read. */
  private skipGoodLines(chunk: Buffer, start: number, end: number, limit: number): number {
    this.skipped = 0;
    let pos = start;
    if (this.framer.isInFrame) return pos;
    while (this.skipped < limit && pos < end) {
      const first = chunk[pos]!;
      if (first !== PLUS && first !== COLON) break;
      let at = pos + 1;
      while (at < end && chunk[at] !== LF) at += 1;
      if (at === end) break;
      pos = at + 1;
      this.skipped += 1;
    }
    return pos;
  }

  private readQueued(chunk: Buffer, from: number, end: number): number {
    const start = this.skipGoodLines(chunk, from, end, this.commands + 1 - this.read);
    this.read += this.skipped;
    if (this.skipped > 0) return start;
    const pos = this.readFrame(chunk, start, end);
    if (this.framer.isInFrame) return pos;
    // MULTI's own reply is number 0.
    this.noteError(this.read - 1);
    this.read += 1;
    return pos;
  }

  /** EXEC's `*n`, or its error. */
  private readHeader(chunk: Buffer, start: number, end: number): number {
    const first = this.header === '' ? chunk[start] : this.header.charCodeAt(0);
    const lf = chunk.indexOf(LF, start);
    const stop = lf === -1 || lf >= end ? end : lf + 1;
    if (this.header.length < MAX_TEXT_BYTES) this.header += chunk.toString('latin1', start, stop);
    if (lf === -1 || lf >= end) return end;
    const line = this.header.trimEnd();
    if (first === MINUS) this.done({ kind: 'refused', errors: this.errors, text: line.slice(1) });
    else if (first !== STAR || line === '*-1') this.done({ kind: 'overtaken' });
    else this.elements = Number(line.slice(1));
    return stop;
  }

  private readElement(chunk: Buffer, from: number, end: number): number {
    const start = this.skipGoodLines(chunk, from, end, this.elements! - this.elementsRead);
    this.elementsRead += this.skipped;
    const pos = this.skipped > 0 ? start : this.readOneElement(chunk, start, end);
    if (this.elementsRead === this.elements) this.done({ kind: 'applied', errors: this.errors });
    return pos;
  }

  private readOneElement(chunk: Buffer, start: number, end: number): number {
    const pos = this.readFrame(chunk, start, end);
    if (this.framer.isInFrame) return pos;
    this.noteError(this.elementsRead);
    this.elementsRead += 1;
    return pos;
  }

  private readFrame(chunk: Buffer, start: number, end: number): number {
    const pos = this.framer.scan(chunk, start, end, 1);
    if (this.framer.frameType === ERROR_TYPE && this.text.length < MAX_TEXT_BYTES)
      this.text += chunk.toString('latin1', start, pos);
    return pos;
  }

  private noteError(index: number): void {
    if (this.framer.frameType !== ERROR_TYPE) return;
    this.errors.push({ index, text: this.text.slice(1).trimEnd() });
    this.text = '';
  }
}
