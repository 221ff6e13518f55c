/**
 * Decodes a frame whose values the sidecar itself needs: the arguments of a command that changes the session, the reply
 * to a command of its own. Off the hot path, and only ever given complete frames that the framer has already limited:
 * redis-parser must not face clients (a header alone makes it allocate, an inline command kills it).
 */
import RedisParser from 'redis-parser';
import { ReplyProtocolError } from './reply-framer.js';

/** The arguments of one complete request frame (an array of bulk strings), the command's name first. */
export function decodeArguments(frame: Buffer): Buffer[] {
  const decoded = decodeFrame(frame);
  if (!Array.isArray(decoded)) throw new Error('a request frame is an array of bulk strings');
  return decoded as Buffer[];
}

/** Error replies are values here, not exceptions. */
export class ReplyError {
  constructor(readonly message: string) {}
}

/**
 * The value of one complete RESP2 frame: Buffer, number, null, ReplyError or an array of these. Throws
 * ReplyProtocolError when it is none.
 */
export function decodeFrame(frame: Buffer): unknown {
  let value: unknown;
  let replies = 0;
  const take = (reply: unknown): void => {
    value = reply;
    replies += 1;
  };
  const parser = new RedisParser({
    returnBuffers: true,
    returnReply: take,
    returnError: (error: Error) => take(new ReplyError(error.message)),
    returnFatalError: (error: Error) => {
      throw new ReplyProtocolError(error.message);
    },
  });
  parser.execute(frame);
  if (replies !== 1) throw new ReplyProtocolError(`expected one complete frame, found ${replies}`);
  return value;
}
