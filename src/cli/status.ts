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
export function formatStatus({
  version,
  uptimeSeconds,
  condition,
  upstream,
  clients,
}: SidecarStatus): string {
  const connected = upstream.connected ? 'connected' : 'not connected';
  return alignColumns([
    ['respool', `${version}, ${condition}, up ${formatSeconds(uptimeSeconds)}`],
    ['upstream', `${upstream.url}, ${connected}, ${plural(upstream.lanes, 'lane')}`],
    ['clients', `${clients.connected} connected, ${clients.pinned} pinned`],
  ]);
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

/** `42s`, `3m 5s`, `2h 0m`, `12d 4h`: two units, the large ones. */
function formatSeconds(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`;
}
