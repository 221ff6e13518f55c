/**
 * The admin HTTP server: health for an orchestrator, metrics for Prometheus, status for people and scripts. It must stay
 * answerable when the upstream is not, so it asks nobody but this process; and it must not be a way to hurt the
 * process, so requests, connections and times are limited (I6).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SidecarStatus } from '../proxy/status.js';
import { isMeantForUs } from './host-header.js';
import type { Metrics } from './metrics.js';
import { DOCUMENT_HEADERS } from './page/document.js';
import type { StatusPage } from './status-page.js';

export interface AdminServerOptions {
  /** Port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** Whether clients are served: false while starting and draining. */
  readonly isReady: () => boolean;
  readonly status: () => SidecarStatus;
  readonly metrics: Metrics;
  readonly page: StatusPage;
}

export interface AdminServer {
  /** Starts listening. Rejects with an Error for people, e.g. when the address is in use. */
  start(): Promise<void>;
  /** Where it listens; only after `start`. */
  address(): { readonly host: string; readonly port: number };
  /** Closes the listener and every connection. */
  stop(): Promise<void>;
}

/** Enough for scrapers and probes, too few to starve the proxy of descriptors. */
const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 30_000;

export function createAdminServer(options: AdminServerOptions): AdminServer {
  const pages = createPages(options);
  const { events } = options.page;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: HEADERS_TIMEOUT_MS,
    },
    (request, response) => {
      if (!isMeantForUs(options.address.host, request.headers.host)) return misdirected(response);
      const isStream = request.method === 'GET' && pathOf(request) === EVENTS_PATH;
      // Too many look already: what is left is an ordinary page that says so.
      if (!isStream || !events.open(response)) void respond(request, response, pages);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  return {
    start: () => listen(server, options.address),
    address() {
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port };
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        events.close();
        server.closeAllConnections();
      }),
  };
}

interface Page {
  readonly code: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Pages = ReadonlyMap<string, () => Page | Promise<Page>>;

const TEXT = 'text/plain; charset=utf-8';
const EVENTS_PATH = '/events';

function createPages({ isReady, status, metrics, page }: AdminServerOptions): Pages {
  return new Map<string, () => Page | Promise<Page>>([
    [
      '/',
      () => ({
        code: 200,
        type: 'text/html; charset=utf-8',
        body: page.document(),
        headers: DOCUMENT_HEADERS,
      }),
    ],
    [EVENTS_PATH, () => ({ code: 503, type: TEXT, body: 'too many look at this already\n' })],
    ['/livez', () => ({ code: 200, type: TEXT, body: 'alive\n' })],
    [
      '/readyz',
      () =>
        isReady()
          ? { code: 200, type: TEXT, body: 'ready\n' }
          : { code: 503, type: TEXT, body: 'not ready\n' },
    ],
    [
      '/metrics',
      async () => ({ code: 200, type: metrics.contentType, body: await metrics.exposition() }),
    ],
    [
      '/status',
      () => ({
        code: 200,
        type: 'application/json',
        body: `${JSON.stringify(status(), null, 2)}\n`,
      }),
    ],
  ]);
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Pages,
): Promise<void> {
  const page = await choosePage(request, pages);
  if (page.code === 405) response.setHeader('allow', 'GET, HEAD');
  response.writeHead(page.code, {
    'content-type': page.type,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...page.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
  // A body is none of our business; without this it would be awaited until the request times out.
  request.resume();
}

function misdirected(response: ServerResponse): void {
  response.writeHead(421, { 'content-type': TEXT, connection: 'close' });
  response.end('ask for localhost, or by address: this server is for its own machine\n');
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?', 1)[0] ?? '';
}

async function choosePage(request: IncomingMessage, pages: Pages): Promise<Page> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { code: 405, type: TEXT, body: 'only GET and HEAD\n' };
  }
  const page = pages.get(pathOf(request));
  if (page === undefined) return { code: 404, type: TEXT, body: 'no such page\n' };
  try {
    return await page();
  } catch (error) {
    return {
      code: 500,
      type: TEXT,
      body: `${error instanceof Error ? error.message : 'failed'}\n`,
    };
  }
}

function listen(server: Server, { host, port }: AdminServerOptions['address']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason =
        cause.code === 'EADDRINUSE'
          ? 'another program already does. Stop it, or choose another address with --admin.'
          : cause.message;
      reject(new Error(`cannot listen on ${host}:${port} (option admin): ${reason}`, { cause }));
    });
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      // What a single connection does wrong must not end the process.
      server.on('error', () => {});
      resolve();
    });
  });
}
