/**
 * How many commands of one client may be outstanding at once, on a shared lane or on a connection that it has only for
 * the length of its replies. On a lane, what a client asks for in one breath must be swallowed
 * by everybody behind it on the lane, even if the client is hung up on meanwhile; so the more its replies weigh, the
 * fewer it may order ahead. Like TCP it begins small and learns from what comes back.
 */

/** Bytes of replies that a client may have on order, by the size that its replies have had so far. */
const ORDERED_BYTES = 4 * 1024 * 1024;
const FIRST = 64;
const LEAST = 4;
const MOST = 1024;
/** After so many replies older ones count half. */
const MEMORY = 256;

export class FlightWindow {
  /** Commands that may be outstanding. */
  size = FIRST;
  private bytes = 0;
  private replies = 0;

  /** `replies` came (or parts of one), `bytes` in all. */
  learn(bytes: number, replies: number): void {
    this.bytes += bytes;
    this.replies += replies;
    if (this.replies < this.size / 4) return;
    const average = this.bytes / this.replies;
    this.size = Math.min(MOST, Math.max(LEAST, Math.floor(ORDERED_BYTES / average)));
    if (this.replies < MEMORY) return;
    this.bytes /= 2;
    this.replies /= 2;
  }
}
