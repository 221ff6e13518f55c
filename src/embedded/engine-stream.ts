/**
 * One stream as the engine's side keeps it: input that Valkey has not read yet, and how much output is still on its way
 * to the receiver. Decides how much may be read and written, and when; moves no bytes between threads itself.
 */

/** Output of one stream on its way to its receiver; with more than this unconfirmed the engine cannot write to it. */
export const OUTPUT_WINDOW_BYTES = 1024 * 1024;

/**
 * Valkey executes every command of a read before it looks at how much output waits: 16 KiB of GETs of a 1 MB value
 * would make 400 MB of replies at once. So reads are small, and smaller where replies were large. A read that made no
 * reply at all is a part of a large argument: then the next one may be larger.
 */
const REPLIES_PER_READ_BYTES = 4 * 1024 * 1024;
const MOST_COMMANDS_READ_BYTES = 2 * 1024;
const MOST_ARGUMENT_READ_BYTES = 1024 * 1024;
const LEAST_READ_BYTES = 64;

export class EngineStream {
  /** The engine's descriptor; -1 until it has accepted the stream. */
  fd = -1;
  /** The owner abandoned the stream: nothing it is sent matters any more. */
  abandoned = false;
  /** Read by the engine and not yet reported to the writer. */
  unreportedBytes = 0;

  private chunks: Uint8Array[] = [];
  private head = 0;
  private headOffset = 0;
  private ended = false;
  private unconfirmedBytes = 0;
  private readLimitBytes = MOST_COMMANDS_READ_BYTES;
  private readSinceIdleBytes = 0;
  private writtenSinceIdleBytes = 0;

  constructor(readonly id: number) {}

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
  }

  /** No input follows what was pushed. */
  end(): void {
    this.ended = true;
  }

  /** Drops all input; the engine sees the end of the stream at once, and what it writes goes nowhere. */
  abandon(): void {
    this.abandoned = true;
    this.ended = true;
    this.dropChunks();
  }

  /** The receiver took `bytes` of the output. */
  confirm(bytes: number): void {
    this.unconfirmedBytes -= bytes;
  }

  get isReadable(): boolean {
    return this.head < this.chunks.length || this.ended;
  }

  /** How many bytes the engine may write now. */
  get writableBytes(): number {
    return this.abandoned ? Infinity : OUTPUT_WINDOW_BYTES - this.unconfirmedBytes;
  }

  /**
   * Tells that all output so far has been written: the moment to learn how much output this client's input makes, and
   * to read more, or less, at a time.
   */
  noteIdle(): void {
    if (this.readSinceIdleBytes === 0) return;
    const growth = this.writtenSinceIdleBytes / this.readSinceIdleBytes;
    const most = growth === 0 ? MOST_ARGUMENT_READ_BYTES : MOST_COMMANDS_READ_BYTES;
    const wanted = Math.min(most, 2 * this.readLimitBytes, REPLIES_PER_READ_BYTES / growth);
    this.readLimitBytes = Math.max(LEAST_READ_BYTES, Math.floor(wanted));
    this.readSinceIdleBytes = 0;
    this.writtenSinceIdleBytes = 0;
  }

  noteWritten(bytes: number): void {
    this.writtenSinceIdleBytes += bytes;
    if (!this.abandoned) this.unconfirmedBytes += bytes;
  }

  /** Copies input into `target`. Returns how many bytes; 0 at the end of the stream, -1 when there is none yet. */
  read(target: Uint8Array): number {
    if (this.head === this.chunks.length) return this.ended ? 0 : -1;
    const limit = Math.min(target.length, this.readLimitBytes);
    let filled = 0;
    while (filled < limit && this.head < this.chunks.length) {
      const chunk = this.chunks[this.head]!;
      const count = Math.min(chunk.length - this.headOffset, limit - filled);
      target.set(chunk.subarray(this.headOffset, this.headOffset + count), filled);
      filled += count;
      this.headOffset += count;
      if (this.headOffset === chunk.length) {
        this.head += 1;
        this.headOffset = 0;
      }
    }
    if (this.head === this.chunks.length) this.dropChunks();
    this.readSinceIdleBytes += filled;
    this.unreportedBytes += filled;
    return filled;
  }

  private dropChunks(): void {
    this.chunks = [];
    this.head = 0;
    this.headOffset = 0;
  }
}
