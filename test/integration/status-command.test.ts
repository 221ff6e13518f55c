import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '../../src/cli/status.js';
import { createAdminServer } from '../../src/metrics/admin-server.js';
import { STATUS_IN_OUTAGE } from '../helpers/sample-status.js';
import { freePorts } from '../helpers/ports.js';

/** What `status` printed, and a way to stop it as Ctrl-C does. */
class Terminal {
  out = '';
  err = '';
  refreshes = 0;
  stop: (signal: string) => void = () => {};
  readonly stdout = { isTTY: false, write: (text: string) => void (this.out += text) };
  readonly stderr = { isTTY: false, write: (text: string) => void (this.err += text) };
  readonly onStopSignal = (handler: (signal: string) => void): void => void (this.stop = handler);
  /** A second passes at once; the third one is interrupted. */
  readonly sleep = (): Promise<void> => {
    this.refreshes += 1;
    if (this.refreshes === 3) this.stop('SIGINT');
    return Promise.resolve();
  };
}

test('status asks the admin server and prints what it says, once or again and again', async (t) => {
  let asked = 0;
  const server = createAdminServer({
    address: { host: '127.0.0.1', port: 0 },
    isReady: () => true,
    status: () => ({
      ...STATUS_IN_OUTAGE,
      uptimeSeconds: (asked += 1),
    }),
    metrics: { contentType: 'x', exposition: () => Promise.resolve('') },
  });
  await server.start();
  t.after(() => server.stop());
  const { port } = server.address();

  // A server that listens on all addresses is asked on this machine's own.
  const once = new Terminal();
  assert.equal(await status(once, { kind: 'tcp', host: '0.0.0.0', port }, false), 0);
  assert.match(
    once.out,
    /^respool +1\.2\.3, outage, up 1s\nupstream +redis:\/\/:\*\*\*@h:6379, not connected/,
  );

  const watching = new Terminal();
  assert.equal(await status(watching, { kind: 'tcp', host: '127.0.0.1', port }, true), 0);
  assert.deepEqual(watching.out.match(/up \d+s/g), ['up 2s', 'up 3s', 'up 4s']);
});

test('status of a sidecar that is not there is one line and exit code 1', async () => {
  const [port] = await freePorts(1);
  const terminal = new Terminal();
  assert.equal(await status(terminal, { kind: 'tcp', host: '127.0.0.1', port: port! }, false), 1);
  assert.match(
    terminal.err,
    /^respool: no status from 127\.0\.0\.1:\d+: connect ECONNREFUSED .*\n$/,
  );
  assert.equal(terminal.out, '');
});
