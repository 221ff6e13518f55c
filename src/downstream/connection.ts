/**
 * One client's connection: the only place that reads from a client and the only one that writes to it (I2). Cuts the
 * bytes into commands and gives runs of plain ones to the handler as they came; anything special is handed over by
 * itself. Decides nothing about what a command means.
 *
 *   socket ─► tail + chunk ─► RequestFramer ─► admit? ──yes──► …run grows… ──► handler.forward(bytes, count)
 *                                                 └──no──► handler.command(frame) ──false──► stalled until resume()
 *   socket ◄─(one write per tick)─ ReplyQueue ◄─ reply(chunk, start, end)
 *
 * A stalled connection reads nothing: its unread input stays in the kernel, and the one chunk at hand is the backlog.
 */
import type net from 'node:net';
import type { Clock, Timer } from '../base/clock.js';
import { classify } from '../command/classify.js';
import { encodeCommand, encodeError } from '../resp/encoder.js';
import { splitInline } from '../resp/inline.js';
import { COMMAND, EMPTY, INLINE, NEED_MORE, RequestFramer } from '../resp/request-framer.js';
import type { Flushable, Outbox } from './outbox.js';
import { ReplyQueue } from './reply-queue.js';
import { InputTail } from './input-tail.js';

/** What a client's commands are handed to. */
export interface ConnectionHandler {
  /**
   * True when the command, `bytes` long and of so many arguments (the name included), may join the run that is passed on
   * as it came. Counts it.
   */
  admit(commandId: number, bytes: number, argumentCount: number): boolean;
  /** Passes on `count` admitted commands, `buffer[start, end)`. The buffer is not touched afterwards. */
  forward(buffer: Buffer, start: number, end: number, count: number): void;
  /** Deals with one command that was not admitted. False: not now; it comes again after `resume`. */
  command(commandId: number, frame: Buffer): boolean;
  /**
   * A command of unbounded size begins, of which this much is there. True: pass it on piece by piece. False: not now.
   * Null: collect it.
   */
  beginStream(commandId: number, bytesAtHand: number): boolean | null;
  /** The next piece of it; `ended` with the last. */
  stream(buffer: Buffer, start: number, end: number, ended: boolean): void;
  /** The stream of bytes makes no sense any more; `rest` begins with the offending bytes. False: not now. */
  protocolError(text: string, rest: Buffer): boolean;
  /** Everything that has come was handed over, or the client is stalled. */
  chunkEnded(): void;
  /** What a stalled client has sent by now; after `overhear`. */
  overheard(backlog: Buffer): void;
  /** The client sends no more; it still reads. */
  inputEnded(): void;
  /** The connection is gone. */
  closed(): void;
}

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly outbox: Outbox;
  readonly traffic: {
    downstreamBytesIn: number;
    downstreamBytesOut: number;
    clientsClosedForOutput: number;
  };
  readonly maxBulkBytes: number;
  /** A client that lets this much pile up unread is closed, like Redis' client-output-buffer-limit does it. */
  readonly outputLimitBytes: number;
}

/** An unfinished command longer than this is passed on as it comes instead of being collected. */
const STREAM_FROM_BYTES = 64 * 1024;
/** One that declares as much needs to have sent only this much, so that its beginning is not copied either. */
const STREAM_DECLARED_FROM_BYTES = 8 * 1024;
/** A command that must be seen whole (SUBSCRIBE, AUTH …) may be this long. */
const MAX_COLLECTED_BYTES = 64 * 1024 * 1024;
/** What is read from a stalled client all the same, to find what must not wait. */
const MAX_OVERHEARD_BYTES = 64 * 1024;
/** Replies of one tick up to this size are joined into one write. */
const JOIN_LIMIT_BYTES = 16 * 1024;

export class ClientConnection implements Flushable {
  private handler!: ConnectionHandler;
  private readonly framer: RequestFramer;
  private readonly replies = new ReplyQueue();
  private readonly tail = new InputTail();
  private backlog: Buffer | null = null;
  private streaming = false;
  private isDirty = false;
  private isFinished = false;
  private inputPaused = false;
  private inputIsOver = false;
  private isProcessing = false;
  private isFollowed = false;
  private overhears = false;
  /** Runs out when a client that was told goodbye should have gone. */
  private lingering: Timer | null = null;
  private bytesThrownAway = 0;

  constructor(
    private readonly socket: net.Socket,
    private readonly options: ConnectionOptions,
  ) {
    this.framer = new RequestFramer(options.maxBulkBytes);
  }

