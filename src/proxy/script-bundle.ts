/**
 * Several EVALSHA that one client has sent in one breath, as one transaction: the source goes along once, and nobody can
 * make the server forget it before the last of them has run. What a transaction says around its results is taken off
 * again; the client gets what it would have got. Nothing of the client may be sent behind it before it is answered.
 *
 *   sent      MULTI │ EVAL source │ EVALSHA │ EVALSHA │ EXEC
 *   comes     +OK   │ +QUEUED     │ +QUEUED │ +QUEUED │ *3 │ :1 │ :2 │ $1 x │
 *   passed                                               └────────────────┘
 */
import { encodeCommand } from '../resp/encoder.js';
import { ReplyFramer } from '../resp/reply-framer.js';
import { withSource } from '../script/rewrite.js';
import { isBusyReply } from '../upstream/busy.js';
import { NeverSent, type ReplyReceiver } from '../upstream/receiver.js';

/** A call of a known script. */
export interface ScriptCall {
  readonly frame: Buffer;
  readonly args: readonly Buffer[];
  readonly source: Buffer;
}

const MULTI = encodeCommand(['MULTI']);
const EXEC = encodeCommand(['EXEC']);
const MAX_CALLS = 256;
const MAX_BYTES = 1024 * 1024;
const LF = 10;
const PLUS = 0x2b;
const STAR = 0x2a;

export class ScriptBundle {
  readonly calls: ScriptCall[] = [];
  private readonly sources = new Set<Buffer>();
  private bytes = 0;

  get isFull(): boolean {
    return this.calls.length >= MAX_CALLS || this.bytes >= MAX_BYTES;
  }

  add(call: ScriptCall): void {
    this.calls.push(call);
    this.bytes += call.frame.length + (this.sources.has(call.source) ? 0 : call.source.length);
    this.sources.add(call.source);
  }

  /** What is sent: the transaction, with each source where it is called for the first time. */
  encode(): { readonly bytes: Buffer; readonly sources: number } {
    const told = new Set<Buffer>();
    const frames = this.calls.map(({ frame, args, source }) => {
      if (told.has(source)) return frame;
      told.add(source);
      return withSource(frame, args, source);
    });
    return { bytes: Buffer.concat([MULTI, ...frames, EXEC]), sources: told.size };
  }

  /** Commands that are sent besides the calls. */
  static readonly EXTRA_COMMANDS = 2;
}

/**
 * Where the replies are: to MULTI, to what was queued, to EXEC, and its results. `bare`: MULTI was refused, and the calls
 * ran one by one.
 */
type Phase = 'multi' | 'queued' | 'exec' | 'results' | 'bare' | 'over';

/** Takes what is said to a bundle, and gives `owner` one reply for each call. */
export class BundleReceiver implements ReplyReceiver {
  private phase: Phase = 'multi';
  private line = Buffer.alloc(0);
  /** What was said to each call as it was queued. */
  private readonly queued: Buffer[] = [];
  private readonly framer = new ReplyFramer();
  /** Results that the owner has had. */
  private done = 0;

  constructor(
    private readonly owner: ReplyReceiver,
    private readonly calls: readonly ScriptCall[],
  ) {}

  receive(chunk: Buffer, start: number, end: number): void {
    let pos = start;
    while (pos < end && !this.arePassing) pos = this.takeLine(chunk, pos, end);
    if (this.arePassing) pos = this.pass(chunk, pos, end);
    // EXEC of a transaction that there was none of.
    if (pos < end) this.phase = 'over';
  }

  /** An error of a server that cannot serve, whole; it stands for one of the replies. */
  unserved(_count: 1, frame: Buffer): boolean {
    this.receive(frame, 0, frame.length);
    return true;
  }

  lose(_count: number, _midReply: boolean, cause: Error): void {
    if (this.phase === 'over') return;
    this.phase = 'over';
    this.owner.lose(this.left, this.framer.isInFrame, cause, this.requestsLeft());
  }

  refuse(_count: number, cause: Error): void {
    if (this.phase === 'over') return;
    this.phase = 'over';
    this.owner.refuse(this.left, cause, this.requestsLeft());
  }

  private get arePassing(): boolean {
    return this.phase === 'results' || this.phase === 'bare';
  }

  private get left(): number {
    return this.calls.length - this.done;
  }

  private requestsLeft(): Buffer {
    return Buffer.concat(this.calls.slice(this.done).map(({ frame }) => frame));
  }

  /** Collects one line, and does what it says. Returns where to go on. */
  private takeLine(chunk: Buffer, pos: number, end: number): number {
    const lineEnd = chunk.indexOf(LF, pos) + 1;
    const isWhole = lineEnd > 0 && lineEnd <= end;
    const stop = isWhole ? lineEnd : end;
    const line = Buffer.concat([this.line, chunk.subarray(pos, stop)]);
    this.line = isWhole ? Buffer.alloc(0) : line;
    if (isWhole) this.said(line);
    return stop;
  }

  private said(line: Buffer): void {
    switch (this.phase) {
      case 'multi':
        this.phase = line[0] === PLUS ? 'queued' : 'bare';
        return;
      case 'queued':
        this.queued.push(line);
        if (this.queued.length === this.calls.length) this.phase = 'exec';
        return;
      case 'exec':
        if (line[0] === STAR) this.phase = 'results';
        else this.refused(line);
        return;
      default:
        return;
    }
  }

  /** Passes on what belongs to the calls. Returns where that ends. */
  private pass(chunk: Buffer, start: number, end: number): number {
    if (start === end || this.left === 0) return start;
    const pos = this.framer.scan(chunk, start, end, this.left);
    this.done += this.framer.completed;
    if (this.left === 0 && this.phase === 'results') this.phase = 'over';
    this.owner.receive(chunk, start, pos, this.framer.completed);
    return pos;
  }

  /**
   * Nothing ran. A script that keeps the server busy is what everybody waits for; with anything else the calls are said
   * again one by one, for what is wrong with one of them must not be the others' answer.
   */
  private refused(error: Buffer): void {
    const { calls, owner } = this;
    const busy = [...this.queued, reasonOf(error)].find(isBusyReply);
    if (busy === undefined) return this.refuse(1, new NeverSent(new Error('refused together')));
    this.phase = 'over';
    for (const { frame } of calls)
      if (owner.unserved?.(1, busy, frame) !== true) owner.receive(busy, 0, busy.length, 1);
  }
}

const BECAUSE = '-EXECABORT Transaction discarded because of: ';

/** What EXEC was refused for, as it would be said to any other command. */
function reasonOf(error: Buffer): Buffer {
  const text = error.toString('latin1');
  return text.startsWith(BECAUSE) ? Buffer.from(`-${text.slice(BECAUSE.length)}`, 'latin1') : error;
}
