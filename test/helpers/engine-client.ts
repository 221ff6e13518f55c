/**
 * A client of a `Transport`, without sockets and without a sidecar: what tests of the embedded engines talk with.
 * It sends commands, hands out whole reply frames, and remembers how its stream ended.
 */
import type { ByteStream, Transport } from '../../src/base/byte-stream.js';
import { eventually } from './eventually.js';
import { encodeCommand } from './raw-client.js';
import { ReplyScanner } from './reply-scanner.js';

type Word = string | number | Uint8Array;

export class EngineClient {
  readonly stream: ByteStream;
  opens = 0;
  drains = 0;
  receivedBytes = 0;
  /** One entry per `onClose`; more than one is a fault of the stream. */
  readonly closes: (Error | null)[] = [];
  readonly #scanner = new ReplyScanner();

  /** With `keep: false` received bytes are only counted. */
  constructor(transport: Transport, { keep = true }: { keep?: boolean } = {}) {
    this.stream = transport.open({
      onOpen: () => (this.opens += 1),
      onData: (chunk) => {
        this.receivedBytes += chunk.length;
        if (keep) this.#scanner.push(chunk);
      },
      onDrain: () => (this.drains += 1),
      onClose: (cause) => this.closes.push(cause),
    });
  }

  /** Sends one command; returns what `write` returned. */
  send(...words: Word[]): boolean {
    return this.stream.write(encodeCommand(...words));
  }

  /** Sends one command and reads one reply, as latin1. */
  async ask(...words: Word[]): Promise<string> {
    this.send(...words);
    return this.read();
  }

  /** The next whole reply, as latin1. */
  async read(): Promise<string> {
    const frame = await eventually(
      'a reply',
      () =>
        this.#scanner.next() ??
        (this.closes.length > 0 ? new Error(`closed: ${String(this.closes[0])}`) : null),
      { everyMs: 0, withinMs: 20_000 },
    );
    if (frame instanceof Error) throw frame;
    return frame.toString('latin1');
  }

  /** How the stream ended, once it has. */
  async ending(): Promise<Error | null> {
    const [cause] = await eventually('the end of the stream', () =>
      this.closes.length > 0 ? this.closes : null,
    );
    return cause ?? null;
  }
}

/** What a logger was told, for tests that care. */
export interface LoggedLine {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that remembers. */
export function recordingLogger(): { lines: LoggedLine[] } & Record<
  'debug' | 'info' | 'warn' | 'error',
  (event: string, fields?: object) => void
> {
  const lines: LoggedLine[] = [];
  const at =
    (level: string) =>
    (event: string, fields: object = {}) => {
      lines.push({ level, event, fields: { ...fields } });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
