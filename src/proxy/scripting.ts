/**
 * One client's scripts on their way to the upstream (SEMANTICS §6): learns sources, and sees to it that an EVALSHA never
 * meets a server that has forgotten the script while something of the same client stands behind it.
 *
 *   EVALSHA, nothing behind it        ──► as it came; NOSCRIPT is healed, and what comes later waits for the reply
 *   EVALSHA, something behind it      ──► with its source, several as a bundle: nothing can go wrong, nothing need wait
 *   EVALSHA in MULTI, first of its script ──► EVAL; the ones behind it may stay, for nobody comes between
 *   EVALSHA of an unknown script      ──► in MULTI: the upstream is asked first; else as it came
 *
 * Decides; the dispatcher sends.
 */
import { subcommand } from '../command/effect.js';
import { COMMANDS, COMMAND_NAMES } from '../command/table.js';
import { withSource } from '../script/rewrite.js';
import { splitArguments } from '../resp/arguments.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import { ConfirmingReceiver } from './confirming-receiver.js';
import { ExistsReceiver } from './exists-receiver.js';
import type { ScriptCall } from './script-bundle.js';
import type { LookupResult, Scripts } from './script-lookup.js';
import type { Special } from './special.js';

export interface ScriptingHost {
  /** It may be tried again. */
  goOn(): void;
}

/** Where the command stands. */
export interface ScriptPlace {
  /** MULTI was said. */
  readonly isQueued: boolean;
  /** Something of the same client is sent behind it before its reply can come. */
  readonly isFollowed: boolean;
  /** Its reply comes through the dispatcher, so that what is behind it can be made to wait. */
  readonly canBeHealed: boolean;
  /** The upstream has not accepted who the client is: nothing is learned from it. */
  readonly isStranger: boolean;
}

/**
 * What is to be done: send `frame` (`isAlone`: and nothing behind it before its reply), send the `call` with its source,
 * ask again `later`, or answer in its place that the script is `unknown`.
 */
export type ScriptTurn =
  | {
      readonly kind: 'send';
      readonly frame: Buffer;
      readonly isAlone: boolean;
      readonly receiver: (owner: ReplyReceiver) => ReplyReceiver;
    }
  | { readonly kind: 'call'; readonly call: ScriptCall }
  | { readonly kind: 'later' }
  | { readonly kind: 'unknown'; readonly error: Buffer };

const LEARNED_FROM: ReadonlySet<string> = new Set(['eval', 'eval_ro']);
const CALLED_BY_SHA: ReadonlySet<string> = new Set(['evalsha', 'evalsha_ro']);
/** What says that it was no script, or none that its client may bring; as much as `ConfirmingReceiver` shows of it. */
const REFUSALS: readonly string[] = ['-ERR Error compi', '-NOPERM', '-NOAUTH'];
/** A server may forget the oldest scripts that were only sent by EVAL; Redis keeps 500 of them. */
const MAX_TOLD = 256;
const SHA_BYTES = 40;
/** A longer source goes along only where there is no other way. */
const LONG_SOURCE_BYTES = 64 * 1024;

const passedOn = (owner: ReplyReceiver): ReplyReceiver => owner;

/** `passes` without the commands that `Scripting` must see. */
export function withoutScripting(passes: Uint8Array): Uint8Array {
  return passes.map((passing, id) => (isScripting(id) ? 0 : passing));
}

/** EVAL, EVALSHA, their read-only forms, and SCRIPT. */
export function isScripting(commandId: number): boolean {
  const name = COMMAND_NAMES[commandId]!;
  return LEARNED_FROM.has(name) || CALLED_BY_SHA.has(name) || name === 'script';
}

/** EVALSHA and EVALSHA_RO. */
export function isScriptCall(commandId: number): boolean {
  return CALLED_BY_SHA.has(COMMAND_NAMES[commandId]!);
}

export class Scripting {
  /** Scripts whose source the open transaction has been given. */
  private readonly told = new Set<string>();
  private answer: { readonly sha: string; readonly result: LookupResult } | null = null;
  private isAsking = false;

  constructor(
    private readonly scripts: Scripts,
    private readonly host: ScriptingHost,
  ) {}

  /** MULTI is being sent. */
  transactionBegins(): void {
    this.told.clear();
  }

