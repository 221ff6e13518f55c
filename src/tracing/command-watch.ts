/**
 * Hangs on the connections of one upstream (`ReplyWatch`) and hands each command that somebody has chosen to whoever
 * wants to tell about it. A command is taken apart once, however many want it.
 */
import type { ReplyWatch, SeenReply } from '../upstream/reply-watch.js';
import type { Choice } from './choice.js';
import { observe, type ObservedCommand } from './observed-command.js';

/** Somebody who tells about commands, and which ones. */
export interface Teller {
  readonly choice: Choice;
  readonly tell: (command: ObservedCommand) => void;
}

export class CommandWatch implements ReplyWatch {
  /** `isOutage`: the upstream is the outage store. Tellers may be shared with other upstreams. */
  constructor(
    private readonly tellers: readonly Teller[],
    private readonly isOutage: boolean,
  ) {}

  unseen(servedMs: number): number {
    let least = Infinity;
    for (const { choice } of this.tellers) least = Math.min(least, choice.unseen(servedMs));
    return least;
  }

  passed(count: number): void {
    for (const { choice } of this.tellers) choice.passed(count);
  }

  saw(reply: SeenReply): void {
    const command = observe(reply, this.isOutage);
    for (const { choice, tell } of this.tellers) if (choice.takes(reply.servedMs)) tell(command);
  }
}