  /** Starts reading. */
  attach(handler: ConnectionHandler): void {
    this.handler = handler;
    const { socket } = this;
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('end', () => this.onEnd());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isFinished = true;
      this.backlog = null;
      this.lingering?.cancel();
      handler.closed();
    });
  }

  /** False puts Redis' small limits in force. */
  set authenticated(value: boolean) {
    this.framer.authenticated = value;
  }

  /** Bytes written to the client that the operating system has not taken: it reads too slowly. */
  get unreadBytes(): number {
    return this.socket.writableLength;
  }
  /** The bytes at hand go on behind the command that is being dealt with. */
  get hasMoreInput(): boolean {
    return this.isFollowed;
  }
  /** The client may still be answered. */
  get isOpen(): boolean {
    return !this.isFinished;
  }
  get isStalled(): boolean {
    return this.backlog !== null;
  }

  /** Appends to what the client gets; written when the outbox is flushed. Keeps the chunk. */
  reply(chunk: Buffer, start: number, end: number): void {
    if (this.isFinished) return;
    this.replies.append(chunk, start, end);
    if (this.isDirty) return;
    this.isDirty = true;
    this.options.outbox.add(this);
  }

  /** For a reply that no upstream's chunk brought: nobody else would flush. */
  replyHere(reply: Buffer): void {
    this.reply(reply, 0, reply.length);
    this.options.outbox.flushSoon();
  }

  flush(): void {
    this.isDirty = false;
    if (this.isFinished) return;
    this.writeOut();
    if (this.socket.writableLength > this.options.outputLimitBytes) {
      this.options.traffic.clientsClosedForOutput += 1;
      this.destroy();
    }
  }

  /** Writes `last` behind everything else and closes; the FIN leaves in the same tick (FAULTS.md 13). */
  finish(last: Buffer | null): void {
    if (this.isFinished) return;
    this.writeOut();
    this.isFinished = true;
    this.backlog = null;
    if (last === null) this.socket.end();
    else {
      this.options.traffic.downstreamBytesOut += last.length;
      this.socket.end(last);
    }
    // Whatever it still sends is read and thrown away, or the kernel would answer it with a reset.
    this.socket.resume();
    const giveUp = (): void => void this.socket.destroy();
    // As long as it reads, it gets everything; from then on its time is up whether it sends or not.
    this.socket.setTimeout(LINGER_MS, giveUp);
    this.socket.once(
      'finish',
      () => (this.lingering = this.options.clock.after(LINGER_MS, giveUp)),
    );
  }

  /** Closes at once; what the client has not read is lost. */
  destroy(): void {
    this.isFinished = true;
    this.backlog = null;
    this.socket.destroy();
  }

  /** Stops and restarts reading, for a client that sends faster than the upstream takes. */
  pauseInput(): void {
    if (this.inputPaused) return;
    this.inputPaused = true;
    this.socket.pause();
  }
  resumeInput(): void {
    if (!this.inputPaused || this.backlog !== null) return;
    this.inputPaused = false;
    if (!this.isFinished) this.socket.resume();
  }

  /** Calls `drained` once the client has read what is `unreadBytes` now. */
  whenDrained(drained: () => void): void {
    this.socket.once('drain', drained);
  }

  /** While it is stalled, reads a little further; `overheard` is shown what there is, now and whenever more comes. */
  overhear(): void {
    if (this.backlog === null || this.isFinished) return;
    this.overhears = true;
    this.showBacklog(this.backlog);
  }

  private showBacklog(backlog: Buffer): void {
    this.handler.overheard(backlog);
    const mayRead = backlog.length < MAX_OVERHEARD_BYTES;
    if (mayRead === !this.inputPaused || this.isFinished) return;
    this.inputPaused = !mayRead;
    if (mayRead) this.socket.resume();
    else this.socket.pause();
  }

  /** What stalled the handler is over: goes on with the backlog. */
  resume(): void {
    if (this.isProcessing) return;
    const backlog = this.backlog;
    if (backlog === null || this.isFinished) return;
    this.backlog = null;
    this.overhears = false;
    this.process(backlog);
    if (this.backlog !== null) return;
    this.resumeInput();
    if (this.inputIsOver) this.handler.inputEnded();
  }

  private onData(chunk: Buffer): void {
    this.options.traffic.downstreamBytesIn += chunk.length;
    if (this.isFinished) return this.throwAway(chunk.length);
    if (this.backlog !== null) {
      // Node may deliver one more chunk after pause().
      this.backlog = Buffer.concat([this.backlog, chunk]);
      if (this.overhears) this.showBacklog(this.backlog);
      return;
    }
    this.process(this.tail.isEmpty ? chunk : this.tail.join(chunk));
  }

  /** It was told goodbye, and has had time to notice. */
  private throwAway(bytes: number): void {
    this.bytesThrownAway += bytes;
    if (this.bytesThrownAway > MAX_THROWN_AWAY_BYTES) this.socket.destroy();
  }

  private onEnd(): void {
    this.inputIsOver = true;
    if (this.backlog === null && !this.isFinished) this.handler.inputEnded();
  }

  private process(buffer: Buffer): void {
    this.isProcessing = true;
    const at = this.streaming ? this.continueStream(buffer) : 0;
    if (at !== STOP) this.scan(buffer, at);
    this.handler.chunkEnded();
    this.isProcessing = false;
  }

  /** The hot loop. */
  private scan(buffer: Buffer, from: number): void {
    const { framer, handler } = this;
    const end = buffer.length;
    let pos = from;
    let runStart = from;
    let run = 0;
    while (pos < end) {
      const found = framer.next(buffer, pos, end);
      if (found === COMMAND) {
        const next = framer.frameEnd;
        const id = classify(buffer, framer.nameStart, framer.nameBytes);
        if (handler.admit(id, next - pos, framer.argumentCount)) {
          run += 1;
          pos = next;
          continue;
        }
        if (run > 0) handler.forward(buffer, runStart, pos, run);
        run = 0;
        this.isFollowed = next < end;
        const taken = handler.command(id, buffer.subarray(pos, next));
        if (this.isFinished) return;
        if (!taken) return this.stall(buffer.subarray(pos));
        pos = runStart = next;
        continue;
      }
      if (run > 0) handler.forward(buffer, runStart, pos, run);
      run = 0;
      if (found === NEED_MORE) return this.keepUnfinished(buffer, pos);
      if (found !== EMPTY && !this.takeUnusual(found, buffer, pos)) return;
      pos = runStart = framer.frameEnd;
    }
    this.tail.clear();
    if (run > 0) handler.forward(buffer, runStart, pos, run);
  }

  /** An inline command or an error. False: stop here. */
  private takeUnusual(found: number, buffer: Buffer, pos: number): boolean {
    if (found !== INLINE) return this.refuse(this.framer.error, buffer, pos);
    const words = splitInline(buffer.subarray(pos, this.framer.frameEnd - 1));
    if (words === null) return this.refuse('unbalanced quotes in request', buffer, pos);
    if (words.length === 0) return true;
    const frame = encodeCommand(words);
    const id = classify(words[0]!, 0, words[0]!.length);
    if (this.handler.admit(id, frame.length, words.length)) {
      this.handler.forward(frame, 0, frame.length, 1);
      return true;
    }
    this.isFollowed = this.framer.frameEnd < buffer.length;
    const taken = this.handler.command(id, frame);
    if (!taken && !this.isFinished) this.stall(buffer.subarray(pos));
    return taken && !this.isFinished;
  }

  private refuse(text: string, buffer: Buffer, pos: number): false {
    const rest = buffer.subarray(pos);
    const taken = this.handler.protocolError(text, rest);
    this.framer.restart();
    if (!taken && !this.isFinished) this.stall(rest);
    return false;
  }

  private stall(backlog: Buffer): void {
    this.tail.clear();
    this.backlog = backlog;
    this.pauseInput();
  }

  /** The frame at `pos` is unfinished: keep its bytes, or begin to pass it on when it is long. */
  private keepUnfinished(buffer: Buffer, pos: number): void {
    const { framer, handler } = this;
    const bytes = buffer.length - pos;
    const isDeclared =
      framer.scannedBytes > STREAM_FROM_BYTES && bytes > STREAM_DECLARED_FROM_BYTES;
    if ((isDeclared || bytes > STREAM_FROM_BYTES) && framer.isInFrame) {
      const id = framer.nameIsKnown ? classify(buffer, framer.nameStart, framer.nameBytes) : 0;
      const began = handler.beginStream(id, bytes);
      if (this.isFinished) return;
      if (began === false) {
        framer.restart();
        return this.stall(buffer.subarray(pos));
      }
      if (began === true) {
        this.streaming = true;
        return this.passOn(buffer, pos);
      }
      if (bytes > MAX_COLLECTED_BYTES) {
        this.finish(
          encodeError('ERR Protocol error: a command of this kind may not be longer than 64 MB'),
        );
        return;
      }
    }
    this.tail.keep(buffer, pos);
  }

  /** Passes on what has been understood of the unfinished frame; a cut-off header line is kept. */
  private passOn(buffer: Buffer, pos: number): void {
    const understood = Math.min(this.framer.scannedBytes, buffer.length - pos);
    this.handler.stream(buffer, pos, pos + understood, false);
    this.framer.dropped(understood);
    this.tail.keep(buffer, pos + understood);
  }

  /** Returns where the frame being streamed ended, or STOP. */
  private continueStream(buffer: Buffer): number {
    const found = this.framer.next(buffer, 0, buffer.length);
    if (found === NEED_MORE) {
      this.passOn(buffer, 0);
      return STOP;
    }
    this.streaming = false;
    if (found !== COMMAND) {
      this.refuse(this.framer.error, buffer, 0);
      return STOP;
    }
    this.handler.stream(buffer, 0, this.framer.frameEnd, true);
    return this.isFinished ? STOP : this.framer.frameEnd;
  }

  private writeOut(): void {
    const { socket } = this;
    const bytes = this.replies.bytes;
    if (bytes === 0) return;
    this.options.traffic.downstreamBytesOut += bytes;
    const parts = this.replies.take(socket.writableLength > 0);
    if (parts.length === 1) socket.write(parts[0]!);
    else if (bytes <= JOIN_LIMIT_BYTES) socket.write(Buffer.concat(parts, bytes));
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    if (socket.writableLength > 0) this.options.outbox.retains();
  }
}

const STOP = -1;
/** How long a client may take to read the last words before its connection is dropped. */
const LINGER_MS = 5000;
/** One that sends on and on does not read; Redis would have hung up at once. */
const MAX_THROWN_AWAY_BYTES = 1024 * 1024;
