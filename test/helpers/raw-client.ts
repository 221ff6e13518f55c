/**
 * A client that knows bytes and nothing else: what goes in is what the test wrote, what comes out
 * is each reply frame exactly as it came. Tests use it where an ordinary client library would hide
 * the difference they look for (+OK or $2 OK, which null, a push between two replies).
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { ReplyScanner } from './reply-scanner.js';

const DEFAULT_TIMEOUT_MS = 30_000;

/** How the other side ended the connection: FIN, or RST (any socket error). */
export type Ending = 'end' | 'reset';

/** Where to connect: a port on 127.0.0.1, or any address or unix path that `net` takes. */
export type RawTarget = number | NetConnectOpts;

/** Connects over TCP or a unix socket; rejects if that is refused. */
export async function connectRaw(target: RawTarget): Promise<RawClient> {
  const address = typeof target === 'number' ? { host: '127.0.0.1', port: target } : target;
  const socket = connect(address);
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** Connects over TLS; `options` as in `tls.connect`. */
export async function connectRawTls(options: ConnectionOptions): Promise<RawClient> {
  const socket = connectTls({ host: '127.0.0.1', ...options });
  await once(socket, 'secureConnect');
  return new RawClient(socket);
}

/** Encodes a command as the array of bulk strings that every client library sends. */
export function encodeCommand(...args: (string | number | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = arg instanceof Uint8Array ? arg : Buffer.from(String(arg));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

/**
 * One connection. Reads are not concurrent: await one before starting the next.
 * A read that does not finish in time rejects and shows what had arrived.
 */
export class RawClient {
  readonly socket: Socket;
  readonly #scanner = new ReplyScanner();
  #ending: Ending | null = null;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#scanner.push(chunk);
      this.#wake?.();
    });
    socket.on('error', (error) => {
      this.#error = error;
      this.#finish('reset');
    });
    socket.on('end', () => this.#finish('end'));
    socket.on('close', () => this.#finish('end'));
  }

  /** How the connection ended, or null while it is open. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** Sends bytes as they are; a string is sent as latin1, so `'\xff'` is one byte. */
  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Sends one command as an array of bulk strings (strings as UTF-8); reads nothing. */
  send(...args: (string | number | Uint8Array)[]): void {
    this.socket.write(encodeCommand(...args));
  }

  /** Sends one command and reads one reply frame. */
  async command(...args: (string | number | Uint8Array)[]): Promise<Buffer> {
    this.send(...args);
    return this.readFrame();
  }

  /** `command`, with the frame as a latin1 string: convenient to compare and to print. */
  async ask(...args: (string | number | Uint8Array)[]): Promise<string> {
    return (await this.command(...args)).toString('latin1');
  }

  /** The next reply frame (a push counts as one), as raw bytes. */
  async readFrame(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Buffer> {
    const [frame] = await this.readFrames(1, timeoutMs);
    assert.ok(frame);
    return frame;
  }

  /** Exactly `count` reply frames, in order, each as raw bytes. */
  async readFrames(count: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      let frame: Buffer | null;
      while (frames.length < count && (frame = this.#scanner.next()) !== null) frames.push(frame);
      if (frames.length === count) return frames;
      if (this.#ending !== null) {
        const cause = this.#error ?? undefined;
        throw new Error(`Connection closed (${this.#ending}) ${progress(frames, count)}`, {
          cause,
        });
      }
      if (!(await this.#moreBefore(deadline))) {
        throw new Error(
          `Timeout of ${timeoutMs} ms ${progress(frames, count)}, ${this.#scanner.bufferedBytes} bytes over`,
        );
      }
    }
  }

  /** Rejects if any byte arrives (or the connection ends) within `durationMs`. */
  async expectSilence(durationMs: number): Promise<void> {
    const deadline = performance.now() + durationMs;
    while (this.#scanner.bufferedBytes === 0 && this.#ending === null) {
      if (!(await this.#moreBefore(deadline))) return;
    }
    const bytes = JSON.stringify(this.#scanner.rest().toString('latin1'));
    throw new Error(`Expected silence, got ${bytes}, ending: ${this.#ending}`);
  }

  /** All bytes up to the other side's closing; `ending` then says how it closed. */
  async readUntilClose(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Buffer> {
    const deadline = performance.now() + timeoutMs;
    while (this.#ending === null) {
      if (!(await this.#moreBefore(deadline))) {
        const bytes = JSON.stringify(this.#scanner.rest().toString('latin1').slice(0, 500));
        throw new Error(`Not closed within ${timeoutMs} ms; received ${bytes}`);
      }
    }
    return this.#scanner.rest();
  }

  /** Stops reading from the socket, so that the kernel's buffers fill up. */
  pause(): void {
    this.socket.pause();
  }

  /** Reads again after `pause`. */
  resume(): void {
    this.socket.resume();
  }

  /** Says goodbye (FIN) and waits until the socket is gone. */
  async close(): Promise<void> {
    if (this.socket.destroyed) return;
    const closed = once(this.socket, 'close');
    // The other side may never answer our FIN; a test's end does not wait for it.
    this.socket.end(() => this.socket.destroy());
    await closed;
  }

  /** Resets the connection (RST), as a killed process behind a firewall would. */
  reset(): void {
    // A socket that has begun to close cannot be reset any more; Node would keep its handle for ever.
    if (this.socket.writable) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  #finish(ending: Ending): void {
    this.#ending ??= ending;
    this.#wake?.();
  }

  /** True when something happened on the socket, false when the deadline passed. */
  #moreBefore(deadline: number): Promise<boolean> {
    assert.equal(this.#wake, null, 'one read at a time');
    return new Promise((resolve) => {
      const done = (happened: boolean): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve(happened);
      };
      const timer = setTimeout(() => done(false), Math.max(0, deadline - performance.now()));
      this.#wake = () => done(true);
    });
  }
}

function progress(frames: readonly Buffer[], wanted: number): string {
  const last = frames.at(-1)?.toString('latin1').slice(0, 200);
  const tail = last === undefined ? '' : `, the last one ${JSON.stringify(last)}`;
  return `after ${frames.length} of ${wanted} frames${tail}`;
}
