/**
 * The unfinished command at the end of what a client has sent so far. Grows by doubling, so that a frame that arrives
 * byte by byte costs no more than its length, and holds only what has arrived, whatever was declared.
 */
const FIRST_CAPACITY_BYTES = 512;

export class InputTail {
  private buffer: Buffer | null = null;
  private used = 0;

  get isEmpty(): boolean {
    return this.used === 0;
  }

  /** The kept bytes followed by `chunk`, contiguous. Valid until the next call. */
  join(chunk: Buffer): Buffer {
    const needed = this.used + chunk.length;
    if (this.buffer === null || this.buffer.length < needed) this.grow(needed);
    chunk.copy(this.buffer!, this.used);
    this.used = needed;
    return this.buffer!.subarray(0, needed);
  }

  /**
   * Keeps `buffer` from `pos` on. What `join` returned may already be on its way elsewhere, so it is kept in place only
   * when nothing of it has been consumed.
   */
  keep(buffer: Buffer, pos: number): void {
    if (pos === 0 && this.used === buffer.length && this.holds(buffer)) return;
    const bytes = buffer.length - pos;
    this.clear();
    if (bytes === 0) return;
    this.buffer = Buffer.allocUnsafeSlow(Math.max(FIRST_CAPACITY_BYTES, bytes));
    buffer.copy(this.buffer, 0, pos);
    this.used = bytes;
  }

  clear(): void {
    this.buffer = null;
    this.used = 0;
  }

  private holds(buffer: Buffer): boolean {
    return this.buffer !== null && buffer.buffer === this.buffer.buffer;
  }

  private grow(needed: number): void {
    const old = this.buffer;
    this.buffer = Buffer.allocUnsafeSlow(Math.max(FIRST_CAPACITY_BYTES, needed * 2));
    old?.copy(this.buffer, 0, 0, this.used);
  }
}
