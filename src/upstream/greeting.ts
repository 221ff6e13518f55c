/**
 * The replies to what the sidecar says for itself at the start of a connection, or when a connection changes hands. They
 * are read here and never reach a client.
 */
import { decodeFrame, ReplyError } from '../resp/decoder.js';
import { ERROR_TYPE, ReplyFramer } from '../resp/reply-framer.js';
import type { ReplyReceiver } from './receiver.js';

/** The upstream wants a password (NOAUTH): for a client that has yet to give one this is how it should be. */
export class StrangerRefused extends Error {}

/** The upstream refused the credentials. Trying again will not help. */
export class CredentialsRefused extends Error {}

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

function judge(message: string): Error | null {
  const text = `the upstream refused the connection: ${message}`;
  if (message.startsWith('NOAUTH')) return new StrangerRefused(text);
  if (message.startsWith('WRONGPASS') || message.startsWith('ERR AUTH'))
    return new CredentialsRefused(text);
  // A name is a courtesy; an upstream that knows no CLIENT SETNAME, or forbids it, is still served.
  if (/'client\b|setinfo|setname/i.test(message)) return null;
  return new Error(text);
}
