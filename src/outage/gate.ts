/**
 * A transport that can be shut: while it is, streams are promised but not opened, so that whoever asked for one goes on
 * waiting in order instead of failing and trying again. The outage store keeps its gate shut until it has been loaded.
 */
import type { ByteStream, ByteStreamHandlers, Transport } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';

export class Gate implements Transport {
  private behind: Transport | null = null;
  private readonly waiting = new Set<PromisedStream>();

  constructor(
    readonly description: string,
    private readonly clock: Clock,
  ) {}

  /** From now on streams are opened on `transport`, those that wait first and in order. */
  openTo(transport: Transport): void {
    this.behind = transport;
    const streams = [...this.waiting];
    this.waiting.clear();
    for (const stream of streams) stream.openOn(transport);
  }

  /** Streams that are open stay as they are. */
  shut(): void {
    this.behind = null;
  }

  open(handlers: ByteStreamHandlers): ByteStream {
    if (this.behind !== null) return this.behind.open(handlers);
    const stream = new PromisedStream(handlers, () => {
      this.waiting.delete(stream);
      this.clock.endOfTick(() => handlers.onClose(null));
    });
    this.waiting.add(stream);
    return stream;
  }
}

/** Nobody writes to a stream before it is open, so there is nothing to keep. */
class PromisedStream implements ByteStream {
  private stream: ByteStream | null = null;

  constructor(
    private readonly handlers: ByteStreamHandlers,
    private readonly withdraw: () => void,
  ) {}

  openOn(transport: Transport): void {
    this.stream = transport.open(this.handlers);
  }

  get pendingBytes(): number {
    return this.stream?.pendingBytes ?? 0;
  }
  write(bytes: Uint8Array): boolean {
    return this.stream?.write(bytes) ?? true;
  }
  pause(): void {
    this.stream?.pause();
  }
  resume(): void {
    this.stream?.resume();
  }
  end(): void {
    if (this.stream === null) this.withdraw();
    else this.stream.end();
  }
  reset(): void {
    if (this.stream === null) this.withdraw();
    else this.stream.reset();
  }
}
