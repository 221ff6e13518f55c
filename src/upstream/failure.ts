/** Which losses of connections say that the upstream is failing, and how they are called. */
import { TimeoutError } from './deadline.js';
import { CredentialsRefused, GreetingRefused, UpstreamBusy } from './greeting.js';
import { Killed } from './kills.js';

/** The label `reason` of `respool_upstream_failures_total`. */
export const FAILURE_REASONS = [
  'refused',
  'reset',
  'timeout',
  'credentials',
  'closed',
  'other',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** A connection that is gone. */
export interface Loss {
  readonly cause: Error;
  readonly expectsClose: boolean;
  /** It had been usable. */
  readonly wasReady: boolean;
  /** Something was in flight on it. */
  readonly wasBusy: boolean;
  /** It was the sidecar's own, not that of a client with other credentials. */
  readonly isOwn: boolean;
}

/**
 * A connection that cannot be made is a failure, and so is one that is lost with something on it. One lost idle is not,
 * nor is a refusal that concerns a client's credentials or somebody's database, or is due to a script: the upstream lives,
 * and says what it thinks.
 */
export function isFailure({ cause, expectsClose, wasReady, wasBusy, isOwn }: Loss): boolean {
  if (expectsClose || cause instanceof UpstreamBusy || cause instanceof Killed) return false;
  if (cause instanceof GreetingRefused && !concernsServer(cause))
    return cause instanceof CredentialsRefused && isOwn && !wasReady;
  return !wasReady || wasBusy;
}

/** False: the upstream said why it will not have this one connection, and serves others. */
export function concernsServer(cause: Error): boolean {
  return !(cause instanceof GreetingRefused) || cause.concerns === 'server';
}

export function failureReason(cause: Error): FailureReason {
  if (cause instanceof TimeoutError) return 'timeout';
  if (cause instanceof CredentialsRefused) return 'credentials';
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return 'refused';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'timeout';
  return cause.message.includes('closed') ? 'closed' : 'other';
}
