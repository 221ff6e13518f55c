/** The error replies that are the sidecar's own. The first word is stable; the rest tells a person what happened. */
import { encodeCommand, encodeError } from '../resp/encoder.js';
import { UpstreamBusy } from '../upstream/greeting.js';

/** Nothing was run, and it will not be. */
export function unavailable(cause: Error): Buffer {
  if (cause instanceof UpstreamBusy) return encodeError(cause.said);
  return encodeError(
    `UNAVAILABLE the upstream is away (${cause.message}); nothing was run, try again later`,
  );
}

/** The same with a reason in one clause of its own; nothing was run either. */
export function unavailableBecause(reason: string): Buffer {
  return encodeError(`UNAVAILABLE ${reason}; nothing was run`);
}

/** It was sent and the connection was lost before the reply came: it may have run (I5). */
export function unknownOutcome(cause: Error): Buffer {
  return encodeError(
    `UNKNOWNOUTCOME the command was sent but its reply was lost (${cause.message}); it may have run`,
  );
}

/** It may have run when it was said for the first time, and the second time nothing was. */
export const MAY_HAVE_RUN = unknownOutcome(new Error('and it could not be said again'));

const NOTHING_RAN = '-UNAVAILABLE';

/** Whether the reply that begins at `start` is ours and says that nothing was run. */
export function saysNothingRan(chunk: Buffer, start: number, end: number): boolean {
  const length = Math.min(end - start, NOTHING_RAN.length);
  return chunk.toString('latin1', start, start + length) === NOTHING_RAN;
}

/** What RESPOOL does is done with the sidecar's own rights. */
export const NOT_PERMITTED = encodeError(
  "NOPERM this needs the sidecar's own user; RESPOOL STATUS and RESPOOL HELP are for everybody",
);

/** A command that a server answers with `error`: where nobody else can say it in its turn. */
export function sayingError(error: Buffer): Buffer {
  return encodeCommand(['EVAL', 'return redis.error_reply(ARGV[1])', 0, error.subarray(1, -2)]);
}

// The texts below are Redis' own.
export const NOAUTH = encodeError('NOAUTH Authentication required.');
export const NOAUTH_HELLO = encodeError(
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> ' +
    'option can be used to authenticate the client and select the RESP protocol version at the same time',
);
export const NOPROTO = encodeError('NOPROTO unsupported protocol version');
export const NOT_A_VERSION = encodeError('ERR Protocol version is not an integer or out of range');
export const NOAUTH_EXEC = encodeError(
  'EXECABORT Transaction discarded because of: NOAUTH Authentication required.',
);
export const WRONGPASS = encodeError(
  'WRONGPASS invalid username-password pair or user is disabled.',
);
export const EXEC_ABORTED = encodeError(
  'EXECABORT Transaction discarded because of previous errors.',
);
export const MAX_CLIENTS = encodeError('ERR max number of clients reached');

export function protocolError(text: string): Buffer {
  return encodeError(`ERR Protocol error: ${text}`);
}
