/**
 * Throw-away certificates for TLS tests, made by openssl: one authority, one server certificate
 * for 127.0.0.1 and `localhost`, one client certificate.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child-process.js';

export interface Certificates {
  readonly caFile: string;
  readonly serverCertFile: string;
  readonly serverKeyFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
}

/** Writes a fresh set into `directory` (valid for two days). */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const caFile = join(directory, 'ca.crt');
  const caKeyFile = join(directory, 'ca.key');
  await openssl(
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ['-keyout', caKeyFile, '-out', caFile, '-days', '2', '-subj', '/CN=respool test authority'],
  );
  const issue = async (name: string): Promise<{ certFile: string; keyFile: string }> => {
    const [certFile, keyFile] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
    const [requestFile, extensionFile] = [join(directory, `${name}.csr`), join(directory, 'ext')];
    writeFileSync(extensionFile, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    await openssl(
      ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ['-keyout', keyFile, '-out', requestFile, '-subj', `/CN=${name}`],
    );
    await openssl(
      ['x509', '-req', '-in', requestFile, '-CA', caFile, '-CAkey', caKeyFile],
      ['-CAcreateserial', '-days', '2', '-extfile', extensionFile, '-out', certFile],
    );
    return { certFile, keyFile };
  };
  const server = await issue('server');
  const client = await issue('client');
  return {
    caFile,
    serverCertFile: server.certFile,
    serverKeyFile: server.keyFile,
    clientCertFile: client.certFile,
    clientKeyFile: client.keyFile,
  };
}

async function openssl(...args: string[][]): Promise<void> {
  const { code, stderr } = await run('openssl', args.flat());
  assert.equal(code, 0, `openssl ${args.flat().join(' ')}: ${stderr}`);
}
