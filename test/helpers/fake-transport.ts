/**
 * Byte streams whose other end is the test: it opens them, reads what was written, says what comes back and breaks them.
 * No Redis is imitated here; every byte that "the upstream" says stands in the test.
 */
import type { ByteStream, ByteStreamHandlers, Transport } from '../../src/base/byte-stream.js';
import { decodeArguments } from '../../src/resp/decoder.js';
import { COMMAND, RequestFramer } from '../../src/resp/request-framer.js';

export class FakeStream implements ByteStream {
  /** Each `write` that was not yet taken by `sent` or `sentCommands`. */
  writes: Buffer[] = [];
  pendingBytes = 0;
  isPaused = false;
  ending: 'end' | 'reset' | null = null;

  constructor(private readonly handlers: ByteStreamHandlers) {}

  write(bytes: Uint8Array): boolean {
    this.writes.push(Buffer.from(bytes));
    return this.pendingBytes === 0;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  end(): void {
    this.ending = 'end';
  }
  reset(): void {
    this.ending = 'reset';
  }

  /** The stream is open. */
  open(): this {
    this.handlers.onOpen();
    return this;
  }
  /** One chunk arrives; returns what the owner says of it. */
  say(text: string): boolean | void {
    return this.handlers.onData(Buffer.from(text, 'latin1'));
  }
  /** The other side is gone. */
  close(cause: Error | null = null): void {
    this.handlers.onClose(cause);
  }
  /** Everything was taken. */
  drain(): void {
    this.pendingBytes = 0;
    this.handlers.onDrain();
  }

  /** The bytes written since the last look, as latin1. */
  sent(): string {
    return Buffer.concat(this.writes.splice(0)).toString('latin1');
  }
  /** The commands written since the last look, each as its words. */
  sentCommands(): string[] {
    return commandsIn(Buffer.from(this.sent(), 'latin1'));
  }
}

/** Complete commands as words; throws when there is something else among them. */
export function commandsIn(bytes: Buffer): string[] {
  const framer = new RequestFramer(bytes.length);
  const commands: string[] = [];
  for (let pos = 0; pos < bytes.length; pos = framer.frameEnd) {
    if (framer.next(bytes, pos, bytes.length) !== COMMAND) throw new Error('not only commands');
    const args = decodeArguments(bytes.subarray(pos, framer.frameEnd));
    commands.push(args.map((arg) => arg.toString('latin1')).join(' '));
  }
  return commands;
}

export class FakeTransport implements Transport {
  readonly description = 'fake';
  readonly streams: FakeStream[] = [];

  open(handlers: ByteStreamHandlers): FakeStream {
    const stream = new FakeStream(handlers);
    this.streams.push(stream);
    return stream;
  }

  /** The stream opened last. */
  get last(): FakeStream {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');
    return stream;
  }
}
