/**
 * Questions to an upstream, one after the other, for people who want to know what will not work: each is sent as the
 * sidecar would send it, and its answer is a value, an error, or that there was none. An upstream that hangs up on a
 * question (some proxies do, on a command that they do not know) gets the next one on a new connection.
 */
import type { Transport } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';
import { FRESH_STATE, type Identity } from '../command/connection-state.js';
import { decodeFrame, ReplyError } from '../resp/decoder.js';
import { encodeCommand } from '../resp/encoder.js';
import { UpstreamConnection } from './connection.js';
import { PROMPT } from './in-flight.js';
import { Silence } from './silence.js';

export interface InterviewOptions {
  readonly transport: Transport;
  readonly identity: Identity;
  readonly clock: Clock;
  /** For a connection to be made, and for each answer. */
  readonly timeoutMs: number;
}

/** What came back. `lost`: the connection ended, or nothing came in time. */
export type Answer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'lost'; readonly text: string };

/** INFO is some kilobytes. */
const MAX_ANSWER_BYTES = 2 ** 20;
/** After so many losses in a row nothing more is asked: it would only take time. */
const MAX_LOSSES = 6;

export class Interview {
  private connection: UpstreamConnection | null = null;
  private losses = 0;

  constructor(private readonly options: InterviewOptions) {}

  /** Never rejects. */
  async ask(...words: (string | number)[]): Promise<Answer> {
    if (this.losses >= MAX_LOSSES) return { kind: 'lost', text: 'not asked any more' };
    const answer = await this.answerTo(encodeCommand(words));
    if (answer.kind === 'lost') {
      this.connection = null;
      this.losses += 1;
    } else this.losses = 0;
    return answer;
  }

  /** Rejects with the reason when no connection can be made, or the upstream lets nobody in. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.connection = this.open(
        () => resolve(),
        (cause) => {
          this.connection = null;
          reject(cause);
        },
      );
    });
  }

  close(): void {
    this.connection?.abandon();
    this.connection = null;
  }

  private async answerTo(command: Buffer): Promise<Answer> {
    try {
      if (this.connection === null) await this.connect();
      const reply = decodeFrame(await this.replyTo(command));
      if (reply instanceof ReplyError) return { kind: 'error', text: reply.message };
      return { kind: 'value', value: reply };
    } catch (error) {
      this.close();
      return { kind: 'lost', text: (error as Error).message };
    }
  }

  private replyTo(command: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      const receiver = {
        receive(chunk: Buffer, start: number, end: number, completed: number): void {
          parts.push(Buffer.from(chunk.subarray(start, end)));
          bytes += end - start;
          if (bytes > MAX_ANSWER_BYTES) reject(new Error('the upstream answered at length'));
          else if (completed > 0) resolve(Buffer.concat(parts));
        },
        lose: (_count: number, _midReply: boolean, cause: Error) => reject(cause),
        refuse: (_count: number, cause: Error) => reject(cause),
      };
      this.connection!.send(receiver, command, 0, command.length, 1, PROMPT);
    });
  }

  private open(onReady: () => void, onLost: (cause: Error) => void): UpstreamConnection {
    const { transport, identity, clock, timeoutMs } = this.options;
    return new UpstreamConnection(
      {
        kind: 'pinned',
        transport,
        identity,
        state: FRESH_STATE,
        clock,
        traffic: { upstreamBytesIn: 0, upstreamBytesOut: 0, replied() {} },
        timeoutMs,
        slowTimeoutMs: timeoutMs,
        busyWaitMs: timeoutMs,
        silence: new Silence(clock),
      },
      {
        onReady,
        onLost: (_, cause) => onLost(cause),
        onDrain: () => undefined,
        onDelivered: () => undefined,
      },
    );
  }
}
