/**
 * The dispatcher's part for scripts: does what `Scripting` decides. Collects the calls that stand together in what the
 * client has sent, heals what the upstream has forgotten, and knows when nothing may be sent behind a call.
 */
import { withSource } from '../script/rewrite.js';
import { SLOW } from '../upstream/in-flight.js';
import type { Patience } from '../upstream/in-flight.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import type { Observer } from './observer.js';
import { BundleReceiver, ScriptBundle, type ScriptCall } from './script-bundle.js';
import type { Scripts } from './script-lookup.js';
import { Scripting } from './scripting.js';
import type { Special } from './special.js';

/** What it asks of the dispatcher. */
export interface ScriptHost {
  /** The client keeps its connection: whatever it sends goes through as a stream. */
  readonly isKept: boolean;
  /** MULTI was said, and neither EXEC nor DISCARD since. */
  readonly isQueueing: boolean;
  /** Whatever is sent runs by itself: no WATCH, and no transaction whose end is not known. */
  readonly isPlain: boolean;
  /** Something of the client is sent behind the command at hand before its reply can come. */
  readonly isFollowed: boolean;
  /** More has been sent than the upstream takes. */
  readonly isClogged: boolean;
  /** The upstream has not accepted who the client is. */
  readonly isStranger: boolean;
  /** Commands that have been passed on and not been answered. */
  readonly outstanding: number;
  replyTo(count: number): ReplyReceiver;
  /** `extraCommands` are sent besides the client's `count`. */
  sendAlong(
    buffer: Buffer,
    start: number,
    end: number,
    count: number,
    patience: Patience,
    receiver: ReplyReceiver,
    extraCommands?: number,
  ): void;
  passKept(command: Special): boolean;
  /** The client gets `reply` in the command's place. */
  replaced(command: Special, reply: Buffer): boolean;
  /** Sends what takes the place of the only command outstanding. */
  sendInstead(frame: Buffer): void;
  reposition(): void;
  goOn(): void;
}

export class ScriptDispatch {
  /** What is outstanding are calls that may have to be said again: nothing is sent behind them. */
  isAlone = false;
  private readonly scripting: Scripting;
  /** Calls that stand together, until it is known what follows them. */
  private bundle: ScriptBundle | null = null;

  constructor(
    scripts: Scripts,
    private readonly host: ScriptHost,
    private readonly observer: Observer,
  ) {
    this.scripting = new Scripting(scripts, host);
  }

  /** Whatever comes next decides how the calls at hand are sent. */
  get isCollecting(): boolean {
    return this.bundle !== null;
  }

  /** MULTI is being sent. */
  transactionBegins(): void {
    this.scripting.transactionBegins();
  }

  /** A command that `isScripting`. False: not now. */
  pass(command: Special): boolean {
    const { host } = this;
    // A short call may bring a long source along: one after the other then.
    if (host.isClogged && host.outstanding > 0 && !this.isCollecting) return false;
    const turn = this.scripting.turn(command, {
      isQueued: host.isQueueing,
      isFollowed: host.isKept || this.bundle !== null || host.isFollowed,
      canBeHealed: !host.isKept,
      isStranger: host.isStranger,
    });
    if (turn.kind === 'call' && host.isPlain && !host.isKept) return this.collect(turn.call);
    this.flush(true);
    // Calls that were collected went ahead, and may have to be said again.
    if (this.isAlone) return false;
    switch (turn.kind) {
      case 'later':
        return false;
      case 'unknown':
        return host.replaced(command, turn.error);
      case 'call':
        return this.send(command, this.rewritten(turn.call));
      case 'send':
        if (turn.frame !== command.frame) this.observer.scriptRewrites += 1;
        return this.send(command, turn.frame, turn.isAlone, turn.receiver);
    }
  }

  /** Sends the calls that were collected; a single one that nothing follows as it came. */
  flush(isFollowed: boolean): void {
    const { bundle, host } = this;
    if (bundle === null) return;
    this.bundle = null;
    if (bundle.calls.length === 1) this.sendOne(bundle.calls[0]!, isFollowed);
    else this.sendTogether(bundle);
    host.reposition();
  }

  private sendTogether(bundle: ScriptBundle): void {
    const { host, observer } = this;
    const { calls } = bundle;
    const { bytes, sources } = bundle.encode();
    observer.scriptRewrites += sources;
    const receiver = new BundleReceiver(host.replyTo(calls.length), calls);
    const extra = ScriptBundle.EXTRA_COMMANDS;
    host.sendAlong(bytes, 0, bytes.length, calls.length, SLOW, receiver, extra);
    this.isAlone = true;
  }

  /** The upstream does not know the script that `request` calls. True: it is called again with its source. */
  heal(request: Buffer): boolean {
    // Something that the client has sent behind it would have overtaken it.
    const healed = this.host.outstanding === 1 ? this.scripting.heal(request) : null;
    if (healed === null) return false;
    this.host.sendInstead(healed);
    this.observer.scriptHeals += 1;
    return true;
  }

  /** Nothing is outstanding any more. */
  settled(): void {
    if (!this.isAlone) return;
    this.isAlone = false;
    this.host.reposition();
  }

  /** The client is gone. */
  clear(): void {
    this.bundle = null;
  }

  private collect(call: ScriptCall): true {
    const isFirst = this.bundle === null;
    this.bundle ??= new ScriptBundle();
    this.bundle.add(call);
    if (isFirst) this.host.reposition();
    if (this.bundle.isFull) this.flush(true);
    return true;
  }

  private sendOne(call: ScriptCall, isFollowed: boolean): void {
    const frame = isFollowed ? this.rewritten(call) : call.frame;
    this.sendFrame(frame, !isFollowed, this.host.replyTo(1));
  }

  private send(
    command: Special,
    frame: Buffer,
    isAlone = false,
    receiver: (owner: ReplyReceiver) => ReplyReceiver = (owner) => owner,
  ): true {
    const { host } = this;
    if (host.isKept) host.passKept({ ...command, frame });
    else this.sendFrame(frame, isAlone, receiver(host.replyTo(1)));
    return true;
  }

  private sendFrame(frame: Buffer, isAlone: boolean, receiver: ReplyReceiver): void {
    this.host.sendAlong(frame, 0, frame.length, 1, SLOW, receiver);
    this.isAlone = isAlone;
    if (isAlone) this.host.reposition();
  }

  private rewritten({ frame, args, source }: ScriptCall): Buffer {
    this.observer.scriptRewrites += 1;
    return withSource(frame, args, source);
  }
}
