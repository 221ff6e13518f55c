import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createAdminServer, type AdminServerOptions } from '../../src/metrics/admin-server.js';
import { systemClock } from '../../src/base/clock.js';
import { StatusPage } from '../../src/metrics/status-page.js';
import { STATUS_HEALTHY } from '../helpers/sample-status.js';

function newPage(): StatusPage {
  const past = { points: [], conditions: STATUS_HEALTHY.conditions };
  return new StatusPage({ clock: systemClock, status: () => STATUS_HEALTHY, past: () => past });
}

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
    status: () => STATUS_HEALTHY,
    metrics: { contentType: 'text/x-metrics', exposition: () => Promise.resolve('a 1\n') },
    page: newPage(),
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
  const { body } = await ask('/status');
  assert.deepEqual(JSON.parse(body), STATUS_HEALTHY);
  assert.equal(body.match(/"condition": /g)?.length, 1, 'scripts look for it with grep');
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

test('the page comes with a policy, and its events as a stream that ends with the server', async (t) => {
  const { ask, port } = await startAdmin(t);
  const { headers, body } = await ask('/');
  assert.match(
    String(headers['content-security-policy']),
    /^default-src 'none'; script-src 'sha256-/,
  );
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(body, /<h1>All well<\/h1>/);

  const stream = get({ host: '127.0.0.1', port, path: '/events', agent: false });
  const [response] = (await once(stream, 'response')) as [IncomingMessage];
  assert.equal(response.headers['content-type'], 'text/event-stream');
  const [first] = (await once(response, 'data')) as [Buffer];
  assert.match(
    first.toString(),
    /^retry: \d+\n\nevent: now\ndata: \{.*\}\n\nevent: hour\ndata: ".*"\n\n$/,
  );
  response.on('error', () => undefined);
  stream.destroy();
});

test('I6: too many streams are told so, and everybody else is served', async (t) => {
  const { ask, port } = await startAdmin(t);
  const open = async (): Promise<number> => {
    const stream = get({ host: '127.0.0.1', port, path: '/events', agent: false });
    t.after(() => stream.destroy());
    stream.on('error', () => undefined);
    const [response] = (await once(stream, 'response')) as [IncomingMessage];
    response.on('error', () => undefined).resume();
    return response.statusCode ?? 0;
  };
  const codes = await Promise.all(Array.from({ length: 20 }, open));
  assert.equal(codes.filter((code) => code === 200).length, 16);
  assert.equal(codes.filter((code) => code === 503).length, 4);
  assert.deepEqual([(await ask('/livez')).code, (await ask('/')).code], [200, 200]);
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
    message:
      `cannot listen on 127.0.0.1:${port} (option admin): another program already does. ` +
      'Stop it, or choose another address with --admin.',
  });
});
