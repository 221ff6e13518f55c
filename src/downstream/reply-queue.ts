/**
 * What is to be written to one client, in order, until the tick's one write. Replies that stand side by side in a chunk
 * stay one slice, so a pipeline's answer is usually a single slice of what the upstream sent:
 *
 *   chunk   ……┌reply 1┬reply 2┬reply 3┐……      append ×3 ──► one slice ──► socket.write
 *
 * Never copies unless the client lags: a kept slice pins its whole chunk, and a slow reader may keep thousands.
 */

/** A lagging client's slice is copied when its chunk is more than this many times as long. */
const PIN_FACTOR = 2;

export class ReplyQueue {
  private parts: Buffer[] = [];
  private chunk: Buffer | null = null;
  private start = 0;
  private end = 0;
  /** Bytes in the queue. */
  bytes = 0;

  /** Appends `chunk[start, end)`. The queue keeps the chunk until it is taken. */
  append(chunk: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.chunk === chunk && this.end === start) {
      this.end = end;
      return;
    }
    this.closeSlice();
    this.chunk = chunk;
    this.start = start;
    this.end = end;
  }

  /** Everything queued, oldest first; the queue is empty afterwards. `lagging`: it will be kept for a while. */
  take(lagging: boolean): Buffer[] {
    this.closeSlice();
    this.bytes = 0;
    const { parts } = this;
    this.parts = [];
    return lagging ? parts.map(unpinned) : parts;
  }

  private closeSlice(): void {
    if (this.chunk === null) return;
    const whole = this.start === 0 && this.end === this.chunk.length;
    this.parts.push(whole ? this.chunk : this.chunk.subarray(this.start, this.end));
    this.chunk = null;
  }
}

function unpinned(part: Buffer): Buffer {
  return part.buffer.byteLength > part.length * PIN_FACTOR ? Buffer.from(part) : part;
}
