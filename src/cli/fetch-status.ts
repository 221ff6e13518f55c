/** Asks a sidecar's admin server for its status. */
import type { TcpAddress } from '../config/addresses.js';
import type { SidecarStatus } from '../proxy/status.js';
import { fetchText } from './fetch-text.js';

/** Never rejects: an Error for people is a result. */
export async function fetchStatus(admin: TcpAddress): Promise<SidecarStatus | Error> {
  try {
    return JSON.parse(await fetchText(reachable(admin), '/status')) as SidecarStatus;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** An address that a server listens on may mean "all of this machine's"; one to connect to may not. */
function reachable(admin: TcpAddress): TcpAddress {
  if (admin.host === '0.0.0.0') return { ...admin, host: '127.0.0.1' };
  return admin.host === '::' ? { ...admin, host: '::1' } : admin;
}
