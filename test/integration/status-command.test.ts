import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { status } from '../../src/cli/status.js';
import { createAdminServer } from '../../src/metrics/admin-server.js';
import { StatusPage } from '../../src/metrics/status-page.js';
import type { SidecarStatus } from '../../src/proxy/status.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { freePort } from '../helpers/ports.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

const NO_PAST = { points: [], conditions: [] };

/** What `status` printed; each second passes at once and tells its number to `onSecond`. */
class Console {
  out = '';
  err = '';
  env: Record<string, string> = {};
  seconds = 0;
  readonly clock = new FakeClock();
  readonly stdout = {
    isTTY: false,
    write: (text: string | Uint8Array) => void (this.out += String(text)),
  };
  readonly stderr = {
    isTTY: false,
    write: (text: string | Uint8Array) => void (this.err += String(text)),
  };
  /** As Ctrl-C does it. */
  stop: (signal: string) => void = () => {};
  readonly onStopSignal = (handler: (signal: string) => void): void => void (this.stop = handler);

  constructor(private readonly onSecond: (second: number) => Promise<void> | void = () => {}) {}

  readonly sleep = async (): Promise<void> => {
    this.clock.advance(1000);
    await this.onSecond((this.seconds += 1));
  };
}

/** An admin server that says `say()`; `t` stops it. */
async function startAdmin(
  t: TestContext,
  say: () => SidecarStatus,
  port = 0,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const server = createAdminServer({
    address: { host: '127.0.0.1', port },
    isReady: () => true,
    status: say,
    metrics: { contentType: 'x', exposition: () => Promise.resolve('') },
    page: new StatusPage({ clock: new FakeClock(), status: say, past: () => NO_PAST }),
  });
  await server.start();
  t.after(() => server.stop());
  return { port: server.address().port, stop: () => server.stop() };
}

function at(port: number): { kind: 'tcp'; host: string; port: number } {
  return { kind: 'tcp', host: '127.0.0.1', port };
}

test('status asks the admin server and prints what it says', async (t) => {
  const { port } = await startAdmin(t, () => STATUS_IN_OUTAGE);
  const screen = new Console();
  // A server that listens on all addresses is asked on this machine's own.
  assert.equal(await status(screen, { kind: 'tcp', host: '0.0.0.0', port }, false), 0);
  assert.match(
    screen.out,
    /^respool +1\.2\.3, outage, up 2 h 1 min\nupstream +redis:\/\/:\*\*\*@h:6379, not connected/m,
  );
});

test('status of a sidecar that is not there says so, with exit code 1', async () => {
  const screen = new Console();
  assert.equal(await status(screen, at(await freePort()), false), 1);
  assert.match(
    screen.err,
    /^respool: no status from 127\.0\.0\.1:\d+: connect ECONNREFUSED .*\n.*--admin.*\n$/,
  );
  assert.equal(screen.out, '');
});

test('watched without a terminal it is a line when something happens, and now and then while it lasts', async (t) => {
  let now: SidecarStatus = STATUS_HEALTHY;
  const { port, stop } = await startAdmin(t, () => now);
  const screen = new Console(async (second) => {
    if (second === 20) now = STATUS_IN_OUTAGE;
    if (second === 45) await stop();
    if (second === 48) await startAdmin(t, () => STATUS_HEALTHY, port);
    if (second === 60) screen.stop('SIGINT');
  });
  assert.equal(await status(screen, at(port), true), 0);
  const lines = screen.out.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.slice(25, 60).trimEnd()),
    [
      'healthy   All well: Redis answers, 1',
      'outage    Redis is away for 1 min 1',
      'outage    Redis is away for 1 min 1',
      'outage    Redis is away for 1 min 1',
      'gone      No word from the sidecar a',
      'healthy   All well: Redis answers, 1',
    ].map((line) => line.slice(0, 35).trimEnd()),
    screen.out,
  );
  assert.match(lines[0]!, /^2026-01-01T00:00:01\.000Z /);
  assert.doesNotMatch(screen.out, /\x1b/);
});

test('watched on a terminal it is drawn in place, and Ctrl-C gives the terminal back', async (t) => {
  const { port, stop } = await startAdmin(t, () => STATUS_IN_OUTAGE);
  const screen = new Console(async (second) => {
    if (second === 2) await stop();
    if (second === 4) screen.stop('SIGINT');
  });
  Object.assign(screen.stdout, { isTTY: true, size: { columns: 200, rows: 50 } });
  assert.equal(await status(screen, at(port), true), 0);
  const [before, ...pictures] = screen.out.split('\x1b[H');
  assert.equal(before, '\x1b[?1049h\x1b[?25l');
  assert.equal(pictures.length, 4);
  assert.match(pictures[0]!, /^\x1b\[1;33m▲ Redis is away for 1 min 1 s; /);
  assert.match(pictures[1]!, /▁|█/);
  assert.match(
    pictures[3]!,
    /^\x1b\[1;31m✖ No word from the sidecar at 127\.0\.0\.1:\d+ for 1 s \(connect ECONNREFUSED/,
  );
  assert.match(pictures[3]!, /\x1b\[2m▲ Redis is away/, 'what it said last stays');
  assert.match(screen.out, /\x1b\[\?25h\x1b\[\?1049l.*✖ No word[\s\S]*Redis is away[\s\S]*\n$/);
});

test('NO_COLOR means no colour', async (t) => {
  const { port } = await startAdmin(t, () => STATUS_IN_OUTAGE);
  const screen: Console = new Console(() => screen.stop('SIGINT'));
  screen.env.NO_COLOR = '1';
  Object.assign(screen.stdout, { isTTY: true });
  assert.equal(await status(screen, at(port), true), 0);
  assert.doesNotMatch(screen.out, /\x1b\[[\d;]*m/);
});
