/**
 * One stream to the engine as its owner on the event loop sees it: the `ByteStream` port with truthful back-pressure.
 * `pendingBytes` counts what the engine has not read; what the owner has not taken (because it paused) is not confirmed,
 * so that the engine stops writing. Every callback runs on the event loop, never from inside a method call.
 */
import type { ByteStream, ByteStreamHandlers } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';
import { OUTPUT_WINDOW_BYTES } from './engine-stream.js';
import { RecordKind } from './messages.js';

/** Input the engine has not read, beyond which `write` asks its caller to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** Confirmations are collected up to this, so that they rarely need a message of their own. */
const CONFIRM_BYTES = OUTPUT_WINDOW_BYTES / 4;

/** What a stream asks of its link. */
export interface LinkPort {
  send(kind: RecordKind, value: number, bytes?: Uint8Array): void;
  /** Drops everything of this stream that has not been posted yet. */
  discard(): void;
  /** The stream is over; nothing more will be delivered to it. */
  forget(): void;
}

/**
 * `open`: in use. `ending`: `end` was called, replies may still arrive. `closed-by-engine`: the engine closed it while
 * the owner had paused; what arrived before is still delivered. `over`: onClose has been, or is about to be, called.
 */
type State = 'open' | 'ending' | 'closed-by-engine' | 'over';

export class EngineLinkStream implements ByteStream {
  pendingBytes = 0;
  private state: State = 'open';
  private closeCause: Error | null = null;
  private wantsDrain = false;
  private paused = false;
  private readonly held: Buffer[] = [];
  private unconfirmedBytes = 0;

  constructor(
    readonly id: number,
    private readonly handlers: ByteStreamHandlers,
    private readonly clock: Clock,
    private readonly link: LinkPort,
  ) {}

  write(bytes: Uint8Array): boolean {
    if (this.state !== 'open') return true;
    this.pendingBytes += bytes.length;
    this.link.send(RecordKind.data, 0, bytes);
    this.wantsDrain ||= this.pendingBytes > HIGH_WATER_BYTES;
    return !this.wantsDrain;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.held.length > 0 || this.state === 'closed-by-engine')
      this.clock.endOfTick(() => this.deliverHeld());
  }

  end(): void {
    if (this.state !== 'open') return;
    this.state = 'ending';
    this.link.send(RecordKind.end, 0);
  }

  reset(): void {
    if (this.state === 'over') return;
    this.link.discard();
    if (this.state !== 'closed-by-engine') this.link.send(RecordKind.reset, 0);
    this.finish(null);
  }

  /** The engine accepted the stream. */
  opened(): void {
    if (this.state !== 'over') this.handlers.onOpen();
  }

  /** Bytes came from the engine; `chunk` is the owner's from now on. */
  arrived(chunk: Buffer): void {
    if (this.state === 'over') return;
    if (this.paused || this.held.length > 0) this.held.push(chunk);
    else this.deliver(chunk);
  }

  /** The engine read `bytes` of what was written. */
  taken(bytes: number): void {
    this.pendingBytes -= bytes;
    if (this.pendingBytes > 0 || !this.wantsDrain) return;
    this.wantsDrain = false;
    this.handlers.onDrain();
  }

  /** The engine closed the stream, or refused it with a cause; what is held is delivered first. */
  closedByEngine(cause: Error | null): void {
    if (this.state === 'over') return;
    this.state = 'closed-by-engine';
    this.closeCause = cause;
    if (this.held.length === 0) this.close();
  }

  /** The engine is gone: ends the stream at once. */
  fail(cause: Error): void {
    if (this.state === 'over') return;
    this.closeCause = cause;
    this.close();
  }

  private deliverHeld(): void {
    while (!this.paused && this.held.length > 0) this.deliver(this.held.shift()!);
    if (this.held.length === 0 && this.state === 'closed-by-engine') this.close();
  }

  private deliver(chunk: Buffer): void {
    this.unconfirmedBytes += chunk.length;
    if (this.unconfirmedBytes >= CONFIRM_BYTES && this.state !== 'closed-by-engine') {
      this.link.send(RecordKind.taken, this.unconfirmedBytes);
      this.unconfirmedBytes = 0;
    }
    this.handlers.onData(chunk);
  }

  /** Ends the stream from the owner's side; `onClose` follows on the event loop. */
  private finish(cause: Error | null): void {
    this.closeCause = cause;
    this.state = 'over';
    this.held.length = 0;
    this.link.forget();
    this.clock.endOfTick(() => this.handlers.onClose(this.closeCause));
  }

  private close(): void {
    this.state = 'over';
    this.held.length = 0;
    this.pendingBytes = 0;
    this.link.forget();
    this.handlers.onClose(this.closeCause);
  }
}
