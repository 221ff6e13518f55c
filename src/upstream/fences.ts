/**
 * Connections that were given up while something sent on them may still be run: a frozen server, or packets on their way,
 * bring it about after a newer connection has done the same thing again (FAULTS.md 1, 2). Each is killed by its id over
 * another connection, and only then may what was lost with it be repeated.
 *
 *   lost, commands in flight ──► pending ──CLIENT KILL ID 7 ADDR 10.0.0.9:51234──► :1 killed, :0 gone ──► clear
 *                                   └─ NOPERM, or nobody knows its id ──► forbidden: nothing ambiguous is repeated
 *
 * Both id and address, because a server that was restarted gives ids anew. Knows no sockets: whoever has a connection
 * sends `killCommands` and brings the replies to `confirm`.
 */
import { encodeCommand } from '../resp/encoder.js';
import { decodeFrame, ReplyError } from '../resp/decoder.js';
import { ReplyFramer } from '../resp/reply-framer.js';

/** What the server calls a connection, as CLIENT INFO tells it. */
export interface FenceTarget {
  readonly id: string;
  readonly addr: string;
}

/** Commands that kill `targets`, one each. */
export interface KillRound {
  readonly bytes: Buffer;
  readonly count: number;
  readonly targets: readonly FenceTarget[];
}

/** What everybody but `upstream/` may know of it. */
export interface Fences {
  /** Connections that may still run something. Empty: what was lost may be repeated, unless `isForbidden`. */
  readonly pending: readonly FenceTarget[];
  /** They cannot be killed (no permission, no id): what is ambiguous must be reported, not repeated. */
  readonly isForbidden: boolean;
  /**
   * Calls `task` once: now, when nothing is pending or the upstream is suspended, else as soon as one of both is true.
   * Look at `isForbidden` in it, not later.
   */
  whenClear(task: () => void): void;
  /** For a connection of somebody else's; null when nothing is pending. */
  killCommands(): KillRound | null;
  /** `replies`: those to `round`, complete, back to back. True: all of them are fenced now. */
  confirm(round: KillRound, replies: Buffer): boolean;
}

/** More are not remembered: then nothing ambiguous is repeated until all is clear again. */
const MAX_PENDING = 4096;
/** Commands of one round. */
const ROUND_TARGETS = 256;
/** The server cannot say yet; what it cannot do either is to run what waits on a connection. */
const ASK_AGAIN = /^(BUSY|LOADING|MASTERDOWN|TRYAGAIN|CLUSTERDOWN)\b/;

type Verdict = 'fenced' | 'later' | 'forbidden';

export class FenceRegister implements Fences {
  pending: FenceTarget[] = [];
  isForbidden = false;
  private isSuspended = false;
  private waiting: (() => void)[] = [];

  /** `onPending`: something is to be killed. Called from wherever a connection is given up; do not act in it at once. */
  constructor(private readonly onPending: () => void) {}

  /** A connection was given up on which something may still act. Null: nobody knows what the server calls it. */
  add(target: FenceTarget | null): void {
    if (target === null || this.pending.length >= MAX_PENDING) {
      this.isForbidden = true;
      return;
    }
    this.pending.push(target);
    this.onPending();
  }

  whenClear(task: () => void): void {
    if (this.pending.length === 0 || this.isSuspended) task();
    else this.waiting.push(task);
  }

  killCommands(): KillRound | null {
    const targets = this.pending.slice(0, ROUND_TARGETS);
    if (targets.length === 0) return null;
    const commands = targets.map(({ id, addr }) =>
      encodeCommand(['CLIENT', 'KILL', 'ID', id, 'ADDR', addr]),
    );
    return { bytes: Buffer.concat(commands), count: targets.length, targets };
  }

  confirm({ targets }: KillRound, replies: Buffer): boolean {
    const verdicts = cutReplies(replies).map(judge);
    const done = new Set(targets.filter((_, index) => verdicts[index] !== 'later'));
    this.pending = this.pending.filter((target) => !done.has(target));
    const isForbidden = verdicts.includes('forbidden');
    if (isForbidden) {
      this.isForbidden = true;
      this.pending = [];
    }
    if (this.pending.length === 0) this.callWaiting();
    // Whoever was concerned by what could not be fenced has seen it by now.
    if (this.pending.length === 0 && !isForbidden) this.isForbidden = false;
    return this.pending.length === 0 && !isForbidden;
  }

  /** Nothing is sent to the upstream for now: nobody need wait for it. */
  suspend(): void {
    this.isSuspended = true;
    this.callWaiting();
  }

  resume(): void {
    this.isSuspended = false;
    if (this.pending.length > 0) this.onPending();
  }

  private callWaiting(): void {
    const tasks = this.waiting;
    this.waiting = [];
    for (const task of tasks) task();
  }
}

function cutReplies(replies: Buffer): Buffer[] {
  const framer = new ReplyFramer();
  const frames: Buffer[] = [];
  for (let pos = 0; pos < replies.length;) {
    const end = framer.scan(replies, pos, replies.length, 1);
    frames.push(replies.subarray(pos, end));
    pos = end;
  }
  return frames;
}

/** `:1` killed; `:0` or `No such client` (the older form's words): it is not there any more. */
function judge(reply: Buffer): Verdict {
  const value = decodeFrame(reply);
  if (!(value instanceof ReplyError)) return 'fenced';
  if (value.message.includes('No such client')) return 'fenced';
  return ASK_AGAIN.test(value.message) ? 'later' : 'forbidden';
}
