/**
 * The commands of one connection that await their replies, in the order they were sent: the FIFO that gives both the
 * pairing of replies and each client's order. An entry is (receiver, how many commands, since when, how patiently);
 * neighbours of one receiver share an entry. Parallel arrays in a ring: nothing is allocated per command.
 */
import type { ReplyReceiver } from './receiver.js';

/** How long silence is borne while an entry waits for its reply. */
export const PROMPT = 0;
/** It may rightly take long (a script, SAVE): silence is borne for `slowTimeoutMs`. */
export const SLOW = 1;
/** It waits for something to happen (BLPOP): silence means nothing. */
export const BLOCKING = 2;
export type Patience = typeof PROMPT | typeof SLOW | typeof BLOCKING;

/** Commands of one receiver that stand together. */
export interface InFlightEntry {
  readonly receiver: ReplyReceiver;
  readonly count: number;
  readonly patience: Patience;
}

const INITIAL_CAPACITY = 64;

export class InFlight {
  private receivers: (ReplyReceiver | null)[] = new Array<ReplyReceiver | null>(
    INITIAL_CAPACITY,
  ).fill(null);
  private counts = new Float64Array(INITIAL_CAPACITY);
  private sentAt = new Float64Array(INITIAL_CAPACITY);
  private patience = new Uint8Array(INITIAL_CAPACITY);
  private mask = INITIAL_CAPACITY - 1;
  private first = 0;
  /** Entries. */
  size = 0;
  /** Commands. */
  commands = 0;

  push(receiver: ReplyReceiver, count: number, sentAt: number, patience: Patience): void {
    this.commands += count;
    if (this.size > 0) {
      const last = (this.first + this.size - 1) & this.mask;
      const same = this.receivers[last] === receiver && this.patience[last] === patience;
      if (same && this.sentAt[last] === sentAt) {
        this.counts[last]! += count;
        return;
      }
    }
    if (this.size > this.mask) this.grow();
    const slot = (this.first + this.size) & this.mask;
    this.receivers[slot] = receiver;
    this.counts[slot] = count;
    this.sentAt[slot] = sentAt;
    this.patience[slot] = patience;
    this.size += 1;
  }

  /** Undefined behaviour when empty: the caller checks `size`. */
  headReceiver(): ReplyReceiver {
    return this.receivers[this.first]!;
  }
  headCount(): number {
    return this.counts[this.first]!;
  }
  headSentAt(): number {
    return this.sentAt[this.first]!;
  }
  headPatience(): Patience {
    return this.patience[this.first]! as Patience;
  }

  /** `count` replies of the first entry have come; drops it when they were the last. */
  completeHead(count: number): void {
    this.commands -= count;
    this.counts[this.first]! -= count;
    if (this.counts[this.first] === 0) {
      this.receivers[this.first] = null;
      this.first = (this.first + 1) & this.mask;
      this.size -= 1;
    }
  }

  /** Removes the last `commands` commands and returns whose they are, oldest first. */
  takeTail(commands: number): InFlightEntry[] {
    const taken: InFlightEntry[] = [];
    for (let left = commands; left > 0 && this.size > 0;) {
      const slot = (this.first + this.size - 1) & this.mask;
      const count = Math.min(left, this.counts[slot]!);
      taken.push({
        receiver: this.receivers[slot]!,
        count,
        patience: this.patience[slot]! as Patience,
      });
      left -= count;
      this.commands -= count;
      this.counts[slot]! -= count;
      if (this.counts[slot] === 0) {
        this.receivers[slot] = null;
        this.size -= 1;
      }
    }
    return taken.reverse();
  }

  private grow(): void {
    const capacity = (this.mask + 1) * 2;
    const order = Array.from({ length: this.size }, (_, index) => (this.first + index) & this.mask);
    const reorder = <T extends Float64Array | Uint8Array>(from: T, into: T): T => {
      order.forEach((slot, index) => (into[index] = from[slot]!));
      return into;
    };
    const receivers = new Array<ReplyReceiver | null>(capacity).fill(null);
    order.forEach((slot, index) => (receivers[index] = this.receivers[slot]!));
    this.receivers = receivers;
    this.counts = reorder(this.counts, new Float64Array(capacity));
    this.sentAt = reorder(this.sentAt, new Float64Array(capacity));
    this.patience = reorder(this.patience, new Uint8Array(capacity));
    this.first = 0;
    this.mask = capacity - 1;
  }
}
