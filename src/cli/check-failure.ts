/** What to do about an upstream that cannot be reached, judged by the words of the error. */
import { finding, type Finding } from './finding.js';

/** Why nobody could be reached, from the words of the error. */
export function judgeFailure(cause: string): Finding {
  const advice = FAILURES.find(([pattern]) => pattern.test(cause))?.[1] ?? null;
  const sentence = /[.?!]$/.test(cause) ? cause : `${cause}.`;
  return finding('error', 'unreachable', `The upstream cannot be used: ${sentence}`, advice);
}

const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'Start it, or correct host and port of upstream.'],
  [/ENOTFOUND|EAI_AGAIN/, 'Correct the host of upstream; nothing is known by that name here.'],
  [/ENOENT/, 'Start it, or correct the path of upstream; there is no such socket.'],
  [/EACCES|EPERM/, 'Let this user open the socket of upstream (unixsocketperm).'],
  [/WRONGPASS|ERR AUTH|invalid password/, 'Correct user and password of upstream.'],
  [/wrong version number|packet length|EPROTO/, 'It speaks no TLS: say redis://.'],
  [
    /closed the connection|ECONNRESET/,
    'It hangs up on whoever it does not understand: if it speaks TLS, say rediss://.',
  ],
  [
    /certificate|self.signed|altname/i,
    'Look at upstream-tls-ca, upstream-tls-cert and upstream-tls-servername.',
  ],
  [/max number of clients/, 'Raise its maxclients.'],
  [
    /DENIED|protected mode/,
    'It lets nobody in from other machines: give it a password, or bind it.',
  ],
  [
    /timed? ?out|did not|within \d+ ms/i,
    'Is it frozen, busy, or behind a firewall? Does it speak TLS, if it is asked to? Else raise upstream-timeout.',
  ],
];
