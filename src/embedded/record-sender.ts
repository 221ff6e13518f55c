/**
 * Collects the records of one direction and posts them to the other thread: small ones together in one buffer, large
 * ones each in a buffer of their own so that they are copied once. Order is kept. Used by the engine's side; the event
 * loop's side knows the sizes beforehand and builds one exact buffer per tick (`engine-link`).
 */
import { recordBytes, RecordWriter, type RecordKind } from './messages.js';

const SHARED_BYTES = 256 * 1024;
/** Above this an extra message costs less than an extra copy. */
const LARGE_BYTES = 64 * 1024;

export class RecordSender {
  private readonly shared = new RecordWriter(new ArrayBuffer(SHARED_BYTES));

  /** `post` takes over the buffer it is given. */
  constructor(private readonly post: (batch: ArrayBuffer) => void) {}

  /** Adds a record, copying `bytes`. May post what came before it, or itself, at once. */
  send(kind: RecordKind, stream: number, value: number, bytes?: Uint8Array): void {
    const length = bytes?.length ?? 0;
    if (length > this.shared.freeBytes) this.flush();
    if (length < LARGE_BYTES) {
      this.shared.add(kind, stream, value, bytes);
      return;
    }
    this.flush();
    const buffer = new ArrayBuffer(recordBytes(length));
    new RecordWriter(buffer).add(kind, stream, value, bytes);
    this.post(buffer);
  }

  flush(): void {
    if (!this.shared.isEmpty) this.post(this.shared.takeCopy());
  }
}
