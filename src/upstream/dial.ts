/** One connection, made to see whether it can be: opens, logs in, asks for the server's version, closes. */
import type { Transport } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';
import { FRESH_STATE, type Identity } from '../command/connection-state.js';
import { decodeFrame, ReplyError } from '../resp/decoder.js';
import { encodeCommand } from '../resp/encoder.js';
import { UpstreamConnection } from './connection.js';
import { PROMPT } from './in-flight.js';
import type { ReplyReceiver } from './receiver.js';
import { Silence } from './silence.js';

export interface DialOptions {
  readonly transport: Transport;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

const ASK = encodeCommand(['INFO', 'server']);

/** Resolves with the server's version, or with what it says instead; rejects with why it cannot be reached. */
export function dial({ transport, identity, clock, timeoutMs }: DialOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = new UpstreamConnection(
      {
        kind: 'pinned',
        transport,
        identity,
        state: FRESH_STATE,
        clock,
        traffic: { upstreamBytesIn: 0, upstreamBytesOut: 0, replied() {} },
        timeoutMs,
        slowTimeoutMs: timeoutMs,
        silence: new Silence(clock),
      },
      {
        onReady: () => connection.send(listener, ASK, 0, ASK.length, 1, PROMPT),
        onLost: (_, cause) => reject(cause),
        onDrain: () => undefined,
        onDelivered: () => undefined,
      },
    );
    const parts: Buffer[] = [];
    const listener: ReplyReceiver = {
      receive(chunk, start, end, completed) {
        parts.push(Buffer.from(chunk.subarray(start, end)));
        if (completed === 0) return;
        connection.abandon();
        resolve(describe(decodeFrame(Buffer.concat(parts))));
      },
      lose: (_count, _midReply, cause) => reject(cause),
      refuse: (_count, cause) => reject(cause),
    };
  });
}

function describe(reply: unknown): string {
  if (reply instanceof ReplyError) return reply.message;
  const text = String(reply);
  const valkey = /^valkey_version:(.*)$/m.exec(text)?.[1]?.trim();
  const redis = /^redis_version:(.*)$/m.exec(text)?.[1]?.trim();
  return valkey === undefined ? `Redis ${redis ?? '(version unknown)'}` : `Valkey ${valkey}`;
}
