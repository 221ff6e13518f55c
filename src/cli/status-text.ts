/** What a sidecar says of itself, as lines of plain text for `respool status`. */
import { formatBytes, formatCount, formatSeconds, plural, printable } from '../base/figures.js';
import { situationOf } from '../proxy/situation.js';
import type { SidecarStatus } from '../proxy/status.js';
import { alignColumns } from './columns.js';

/** A few lines for people: what is going on, what to do about it, and what is behind it. */
export function formatStatus(status: SidecarStatus): string {
  const { version, uptimeSeconds, condition } = status;
  const said = [situationOf(status).sentence, ...adviceLines(status)];
  const first = ['respool', `${version}, ${condition}, up ${formatSeconds(uptimeSeconds)}`];
  return `${said.join('\n')}\n${alignColumns([first, ...statusRows(status)])}`;
}

/** What there is to be done, indented: a line for each. */
export function adviceLines(status: SidecarStatus): readonly string[] {
  return situationOf(status).advice.map(({ text, command }) =>
    command === null ? `  ${text}` : `  ${text} ${command}`,
  );
}

/** What is behind the condition: a name and a fact each. */
export function statusRows(status: SidecarStatus): readonly (readonly [string, string])[] {
  const { upstream, clients } = status;
  const connected = upstream.connected ? 'connected' : 'not connected';
  return [
    ['upstream', `${upstream.url}, ${connected}, ${plural(upstream.lanes, 'lane')}`],
    ['breaker', breakerSentence(status)],
    ['journal', journalSentence(status)],
    ['replay', replaySentence(status)],
    ['clients', `${clients.connected} connected, ${clients.pinned} pinned`],
  ];
}

function breakerSentence({ breaker }: SidecarStatus): string {
  const { state, openedSecondsAgo, nextProbeInSeconds, forced, consecutiveFailures, lastCause } =
    breaker;
  const parts: string[] = [state];
  if (openedSecondsAgo !== null) parts.push(`left closed ${formatSeconds(openedSecondsAgo)} ago`);
  if (state === 'half-open') parts.push('a probe is out');
  else if (nextProbeInSeconds !== null) parts.push(`next probe in ${nextProbeInSeconds} s`);
  if (forced !== null) parts.push('held by an operator');
  if (consecutiveFailures > 0) parts.push(plural(consecutiveFailures, 'failure'));
  if (lastCause !== null) parts.push(`last cause: ${printable(lastCause)}`);
  return parts.join(', ');
}

function journalSentence({ journal }: SidecarStatus): string {
  const { records, bytes, maxBytes, oldestSeconds, deadLetters, durable } = journal;
  if (maxBytes === 0) return 'none';
  const parts = [records === 0 ? 'empty' : `${plural(records, 'record')} waiting`];
  if (records > 0) parts.push(`${formatBytes(bytes)} of ${formatBytes(maxBytes)}`);
  if (oldestSeconds !== null) parts.push(`the oldest ${formatSeconds(oldestSeconds)} old`);
  if (deadLetters > 0) parts.push(plural(deadLetters, 'dead letter'));
  parts.push(durable ? 'on disk' : 'in memory, lost on exit');
  return parts.join(', ');
}

function replaySentence({ replay }: SidecarStatus): string {
  const { active, paused, replayed, remaining } = replay;
  const state = active ? 'running' : 'idle';
  const parts = [paused ? 'paused by an operator' : state];
  if (remaining > 0) parts.push(`${formatCount(remaining)} to go`);
  parts.push(`${formatCount(replayed)} replayed since the start`);
  return parts.join(', ');
}
