/**
 * The records that travel between the event loop and the engine's worker thread. All that one tick has to say becomes
 * one ArrayBuffer, which is transferred, not copied:
 *
 *     | kind u32 | stream u32 | value u32 | length u32 | bytes… padded to 4 | next record …
 *
 * Both sides use the same layout. Which kinds a side sends is its business; this file knows no streams.
 */

import type { WasmModule } from './wasm-api.js';

/** Towards the engine: OPEN, DATA, END, RESET, TAKEN. From the engine: OPEN, DATA, CLOSED, REFUSED, TAKEN. */
export const RecordKind = {
  /** To: a new stream. From: the engine accepted it. */
  open: 1,
  data: 2,
  /** No bytes follow; the engine sees the end once it has read what came before. */
  end: 3,
  /** The stream is abandoned: what the engine has not read yet is dropped. */
  reset: 4,
  /** `value` more bytes of the stream were taken by the receiver: the flow control of both directions. */
  taken: 5,
  /** The engine closed the stream. */
  closed: 6,
  /** The engine does not take this stream: it has no descriptor left, or does not listen. */
  refused: 7,
} as const;

export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** What a reader is told, record by record. `bytes` is a view into the batch; whoever keeps it keeps the batch. */
export type RecordVisitor = (
  kind: RecordKind,
  stream: number,
  value: number,
  bytes: Uint8Array,
) => void;

const HEADER_BYTES = 16;
const NOTHING = new Uint8Array(0);

/** The bytes that one record of `length` data bytes occupies in a batch. */
export function recordBytes(length: number): number {
  return HEADER_BYTES + ((length + 3) & ~3);
}

/** Collects records in a buffer of fixed capacity. The caller asks `free` before it adds. */
export class RecordWriter {
  private readonly words: Uint32Array;
  private readonly octets: Uint8Array;
  private usedBytes = 0;

  constructor(private readonly buffer: ArrayBuffer) {
    this.words = new Uint32Array(buffer);
    this.octets = new Uint8Array(buffer);
  }

  get isEmpty(): boolean {
    return this.usedBytes === 0;
  }

  /** How many data bytes one more record could carry; negative when not even its header fits. */
  get freeBytes(): number {
    return this.buffer.byteLength - this.usedBytes - HEADER_BYTES;
  }

  /** Adds a record and copies `bytes` into it. */
  add(kind: RecordKind, stream: number, value: number, bytes: Uint8Array = NOTHING): void {
    const word = this.usedBytes >> 2;
    this.words[word] = kind;
    this.words[word + 1] = stream;
    this.words[word + 2] = value;
    this.words[word + 3] = bytes.length;
    this.octets.set(bytes, this.usedBytes + HEADER_BYTES);
    this.usedBytes += recordBytes(bytes.length);
  }

  /** A copy of what was written, exactly as long as it is; the writer is empty afterwards. */
  takeCopy(): ArrayBuffer {
    const copy = this.buffer.slice(0, this.usedBytes);
    this.usedBytes = 0;
    return copy;
  }
}

/** Visits every record of a batch in the order it was written. */
export function readRecords(batch: ArrayBuffer, visit: RecordVisitor): void {
  const words = new Uint32Array(batch);
  const octets = Buffer.from(batch);
  let at = 0;
  while (at < octets.length) {
    const word = at >> 2;
    const length = words[word + 3]!;
    const start = at + HEADER_BYTES;
    const bytes = length === 0 ? NOTHING : octets.subarray(start, start + length);
    visit(words[word] as RecordKind, words[word + 1]!, words[word + 2]!, bytes);
    at = start + ((length + 3) & ~3);
  }
}

/** What the worker is given when it starts. */
export interface WorkerInput {
  readonly module: WasmModule;
  readonly snapshotFile: string | null;
}

/** What the worker says besides batches of records. */
export type WorkerNotice =
  | { readonly kind: 'ready' }
  /** A line of the engine's own log. */
  | { readonly kind: 'log'; readonly line: string }
  /** The engine trapped or left; the worker ends itself after this. */
  | { readonly kind: 'died'; readonly reason: string };
