/**
 * The few words this process itself has with its engine: settings at boot, SAVE at the end. Speaks over an ordinary
 * stream, one command at a time, and understands replies of one line only, which is all that those commands answer.
 */
import type { ByteStream, ByteStreamHandlers } from '../base/byte-stream.js';
import { EmbeddedEngineError } from './engine.js';

export class EngineTalk {
  private readonly stream: ByteStream;
  private readonly waiting: { resolve: (reply: string) => void; reject: (cause: Error) => void }[] =
    [];
  private unread = '';
  private isClosed = false;

  /** Opens the stream; a failure to open rejects the first command. */
  constructor(open: (handlers: ByteStreamHandlers) => ByteStream) {
    this.stream = open({
      onOpen() {},
      onData: (chunk) => this.read(chunk),
      onDrain() {},
      onClose: (cause) => this.close(cause),
    });
  }

  /** The connection is gone; a new one is needed. */
  get closed(): boolean {
    return this.isClosed;
  }

  /** Sends a command whose arguments hold no control characters; resolves with its one-line reply, errors included. */
  async command(...words: string[]): Promise<string> {
    if (this.isClosed)
      throw new EmbeddedEngineError('the connection to the embedded engine is closed');
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      this.stream.write(Buffer.from(`*${words.length}\r\n${parts.join('')}`));
    });
  }

  end(): void {
    this.stream.end();
  }

  private read(chunk: Buffer): void {
    const lines = (this.unread + chunk.toString('latin1')).split('\r\n');
    this.unread = lines.pop() ?? '';
    for (const line of lines) this.waiting.shift()?.resolve(line);
  }

  private close(cause: Error | null): void {
    this.isClosed = true;
    const reason = new EmbeddedEngineError('the embedded engine closed the connection', { cause });
    for (const { reject } of this.waiting.splice(0)) reject(reason);
  }
}
