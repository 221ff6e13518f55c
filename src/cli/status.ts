/**
 * `respool status`: asks a running sidecar's admin server what it is doing and prints it for people. It needs only the
 * admin address, so it works when the rest of the configuration is not at hand.
 */
import { formatAddress, type TcpAddress } from '../config/addresses.js';
import { fetchStatus } from './fetch-status.js';
import type { CliHost } from './host.js';
import { formatStatus } from './status-text.js';
import { watchStatus, type WatchHost } from './watch.js';

/** The part of the process that this command needs. */
type StatusHost = WatchHost & Pick<CliHost, 'stderr'>;

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

async function printStatus(host: StatusHost, admin: TcpAddress): Promise<number> {
  const status = await fetchStatus(admin);
  if (status instanceof Error) {
    const whom = formatAddress(admin);
    host.stderr.write(
      `respool: no status from ${whom}: ${status.message}\n  Is a sidecar running, and is ${whom} its --admin address?\n`,
    );
    return 1;
  }
  host.stdout.write(formatStatus(status));
  return 0;
}
