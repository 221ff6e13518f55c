/**
 * A client's connection on a pair of streams instead of a socket: the test holds the client's end, and a handler that
 * notes what it is given stands where the dispatcher stands.
 */
import type net from 'node:net';
import { duplexPair, type Duplex } from 'node:stream';
import { COMMAND_NAMES } from '../../src/command/table.js';
import { ClientConnection, type ConnectionHandler } from '../../src/downstream/connection.js';
import { Outbox } from '../../src/downstream/outbox.js';
import { FakeClock } from './fake-clock.js';
import { commandsIn } from './fake-transport.js';

/** Notes what it is given; what it does in return is set by the test. */
export class RecordingHandler implements ConnectionHandler {
  /** `forward GET a, GET b` · `command MULTI` · `stream 100 bytes` · `error: …` · `input ended` · `closed`. */
  readonly events: string[] = [];
  /** Every byte forwarded, handed over or streamed, in order. */
  bytes = '';
  /** Names that may join a run. */
  readonly passing = new Set(['get', 'set', 'ping', 'echo', 'mget']);
  /** Names that are asked to come again later. */
  readonly stalling = new Set<string>();
  streamAnswer: boolean | null = true;
  isBusy = false;
  rest: Buffer | null = null;
  /** Called for each command by itself. */
  onCommand: (name: string) => void = () => undefined;

  admit(commandId: number): boolean {
    return this.passing.has(COMMAND_NAMES[commandId]!);
  }
  forward(buffer: Buffer, start: number, end: number, count: number): void {
    const commands = commandsIn(buffer.subarray(start, end));
    if (commands.length !== count) throw new Error(`${count} announced, ${commands.length} found`);
    this.#take(buffer, start, end);
    this.events.push(`forward ${commands.map(abbreviated).join(', ')}`);
  }
  command(commandId: number, frame: Buffer): boolean {
    const name = COMMAND_NAMES[commandId]!;
    if (this.stalling.has(name)) {
      this.events.push(`not now ${name}`);
      return false;
    }
    this.#take(frame, 0, frame.length);
    this.events.push(`command ${commandsIn(frame).map(abbreviated).join()}`);
    this.onCommand(name);
    return true;
  }
  beginStream(commandId: number): boolean | null {
    this.events.push(`begin ${COMMAND_NAMES[commandId]}`);
    return this.streamAnswer;
  }
  stream(buffer: Buffer, start: number, end: number, ended: boolean): void {
    this.#take(buffer, start, end);
    if (ended) this.events.push('stream ended');
  }
  protocolError(text: string, rest: Buffer): boolean {
    this.events.push(`error: ${text}`);
    this.rest = rest;
    return !this.isBusy;
  }
  chunkEnded(): void {}
  overheard(): void {}

  inputEnded(): void {
    this.events.push('input ended');
  }
  closed(): void {
    this.events.push('closed');
  }

  /** The events since the last look. */
  seen(): string[] {
    return this.events.splice(0);
  }

  #take(buffer: Buffer, start: number, end: number): void {
    this.bytes += buffer.toString('latin1', start, end);
  }
}

function abbreviated(command: string): string {
  return command.length > 40 ? `${command.slice(0, 20)}… (${command.length})` : command;
}

export interface TestClientOptions {
  maxBulkBytes?: number;
  outputLimitBytes?: number;
  clock?: FakeClock;
  outbox?: Outbox;
  /** Makes the one that deals with the commands; a RecordingHandler when there is none. */
  handlerFor?: (connection: ClientConnection) => ConnectionHandler;
}

export class TestClient {
  readonly clock: FakeClock;
  readonly outbox: Outbox;
  readonly traffic = { downstreamBytesIn: 0, downstreamBytesOut: 0, clientsClosedForOutput: 0 };
  readonly handler = new RecordingHandler();
  readonly connection: ClientConnection;
  /** The sidecar's end. */
  readonly socket: net.Socket;
  /** What `setTimeout` of the socket was asked to do. */
  idled: (() => void) | null = null;
  /** Each chunk that the client has read, as latin1. */
  readonly chunks: string[] = [];
  sawEnd = false;
  readonly #end: Duplex;

  constructor(options: TestClientOptions = {}) {
    const { maxBulkBytes = 1024 * 1024, outputLimitBytes = 1024 * 1024, handlerFor } = options;
    this.clock = options.clock ?? new FakeClock();
    this.outbox = options.outbox ?? new Outbox(this.clock);
    const [near, far] = duplexPair();
    const setTimeout = (_ms: number, task: () => void): void => void (this.idled = task);
    this.socket = Object.assign(near, { setTimeout }) as unknown as net.Socket;
    this.#end = far;
    const { clock, outbox, traffic } = this;
    this.connection = new ClientConnection(this.socket, {
      clock,
      outbox,
      traffic,
      maxBulkBytes,
      outputLimitBytes,
    });
    this.connection.attach(handlerFor?.(this.connection) ?? this.handler);
  }

  /** The client begins to read. */
  reading(): this {
    this.#end.on('data', (chunk: Buffer) => this.chunks.push(chunk.toString('latin1')));
    this.#end.on('end', () => (this.sawEnd = true));
    return this;
  }
  stopReading(): void {
    this.#end.pause();
  }
  readOn(): void {
    this.#end.resume();
  }

  /** The client sends these chunks; resolves when they have been dealt with. */
  async send(...chunks: (string | Buffer)[]): Promise<void> {
    for (const chunk of chunks) {
      this.#end.write(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
      await turn();
    }
  }
  /** The client sends no more. */
  async endInput(): Promise<void> {
    this.#end.end();
    await turn();
  }

  /** A reply as the dispatcher gives it, flushed. */
  async reply(...texts: string[]): Promise<void> {
    for (const text of texts) {
      const chunk = Buffer.from(text, 'latin1');
      this.connection.reply(chunk, 0, chunk.length);
    }
    this.outbox.flush();
    await turn();
  }
}

/** One turn of the event loop: streams pass things on in between, nobody waits for time. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
