/**
 * A transport's stream as a Node stream, for a client library that wants a socket, with a guard in the way of what
 * comes in.
 */
import { Duplex } from 'node:stream';
import type { ByteStream, Transport } from '../base/byte-stream.js';
import type { ReplyGuard } from './reply-guard.js';

export class GuardedStream extends Duplex {
  /** Like a socket's; `connect` is emitted when it becomes false. */
  connecting = true;
  private readonly stream: ByteStream;

  constructor(
    transport: Transport,
    private readonly guard: ReplyGuard,
  ) {
    super();
    this.stream = transport.open({
      onOpen: () => {
        this.connecting = false;
        this.emit('connect');
      },
      onData: (chunk) => this.receive(chunk),
      onDrain: () => undefined,
      onClose: (cause) => this.destroy(cause ?? undefined),
    });
  }

  /** What sockets can do and is of no use here. */
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }

  /** The probe's own deadline bounds what is queued. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.stream.write(chunk);
    done();
  }

  override _read(): void {}

  override _final(done: () => void): void {
    this.stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.stream.reset();
    done(error);
  }

  private receive(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      for (const reply of this.guard.take(chunk)) this.push(reply);
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
