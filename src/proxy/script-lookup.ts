/**
 * What the upstream knows of a script whose source the sidecar does not have: asked for with SCRIPT SHOW where there is
 * that (Valkey 8), else with SCRIPT EXISTS. Asked with the sidecar's own rights; a source that comes back is learned, and
 * runs with those of whoever calls it.
 */
import type { Clock } from '../base/clock.js';
import { decodeFrame, ReplyError } from '../resp/decoder.js';
import { encodeCommand, encodeError } from '../resp/encoder.js';
import type { ScriptRegistry } from '../script/registry.js';
import { isBusyReply, type BusyView } from '../upstream/busy.js';

/** What all clients share of scripts. */
export interface Scripts {
  readonly registry: ScriptRegistry;
  readonly lookup: ScriptLookup;
}

/**
 * `present`: the upstream has it, or will not tell; `learned`: the registry has its source now; `unanswered`: the
 * connection was lost, ask again.
 */
export type LookupResult = 'learned' | 'present' | 'absent' | 'unanswered';

export interface LookupOptions {
  readonly clock: Clock;
  readonly registry: ScriptRegistry;
  readonly busy: BusyView;
  /** Asks with the sidecar's own rights; null: no reply will come. */
  readonly ask: (command: Buffer, answered: (reply: Buffer | null) => void) => void;
}

/** Said by a server that does not know a script; Redis adds "Please use EVAL.". */
const NO_SCRIPT = '-NOSCRIPT No matching script';

/** `frame` is what a server says to an EVALSHA whose script it does not know. */
export function isNoScript(frame: Buffer): boolean {
  return frame.toString('latin1', 0, NO_SCRIPT.length) === NO_SCRIPT;
}

/** An upstream that did not know SCRIPT SHOW may be another one by now. */
const SHOW_AGAIN_MS = 60_000;
/** Asked for and not answered: more are not asked for. */
const MAX_ASKED = 64;

export class ScriptLookup {
  /** How the upstream says that it does not know a script. */
  noScript: Buffer = Buffer.from(`${NO_SCRIPT}. Please use EVAL.\r\n`);
  /** The upstream has answered SCRIPT SHOW. */
  hasShown = false;
  private showUnknownSinceMs: number | null = null;
  private readonly asked = new Set<string>();

  constructor(private readonly options: LookupOptions) {}

  /** The upstream can tell a source, or nobody has tried. */
  private get mayShow(): boolean {
    const { showUnknownSinceMs } = this;
    const now = this.options.clock.now();
    return showUnknownSinceMs === null || now - showUnknownSinceMs > SHOW_AGAIN_MS;
  }

  /** `done` is called once, later. */
  ask(sha: Buffer, done: (result: LookupResult) => void): void {
    if (!this.mayShow) return this.askWhether(sha, done);
    this.send(['SCRIPT', 'SHOW', sha], (reply) => {
      this.hasShown = reply instanceof Buffer || saysNoScript(reply);
      if (reply instanceof Buffer) {
        this.options.registry.learn(reply);
        return done(this.options.registry.has(sha) ? 'learned' : 'present');
      }
      if (saysNoScript(reply)) {
        this.noScript = encodeError(reply.message);
        return done('absent');
      }
      if (reply === LOST) return done('unanswered');
      if (isUnknownSubcommand(reply)) this.showUnknownSinceMs = this.options.clock.now();
      this.askWhether(sha, done);
    });
  }

  /** Fetches a source, where that can be done, for the next time. */
  learnSoon(sha: Buffer): void {
    const key = sha.toString('latin1');
    if (!this.mayShow || this.asked.size >= MAX_ASKED || this.asked.has(key)) return;
    this.asked.add(key);
    this.ask(sha, () => this.asked.delete(key));
  }

  private askWhether(sha: Buffer, done: (result: LookupResult) => void): void {
    this.send(['SCRIPT', 'EXISTS', sha], (reply) => {
      if (reply === LOST) return done('unanswered');
      const isAbsent = Array.isArray(reply) && Number(reply[0]) === 0;
      done(isAbsent ? 'absent' : 'present');
    });
  }

  /** `answered` is called once; with LOST when no reply comes. Waits for the end of a script. */
  private send(command: readonly (string | Buffer)[], answered: (reply: unknown) => void): void {
    const { busy, ask } = this.options;
    ask(encodeCommand(command), (frame) => {
      if (frame === null) return answered(LOST);
      if (!isBusyReply(frame)) return answered(decodeFrame(frame));
      busy.met();
      busy.whenOver(() => this.send(command, answered));
    });
  }
}

const LOST = Symbol('no reply');

function saysNoScript(reply: unknown): reply is ReplyError {
  return reply instanceof ReplyError && reply.message.startsWith('NOSCRIPT');
}

function isUnknownSubcommand(reply: unknown): boolean {
  return reply instanceof ReplyError && /unknown subcommand/i.test(reply.message);
}
