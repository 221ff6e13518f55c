/**
 * `respool status`: asks a running sidecar's admin server what it is doing and prints it for people. It needs only the
 * admin address, so it works when the rest of the configuration is not at hand.
 */
import type { TcpAddress } from '../config/addresses.js';
import { formatAddress } from '../config/addresses.js';
import type { SidecarStatus } from '../proxy/status.js';
import { alignColumns } from './columns.js';
import { fetchText } from './fetch-text.js';
import type { CliHost } from './host.js';

/** The part of the process that this command needs. */
type StatusHost = Pick<CliHost, 'stdout' | 'stderr' | 'sleep' | 'onStopSignal'>;

const REFRESH_MS = 1000;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

/** Exits 0 when the sidecar answered, 1 when not; with `watch` it goes on until it is asked to stop. */
export async function status(
  host: StatusHost,
  admin: TcpAddress | null,
  watch: boolean,
): Promise<number> {
  if (admin === null) {
    host.stderr.write(
      'respool: admin is off; give the address of the sidecar with --admin host:port\n',
    );
    return 1;
  }
  return watch ? watchStatus(host, admin) : printStatus(host, admin);
}

async function watchStatus(host: StatusHost, admin: TcpAddress): Promise<number> {
  let exitCode: number | null = null;
  let wake = (): void => {};
  const stopped = new Promise<void>((resolve) => (wake = resolve));
  host.onStopSignal(() => {
    exitCode = 0;
    wake();
  });
  while (exitCode === null) {
    if (host.stdout.isTTY) host.stdout.write(CLEAR_SCREEN);
    await Promise.race([printStatus(host, admin), stopped]);
    await Promise.race([host.sleep(REFRESH_MS), stopped]);
  }
  return exitCode;
}

async function printStatus(host: StatusHost, admin: TcpAddress): Promise<number> {
  try {
    const status = JSON.parse(await fetchText(reachable(admin), '/status')) as SidecarStatus;
    host.stdout.write(formatStatus(status));
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    host.stderr.write(`respool: no status from ${formatAddress(admin)}: ${reason}\n`);
    return 1;
  }
}

/** An address that a server listens on may mean "all of this machine's"; one to connect to may not. */
function reachable(admin: TcpAddress): TcpAddress {
  if (admin.host === '0.0.0.0') return { ...admin, host: '127.0.0.1' };
  return admin.host === '::' ? { ...admin, host: '::1' } : admin;
}

/** A few lines for people. */
export function formatStatus(status: SidecarStatus): string {
  const { version, uptimeSeconds, condition, upstream, clients } = status;
  const connected = upstream.connected ? 'connected' : 'not connected';
  return alignColumns([
    ['respool', `${version}, ${condition}, up ${formatSeconds(uptimeSeconds)}`],
    ['upstream', `${upstream.url}, ${connected}, ${plural(upstream.lanes, 'lane')}`],
    ['breaker', breakerSentence(status)],
    ['journal', journalSentence(status)],
    ['replay', replaySentence(status)],
    ['clients', `${clients.connected} connected, ${clients.pinned} pinned`],
  ]);
}

function breakerSentence({ breaker }: SidecarStatus): string {
  const { state, openedSecondsAgo, nextProbeInSeconds, forced, consecutiveFailures, lastCause } =
    breaker;
  const parts: string[] = [state];
  if (openedSecondsAgo !== null) parts.push(`left closed ${formatSeconds(openedSecondsAgo)} ago`);
  if (state === 'half-open') parts.push('a probe is out');
  else if (nextProbeInSeconds !== null) parts.push(`next probe in ${nextProbeInSeconds}s`);
  if (forced !== null) parts.push('held by an operator');
  if (consecutiveFailures > 0) parts.push(plural(consecutiveFailures, 'failure'));
  if (lastCause !== null) parts.push(`last cause: ${lastCause}`);
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
  if (remaining > 0) parts.push(`${remaining} to go`);
  parts.push(`${replayed} replayed since the start`);
  return parts.join(', ');
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

/** `512 B`, `3.4 kB`, `256.0 MB`: in steps of 1024, as the options count. */
function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** step).toFixed(1)} ${units[step - 1]}`;
}

/** `42s`, `3m 5s`, `2h 0m`, `12d 4h`: two units, the large ones. */
function formatSeconds(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`;
}
