/**
 * Who was meant by a request. A web page from elsewhere can give its own name the address 127.0.0.1 and then read, as its
 * own origin, what a server on the visitor's machine says (DNS rebinding); but it cannot change the Host header, which
 * still carries that name. So a server on loopback answers only to addresses and to `localhost`.
 */

/** Whether a server that listens on `listenHost` may answer a request with this Host header. */
export function isMeantForUs(listenHost: string, header: string | undefined): boolean {
  if (!isLoopback(listenHost) || header === undefined) return true;
  const host = header.replace(/:\d*$/, '').toLowerCase();
  return /^\[[0-9a-f:.%]+\]$/.test(host) || /^\d+(\.\d+){3}$/.test(host) || isLocalName(host);
}

function isLoopback(host: string): boolean {
  return host === '::1' || /^127(\.\d{1,3}){3}$/.test(host) || isLocalName(host.toLowerCase());
}

/** RFC 6761: nobody can give these another address. */
function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}
