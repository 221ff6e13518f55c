/**
 * Certificates and keys from files: read when the configuration is resolved, and those of the listener again on SIGHUP.
 * What is wrong with them is said then, and not at the first handshake.
 */
import { createSecureContext } from 'node:tls';
import type { OptionName } from './options.js';

/** TLS towards the clients, in PEM. */
export interface ListenerTls {
  readonly cert: Buffer;
  /** Secret: never print it. */
  readonly key: Buffer;
  /** Clients must show a certificate of these; null: they need none. */
  readonly ca: Buffer | null;
}

/** Where the listener's TLS is read from, as the options say; null: not given. */
export interface ListenerTlsPaths {
  readonly cert: string | null;
  readonly key: string | null;
  readonly ca: string | null;
}

/** Returns the whole text of a file, or throws an Error whose message says why it cannot. */
export type ReadFile = (path: string) => string;

const MAX_PEM_CHARACTERS = 1_000_000;

/** The file of option `name`; null without one, and when it is not PEM, which is added to `problems`. */
export function readPem(
  name: OptionName,
  path: string | null,
  readFile: ReadFile,
  problems: string[],
): Buffer | null {
  if (path === null) return null;
  try {
    const content = readFile(path);
    if (content.length <= MAX_PEM_CHARACTERS && content.includes('-----BEGIN '))
      return Buffer.from(content);
    problems.push(`${name}: the file is not PEM; allowed: a file with "-----BEGIN …" blocks`);
  } catch (error) {
    problems.push(`${name}: ${JSON.stringify(path)} cannot be read: ${(error as Error).message}`);
  }
  return null;
}

/** The listener's certificates; null without any, and when they cannot be used, which is added to `problems`. */
export function readListenerTls(
  paths: ListenerTlsPaths,
  readFile: ReadFile,
  problems: string[],
): ListenerTls | null {
  const before = problems.length;
  const cert = readPem('tls-cert', paths.cert, readFile, problems);
  const key = readPem('tls-key', paths.key, readFile, problems);
  const ca = readPem('tls-ca', paths.ca, readFile, problems);
  // One without the other is a problem that is found among the options.
  if (problems.length > before || cert === null || key === null) return null;
  try {
    createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) });
  } catch (error) {
    problems.push(`tls-cert, tls-key${ca === null ? '' : ', tls-ca'}: ${explain(error as Error)}`);
    return null;
  }
  return { cert, key, ca };
}

/** OpenSSL's words, and what they mean for people. */
function explain({ message }: Error): string {
  const reason = message.replace(/^error:[0-9A-F]+:/i, '');
  if (/values mismatch/i.test(message)) return 'the key is not that of the certificate';
  if (/bad decrypt|password|interrupted|cancelled/i.test(message))
    return `the key is encrypted; allowed: a key without a passphrase (${reason})`;
  return `cannot be used: ${reason}`;
}
