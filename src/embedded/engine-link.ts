/**
 * The event loop's end of one engine thread: many streams over one message port. Whatever the streams have to say in a
 * tick goes out as one transferred buffer; whatever comes back is handed to their owners.
 *
 *     lane.write ──► EngineLinkStream ──► outbox ──(end of tick, one message)──► worker
 *     lane.onData ◄── EngineLinkStream ◄──────────(one message per turn)──────── worker
 *
 * A link lives and dies with its worker: `fail` ends every stream with the cause. It knows nothing of Valkey.
 */
import type { ByteStream, ByteStreamHandlers } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';
import { EngineLinkStream } from './engine-link-stream.js';
import { readRecords, recordBytes, RecordKind, RecordWriter } from './messages.js';

/** The part of a Worker that the link needs. */
export interface BatchPort {
  postMessage(batch: ArrayBuffer, transfer: ArrayBuffer[]): void;
}

interface OutgoingRecord {
  readonly kind: RecordKind;
  readonly stream: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

export class EngineLink {
  private readonly streams = new Map<number, EngineLinkStream>();
  private outbox: OutgoingRecord[] = [];
  private lastId = 0;

  constructor(
    private readonly port: BatchPort,
    private readonly clock: Clock,
  ) {}

  /** Starts opening a stream to the engine. */
  open(handlers: ByteStreamHandlers): ByteStream {
    const id = (this.lastId += 1);
    const stream = new EngineLinkStream(id, handlers, this.clock, {
      send: (kind, value, bytes) => this.enqueue(kind, id, value, bytes ?? NO_BYTES),
      discard: () => {
        this.outbox = this.outbox.filter((record) => record.stream !== id);
      },
      forget: () => this.streams.delete(id),
    });
    this.streams.set(id, stream);
    this.enqueue(RecordKind.open, id, 0, NO_BYTES);
    return stream;
  }

  /** Takes in one batch from the worker. */
  receive(batch: ArrayBuffer): void {
    readRecords(batch, (kind, id, value, bytes) => {
      const stream = this.streams.get(id);
      if (stream === undefined) return; // abandoned here while the engine was answering
      if (kind === RecordKind.data) stream.arrived(bytes as Buffer);
      else if (kind === RecordKind.taken) stream.taken(value);
      else if (kind === RecordKind.open) stream.opened();
      else if (kind === RecordKind.closed) stream.closedByEngine(null);
      else if (kind === RecordKind.refused)
        stream.closedByEngine(new Error('the embedded Valkey takes no more connections'));
    });
  }

  /** Ends every stream with `cause`, now; to be called from the event loop. */
  fail(cause: Error): void {
    this.outbox = [];
    for (const stream of [...this.streams.values()]) stream.fail(cause);
  }

  private enqueue(kind: RecordKind, stream: number, value: number, bytes: Uint8Array): void {
    if (this.outbox.length === 0) this.clock.endOfTick(() => this.flush());
    this.outbox.push({ kind, stream, value, bytes });
  }

  private flush(): void {
    const records = this.outbox;
    if (records.length === 0) return;
    this.outbox = [];
    const size = records.reduce((sum, record) => sum + recordBytes(record.bytes.length), 0);
    const batch = new ArrayBuffer(size);
    const writer = new RecordWriter(batch);
    for (const { kind, stream, value, bytes } of records) writer.add(kind, stream, value, bytes);
    this.port.postMessage(batch, [batch]);
  }
}
