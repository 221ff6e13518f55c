import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createAdminServer, type AdminServerOptions } from '../../src/metrics/admin-server.js';
import { NEVER_AWAY, type SidecarStatus } from '../../src/proxy/status.js';

const STATUS: SidecarStatus = {
  version: '1.2.3',
  uptimeSeconds: 1,
  condition: 'healthy',
  upstream: { url: 'embedded:', connected: true, lanes: 1 },
  ...NEVER_AWAY,
  clients: { connected: 0, pinned: 0 },
};

interface Answer {
  code: number;
  headers: Record<string, unknown>;
  body: string;
}

type Ask = (path: string, method?: string, body?: string) => Promise<Answer>;

/** Starts an admin server for `t` on a free port; returns how to ask it, and the port. */
async function startAdmin(
  t: TestContext,
  options: Partial<AdminServerOptions> = {},
): Promise<{ ask: Ask; port: number }> {
  const server = createAdminServer({
    address: { host: '127.0.0.1', port: 0 },
    isReady: () => true,
    status: () => STATUS,
    metrics: { contentType: 'text/x-metrics', exposition: () => Promise.resolve('a 1\n') },
    ...options,
  });
  await server.start();
  t.after(() => server.stop());
  const { port } = server.address();
  const ask: Ask = (path, method = 'GET', body) =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return { ask, port };
}

test('each page answers with its type', async (t) => {
  const { ask } = await startAdmin(t);
  const type = async (path: string): Promise<unknown> => {
    const { code, headers } = await ask(path);
    return [code, headers['content-type'], headers['cache-control']];
  };
  assert.deepEqual(await type('/'), [200, 'text/html; charset=utf-8', 'no-store']);
  assert.deepEqual(await type('/livez'), [200, 'text/plain; charset=utf-8', 'no-store']);
  assert.deepEqual(await type('/readyz?x'), [200, 'text/plain; charset=utf-8', 'no-store']);
  assert.deepEqual(await type('/metrics'), [200, 'text/x-metrics', 'no-store']);
  assert.deepEqual(await type('/status'), [200, 'application/json', 'no-store']);
  assert.deepEqual(JSON.parse((await ask('/status')).body), STATUS);
  assert.equal((await ask('/metrics')).body, 'a 1\n');
});

test('readiness follows the sidecar while liveness does not', async (t) => {
  let ready = false;
  const { ask } = await startAdmin(t, { isReady: () => ready });
  assert.deepEqual([(await ask('/readyz')).code, (await ask('/livez')).code], [503, 200]);
  ready = true;
  assert.equal((await ask('/readyz')).code, 200);
});

test('HEAD answers without a body, other methods and pages not at all', async (t) => {
  const { ask } = await startAdmin(t);
  const head = await ask('/livez', 'HEAD');
  assert.deepEqual([head.code, head.body, head.headers['content-length']], [200, '', '6']);
  const post = await ask('/livez', 'POST', 'x'.repeat(100_000));
  assert.deepEqual([post.code, post.headers['allow']], [405, 'GET, HEAD']);
  for (const path of ['/nowhere', '/livez/', '//livez', '/%6civez']) {
    assert.equal((await ask(path)).code, 404, path);
  }
});

test('a page that fails is a 500 and the server goes on', async (t) => {
  const fail = (): never => {
    throw new Error('no status');
  };
  const exposition = (): Promise<string> => Promise.reject(new Error('no metrics'));
  const { ask } = await startAdmin(t, { status: fail, metrics: { contentType: 'x', exposition } });
  const { code, body } = await ask('/status');
  assert.deepEqual([code, body], [500, 'no status\n']);
  assert.equal((await ask('/metrics')).code, 500);
  assert.equal((await ask('/livez')).code, 200);
});

test('I6: connections beyond the limit and headers that are too long are turned away', async (t) => {
  const { ask, port } = await startAdmin(t);
  const idle = Array.from({ length: 64 }, () => connect(port, '127.0.0.1'));
  t.after(() => idle.forEach((socket) => socket.destroy()));
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  await assert.rejects(ask('/livez'));
  const [first] = idle;
  first!.write(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`);
  const [answer] = (await once(first!, 'data')) as [Buffer];
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 431 /);
});

test('an address in use is said in one sentence', async (t) => {
  const { port } = await startAdmin(t);
  await assert.rejects(startAdmin(t, { address: { host: '127.0.0.1', port } }), {
    message: `cannot listen on 127.0.0.1:${port} (option admin): it is in use`,
  });
});
