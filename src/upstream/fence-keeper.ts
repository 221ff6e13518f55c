/**
 * Sends the kill commands of `Fences` over whatever connection of the sidecar's own is ready, one round at a time, until
 * nothing is pending. A round whose connection is lost is asked again on the next one: no fence is forgotten.
 */
import type { Clock, Timer } from '../base/clock.js';
import { FenceRegister, type KillRound } from './fences.js';
import { PROMPT } from './in-flight.js';
import type { Lane } from './lane.js';
import type { ReplyReceiver } from './receiver.js';

/** The server said that it cannot answer yet. */
const ASK_AGAIN_MS = 100;

export class FenceKeeper {
  readonly fences = new FenceRegister(() => this.workSoon());
  private isPlanned = false;
  private isAsking = false;
  private again: Timer | null = null;

  /** `readyLane`: a lane of the sidecar's own that is connected, or null; `work` is to be called when there is one. */
  constructor(
    private readonly clock: Clock,
    private readonly readyLane: () => Lane | null,
  ) {}

  /** A connection stands ready. */
  readonly work = (): void => {
    this.isPlanned = false;
    if (this.isAsking) return;
    const lane = this.readyLane();
    const round = lane === null ? null : this.fences.killCommands();
    if (lane === null || round === null) return;
    this.isAsking = true;
    const { bytes, count } = round;
    lane.send(this.receiverFor(round), bytes, 0, bytes.length, count, PROMPT);
  };

  close(): void {
    this.again?.cancel();
  }

  private workSoon(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    this.clock.endOfTick(this.work);
  }

  private receiverFor(round: KillRound): ReplyReceiver {
    const replies: Buffer[] = [];
    let left = round.count;
    const interrupted = (): void => {
      this.isAsking = false;
      this.workSoon();
    };
    return {
      receive: (chunk, start, end, completed) => {
        replies.push(Buffer.from(chunk.subarray(start, end)));
        left -= completed;
        if (left > 0) return;
        this.isAsking = false;
        const before = this.fences.pending.length;
        this.fences.confirm(round, Buffer.concat(replies));
        this.goOn(this.fences.pending.length < before);
      },
      lose: interrupted,
      refuse: interrupted,
    };
  }

  private goOn(hasMoved: boolean): void {
    if (this.fences.pending.length === 0) return;
    if (hasMoved) return this.workSoon();
    this.again?.cancel();
    this.again = this.clock.after(ASK_AGAIN_MS, this.work);
  }
}
