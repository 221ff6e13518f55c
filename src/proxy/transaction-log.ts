/**
 * What a client has said since MULTI, so that a transaction whose connection is lost before its EXEC was sent can be
 * told again on another one, and one that runs in an outage can be journaled as a whole. Bounded: a longer transaction
 * is broken by the loss of its connection, as without a sidecar.
 */

const MAX_BYTES = 4 * 1024 * 1024;

export class TransactionLog {
  /** MULTI was answered with a yes. */
  isOpen = false;
  private frames: Buffer[] = [];
  private bytes = 0;
  private isTooLong = false;

  /** Something was said that is too long to keep. */
  giveUp(): void {
    this.isTooLong = true;
    this.frames = [];
  }

  /** Notes `buffer[start, end)`: MULTI itself, or commands that are being queued. Copies them. */
  add(buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.bytes > MAX_BYTES) this.giveUp();
    if (!this.isTooLong) this.frames.push(Buffer.from(buffer.subarray(start, end)));
  }

  /** Everything since MULTI as it was said; null when it was too much to keep. */
  get requests(): Buffer | null {
    return this.isTooLong ? null : Buffer.concat(this.frames);
  }

  /** The last `bytes` were not accepted by anybody and will be said again. */
  forgetLast(bytes: number): void {
    const all = this.requests;
    if (all === null) return;
    this.frames = [all.subarray(0, all.length - bytes)];
    this.bytes -= bytes;
  }
}
