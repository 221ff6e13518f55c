/**
 * One small HTTP GET, for the admin server of a sidecar. Bounded in time and size, because whatever listens on that
 * port may be something else.
 */
import { get } from 'node:http';

const TIMEOUT_MS = 3_000;
const MAX_BYTES = 1_000_000;

/** The body of a 200 answer. Rejects with an Error for people otherwise, and after three seconds without an answer. */
export function fetchText(
  { host, port }: { readonly host: string; readonly port: number },
  path: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const fail = (error: Error): void =>
      reject(
        signal.aborted ? new Error('no answer within three seconds', { cause: error }) : error,
      );
    const request = get({ host, port, path, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) request.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'));
        else reject(new Error(`HTTP ${response.statusCode}`));
      });
    });
    request.on('error', fail);
  });
}
