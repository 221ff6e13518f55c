/**
 * The replies to what the sidecar says for itself at the start of a connection, or when a connection changes hands. They
 * are read here and never reach a client.
 */
import { decodeFrame, ReplyError } from '../resp/decoder.js';
import { encodeCommand } from '../resp/encoder.js';
import { ERROR_TYPE, ReplyFramer } from '../resp/reply-framer.js';
import type { FenceTarget } from './fences.js';
import type { ReplyReceiver } from './receiver.js';

/**
 * The upstream answered, and does not want this connection to be what it should be: because of the state that the server
 * is in, of who asks, or of what the connection is to be (a database that is not there).
 */
export class GreetingRefused extends Error {
  constructor(
    message: string,
    readonly concerns: 'server' | 'identity' | 'state',
  ) {
    super(message);
  }
}

/** It runs a script and refuses everybody: it will let us in when that is over. Whoever cannot wait is told so. */
export class UpstreamBusy extends GreetingRefused {
  constructor(readonly said: string) {
    super(refusal(said), 'state');
  }
}

/** The upstream wants a password (NOAUTH): for a client that has yet to give one this is how it should be. */
export class StrangerRefused extends GreetingRefused {}

/** The upstream refused the credentials. Trying again will not help. */
export class CredentialsRefused extends GreetingRefused {}

export class Greeting implements ReplyReceiver {
  private bytes: Buffer[] = [];
  private left: number;

  /** `done` is called once, with what went wrong or null. */
  constructor(
    replies: number,
    private readonly done: (problem: Error | null) => void,
  ) {
    this.left = replies;
  }

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    this.bytes.push(Buffer.from(chunk.subarray(start, end)));
    this.left -= completed;
    if (this.left === 0) this.done(problemIn(Buffer.concat(this.bytes)));
  }

  // The connection reports its own loss; nobody waits for these replies in particular.
  lose(): void {}
  refuse(): void {}
}

/** Asks the upstream what it calls this connection. */
export const INTRODUCE = encodeCommand(['CLIENT', 'INFO']);

/** Gets the reply to `INTRODUCE`. */
export class Introduction implements ReplyReceiver {
  private bytes: Buffer[] = [];

  /** `done` is called once; with null when the upstream does not tell: it is `busy`, too old, or forbids to ask. */
  constructor(private readonly done: (target: FenceTarget | null, isBusy: boolean) => void) {}

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    this.bytes.push(Buffer.from(chunk.subarray(start, end)));
    if (completed === 0) return;
    const reply = Buffer.concat(this.bytes).toString('latin1');
    this.done(targetIn(reply), reply.startsWith('-BUSY '));
  }

  lose(): void {}
  refuse(): void {}
}

/** As a bulk or a verbatim string: `id=7 addr=127.0.0.1:51234 laddr=…`. */
function targetIn(reply: string): FenceTarget | null {
  const [, id, addr] = /^[$=][^\r]*\r\n(?:txt:)?id=(\d+) addr=(\S+)/.exec(reply) ?? [];
  return id === undefined || addr === undefined ? null : { id, addr };
}

/** The first error that matters among complete replies. */
function problemIn(replies: Buffer): Error | null {
  const framer = new ReplyFramer();
  for (let pos = 0; pos < replies.length;) {
    const end = framer.scan(replies, pos, replies.length, 1);
    if (framer.frameType === ERROR_TYPE) {
      const error = decodeFrame(replies.subarray(pos, end));
      const problem = error instanceof ReplyError ? judge(error.message) : null;
      if (problem !== null) return problem;
    }
    pos = end;
  }
  return null;
}

const SERVER_WIDE =
  /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|ERR max number of clients)\b/;

function refusal(message: string): string {
  return `the upstream refused the connection: ${message}`;
}

function judge(message: string): Error | null {
  const text = refusal(message);
  if (message.startsWith('BUSY ')) return new UpstreamBusy(message);
  if (message.startsWith('NOAUTH')) return new StrangerRefused(text, 'identity');
  if (message.startsWith('WRONGPASS') || message.startsWith('ERR AUTH'))
    return new CredentialsRefused(text, 'identity');
  // A name is a courtesy; an upstream that knows no CLIENT SETNAME, or forbids it, is still served.
  if (/'client\b|setinfo|setname/i.test(message)) return null;
  if (SERVER_WIDE.test(message)) return new GreetingRefused(text, 'server');
  return new GreetingRefused(text, message.startsWith('NOPERM') ? 'identity' : 'state');
}