  turn(command: Special, place: ScriptPlace): ScriptTurn {
    const { id, frame, args } = command;
    const { name } = COMMANDS[id]!;
    if (CALLED_BY_SHA.has(name)) return this.call(command, place);
    const source = LEARNED_FROM.has(name) && args.length > 2 ? args[1]! : loaded(name, args);
    if (source !== null && !place.isStranger) return this.learn(command, source, place);
    if (name !== 'script') return sent(frame);
    if (subcommand(args) === 'flush') {
      this.scripts.registry.flushed();
      // What is flushed in a transaction must be told again in it.
      this.told.clear();
    }
    if (subcommand(args) !== 'exists' || args.length < 3) return sent(frame);
    return sent(frame, (owner) => new ExistsReceiver(owner, args.slice(2), this.scripts));
  }

  /** What to say in the place of `request`, to which the upstream has said NOSCRIPT; null when that cannot be helped. */
  heal(request: Buffer): Buffer | null {
    const args = splitArguments(request);
    const source = isCall(args) ? this.scripts.registry.sourceOf(args[1]!) : null;
    return source === null ? null : withSource(request, args, source);
  }

  private call({ frame, args }: Special, place: ScriptPlace): ScriptTurn {
    const sha = args[1];
    // The upstream says what is wrong with it.
    if (sha?.length !== SHA_BYTES || !hasItsKeys(args)) return sent(frame);
    const source = this.scripts.registry.sourceOf(sha);
    if (source === null) return this.callUnknown(frame, sha, place);
    const { isQueued, isFollowed, canBeHealed } = place;
    // A pipeline of small calls must not become megabytes of source.
    const isLong = source.length > LONG_SOURCE_BYTES;
    if (!isQueued && (isLong || !isFollowed)) return sent(frame, passedOn, canBeHealed);
    if (!isQueued) return { kind: 'call', call: { frame, args, source } };
    return sent(this.tell(keyOf(sha)) ? withSource(frame, args, source) : frame);
  }

  private callUnknown(frame: Buffer, sha: Buffer, { isQueued }: ScriptPlace): ScriptTurn {
    const { lookup } = this.scripts;
    if (!isQueued) {
      lookup.learnSoon(sha);
      return sent(frame);
    }
    const key = keyOf(sha);
    const { answer } = this;
    this.answer = null;
    if (answer?.sha === key && answer.result !== 'absent') return sent(frame);
    if (answer?.sha === key) return { kind: 'unknown', error: lookup.noScript };
    if (!this.isAsking) {
      this.isAsking = true;
      lookup.ask(sha, (result) => {
        this.isAsking = false;
        if (result !== 'unanswered') this.answer = { sha: key, result };
        this.host.goOn();
      });
    }
    return { kind: 'later' };
  }

  private learn({ frame, args }: Special, source: Buffer, { isQueued }: ScriptPlace): ScriptTurn {
    const { registry } = this.scripts;
    const learned = registry.learn(source);
    if (learned === null) return sent(frame);
    const isLoad = source === args[2];
    if (isQueued && (isLoad || hasItsKeys(args))) this.tell(learned.sha);
    if (!learned.isNew) return sent(frame);
    const confirm = (reply: Buffer): void => {
      if (REFUSALS.some((refusal) => reply.toString('latin1').startsWith(refusal)))
        registry.forget(learned.sha);
    };
    return sent(frame, (owner) => new ConfirmingReceiver(owner, confirm, () => undefined));
  }

  /** False: the open transaction has the source already. */
  private tell(sha: string): boolean {
    if (this.told.has(sha)) return false;
    if (this.told.size >= MAX_TOLD) this.told.clear();
    this.told.add(sha);
    return true;
  }
}

function sent(frame: Buffer, receiver = passedOn, isAlone = false): ScriptTurn {
  return { kind: 'send', frame, receiver, isAlone };
}

/** The number of keys is right. A server looks at it before it looks at the script. */
function hasItsKeys(args: readonly Buffer[]): boolean {
  const keys = args[2]?.toString('latin1') ?? '';
  return /^(0|[1-9]\d{0,8})$/.test(keys) && Number(keys) <= args.length - 3;
}

function loaded(name: string, args: readonly Buffer[]): Buffer | null {
  return name === 'script' && args.length === 3 && subcommand(args) === 'load' ? args[2]! : null;
}

function isCall(args: readonly Buffer[]): boolean {
  return CALLED_BY_SHA.has(args[0]!.toString('latin1').toLowerCase()) && args.length > 2;
}

function keyOf(sha: Buffer): string {
  return sha.toString('latin1').toLowerCase();
}
