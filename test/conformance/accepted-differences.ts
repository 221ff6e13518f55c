/**
 * The differences between Respool and Redis that are meant to be, one by one, each with its reason.
 * The conformance tests fail on every other one; docs/compatibility.md prints this table.
 */
import type { Difference } from './report.js';

/** One difference that users may see. */
export interface AcceptedDifference {
  readonly what: string;
  readonly redis: string;
  readonly respool: string;
  readonly reason: string;
  readonly covers: (difference: Difference) => boolean;
}

export const ACCEPTED_DIFFERENCES: readonly AcceptedDifference[] = [
  {
    what: '`CLIENT LIST`',
    redis: 'lists one connection per client',
    respool:
      'lists the upstream’s connections: shared lanes (named `respool`), the probe, and pinned connections of clients',
    reason: 'the upstream answers, and it does not know who is behind a lane',
    covers: ({ command, direct, through }) =>
      command === 'client|list' && [direct, through].every((reply) => reply.includes(' addr=')),
  },
  {
    what: 'a connection that the upstream closes by itself, or at `ACL DELUSER`',
    redis: 'closes the client’s socket',
    respool:
      'loses the upstream connection and dials again; the client keeps its socket, a transaction is aborted, and what a deleted user asks for is refused',
    reason:
      'a lost connection is what the sidecar exists to hide, and the reason of the loss is not told',
    covers: ({ mode, direct, through }) =>
      mode.startsWith('a user who is deleted') && direct === ' [closed]' && through === ' [silent]',
  },
  {
    what: '`CLIENT KILL` by user, type or address',
    redis: 'counts and closes clients',
    respool:
      'counts and closes the upstream’s connections: those that are one client’s own with the client, shared ones without',
    reason: 'the upstream answers, and it does not know who is behind a lane',
    covers: ({ command, direct, through }) =>
      command === 'client|kill' && [direct, through].every((reply) => /":\d+/.test(reply)),
  },
  {
    what: '`CLIENT TRACKING ON` again after `RESET`',
    redis: 'still invalidates keys that were read before `RESET`',
    respool: 'does not: they were read on another upstream connection',
    reason: 'a client that says `RESET` has forgotten them, too',
    covers: ({ mode }) => mode.startsWith('RESET while tracking'),
  },
  {
    what: '`CLIENT REPLY SKIP`, then an empty line or `*0`',
    redis: 'lets the empty line use up the skip: the next command is answered',
    respool: 'skips the next command’s reply',
    reason: 'an empty line is nothing and is not passed on; no client library sends one',
    covers: ({ mode }) => mode.startsWith('CLIENT REPLY SKIP and an empty line'),
  },
  {
    what: '`CLIENT REPLY OFF` inside `MULTI`',
    redis: 'sends the head of EXEC’s array without its elements, which no client can read',
    respool: 'waits for the elements, so that later replies are taken for them',
    reason: 'the end of a broken frame cannot be known',
    covers: ({ mode }) => mode.startsWith('CLIENT REPLY OFF in a transaction'),
  },
  {
    what: '`DEBUG PROTOCOL push` inside `MULTI`, in RESP3',
    redis: 'sends a push and a reply for one element of EXEC’s array',
    respool: 'takes the push for the element, so that later replies are off by one',
    reason: 'where such a frame ends cannot be known; no other command does that',
    covers: ({ mode }) => mode.startsWith('DEBUG PROTOCOL push in a transaction'),
  },
  {
    what: '`INFO` without a section, `INFO default`, `all` and `everything`',
    redis: 'ends with the keyspace or the modules',
    respool: 'has a section `# Respool` behind that; `INFO respool` is that section alone',
    reason:
      'tools that read INFO see the breaker and the journal; the upstream’s text stands before it, byte for byte',
    covers: ({ command, direct, through }) =>
      command === 'info' && RESPOOL_SECTION.test(through) && !RESPOOL_SECTION.test(direct),
  },
  {
    what: '`EVALSHA` of a script that Redis has forgotten and the sidecar has not',
    redis: '`NOSCRIPT`',
    respool: 'runs it',
    reason: 'that is what it is for; `--scripts pass` leaves it to Redis',
    covers: ({ command, direct, through }) =>
      SCRIPT_CALL.test(command) && IS_NO_SCRIPT.test(direct) && !through.includes('NOSCRIPT'),
  },
  {
    what: '`EVALSHA` inside `MULTI` of a script that nobody knows',
    redis: 'queues it, and its error is one among the replies to EXEC',
    respool: 'refuses it as it is queued, with the same error, and EXEC aborts',
    reason: 'half of a transaction is what nobody wants; `--scripts pass` leaves it to Redis',
    covers: ({ command, mode, direct, through }) =>
      SCRIPT_CALL.test(command) &&
      mode.startsWith('transaction') &&
      direct.includes('QUEUED') &&
      through.includes('"-NOSCRIPT') &&
      through.includes('"-EXECABORT'),
  },
  {
    what: '`SCRIPT EXISTS`',
    redis: '1 for what is in its cache at this moment',
    respool:
      '1 for what it can make work at any moment: scripts whose source it holds; after a `SCRIPT FLUSH` that went through it, what Redis says',
    reason: 'clients hand over the source after a 0, and rely on a 1',
    covers: ({ command, direct, through }) =>
      command === 'script|exists' && withoutDigits(direct) === withoutDigits(through),
  },
];

const SCRIPT_CALL = /^evalsha(_ro)?$/;
const IS_NO_SCRIPT = /^"-NOSCRIPT No matching script/;

/** An array of 0 and 1, without telling which. */
function withoutDigits(reply: string): string {
  return reply.replaceAll(/:[01]\\r/g, ':?\\r');
}

/** The last line of the section, at the end of a reply that is a text. */
const RESPOOL_SECTION = /^"[$=]\d+\\r\\n.*clients_pinned:\d+\\r\\n\\r\\n"$/;

/** The differences that nobody has accepted. */
export function unexpected(differences: readonly Difference[]): Difference[] {
  return differences.filter(
    (difference) => !ACCEPTED_DIFFERENCES.some(({ covers }) => covers(difference)),
  );
}
