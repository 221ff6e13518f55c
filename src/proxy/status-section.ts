/**
 * The section `# Respool` of INFO, and which INFO commands have it. The upstream's reply is not decoded: the section is
 * put behind its text (`InfoReceiver`).
 */
import { situationOf } from './situation.js';
import type { SidecarStatus } from './status.js';

/** Names and values as INFO and RESPOOL STATUS show them; null is left out by INFO. */
export type StatusFields = ReadonlyMap<string, string | number | boolean | null>;

export function breakerFields({ breaker }: Pick<SidecarStatus, 'breaker'>): StatusFields {
  return new Map<string, string | number | boolean | null>([
    ['breaker_state', breaker.state],
    ['breaker_forced', breaker.forced],
    ['breaker_consecutive_failures', breaker.consecutiveFailures],
    ['breaker_opened_seconds_ago', breaker.openedSecondsAgo],
    ['breaker_next_probe_in_seconds', breaker.nextProbeInSeconds],
    ['breaker_last_cause', breaker.lastCause],
  ]);
}

export function journalFields({
  journal,
  replay,
}: Pick<SidecarStatus, 'journal' | 'replay'>): StatusFields {
  return new Map<string, string | number | boolean | null>([
    ['journal_records', journal.records],
    ['journal_bytes', journal.bytes],
    ['journal_max_bytes', journal.maxBytes],
    ['journal_oldest_seconds', journal.oldestSeconds],
    ['journal_dead_letters', journal.deadLetters],
    ['journal_durable', journal.durable],
    ['replay_active', replay.active],
    ['replay_paused', replay.paused],
    ['replay_replayed', replay.replayed],
    ['replay_remaining', replay.remaining],
  ]);
}

/** All of the status that fits on lines. */
export function statusFields(status: SidecarStatus): StatusFields {
  const { upstream, clients } = status;
  return new Map<string, string | number | boolean | null>([
    ['respool_version', status.version],
    ['uptime_in_seconds', Math.floor(status.uptimeSeconds)],
    ['condition', status.condition],
    ['summary', situationOf(status).sentence],
    ['upstream', upstream.url],
    ['upstream_connected', upstream.connected],
    ['upstream_lanes', upstream.lanes],
    ...breakerFields(status),
    ...journalFields(status),
    ['clients_connected', clients.connected],
    ['clients_pinned', clients.pinned],
  ]);
}

/** The section with its heading: lines as Redis writes them, without an empty line before or after. */
export function respoolSection(status: SidecarStatus): string {
  const lines = Array.from(statusFields(status)).flatMap(([name, value]) =>
    value === null ? [] : [`${name}:${onOneLine(value)}\r\n`],
  );
  return `# Respool\r\n${lines.join('')}`;
}

function onOneLine(value: string | number | boolean): string {
  return typeof value === 'string' ? value.replace(/[\r\n]+/g, ' ') : String(Number(value));
}

/** What INFO asks for. `local`: nothing but the section; `append`: the section behind what the upstream says. */
export type InfoRequest = 'local' | 'append' | 'upstream';

/** INFO's words for "more than one section". */
const COLLECTIONS: ReadonlySet<string> = new Set(['default', 'all', 'everything']);
const SECTION = 'respool';

/** `args`: the command's name first. Redis ignores names of sections that it does not know, ours among them. */
export function infoRequestOf(args: readonly Buffer[]): InfoRequest {
  const names = args.slice(1).map((name) => name.toString('latin1').toLowerCase());
  if (names.length > 0 && names.every((name) => name === SECTION)) return 'local';
  const wantsSection =
    names.length === 0 || names.some((name) => name === SECTION || COLLECTIONS.has(name));
  return wantsSection ? 'append' : 'upstream';
}
