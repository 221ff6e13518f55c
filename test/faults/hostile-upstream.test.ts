/** An upstream that is broken, hostile or no Redis at all: the sidecar lives on, and serves when a real one is there. */
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { once } from 'node:events';
import { runCli } from '../../src/cli/run.js';
import { CheckHost } from '../helpers/check-host.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { isFailureReply } from '../../src/breaker/failure.js';
import { IdentityRegister } from '../../src/command/connection-state.js';
import { Demotion } from '../../src/upstream/demotion.js';
import { Probe } from '../../src/upstream/probe.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/ports.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

/** Said at once, or in answer to the first bytes. */
const SAYINGS: readonly string[] = [
  ...['$-1\r\n', '*-1\r\n', '_\r\n', '*0\r\n', ':1\r\n$-1\r\n*-1\r\n'.repeat(4)],
  ...[
    '>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n',
    '>0\r\n',
    '>1\r\n$-1\r\n',
    '*1\r\n>1\r\n_\r\n',
  ],
  ...['*3\r\n$7\r\nmessage\r\n$-1\r\n$-1\r\n', '*3\r\n$9\r\nsubscribe\r\n_\r\n:1\r\n'],
  ...[
    '|1\r\n+a\r\n+b\r\n',
    '%1\r\n$-1\r\n$-1\r\n',
    '!3\r\nERR\r\n',
    '=3\r\nt:x\r\n',
    '(1\r\n,nan\r\n',
  ],
  ...['-\r\n', '-MOVED 1 a:b\r\n', '-\xff\xfe\r\n'.repeat(9), '$4294967296\r\n', '*4294967295\r\n'],
  ...['*1\r\n'.repeat(20_000), '*10000000\r\n'.repeat(20), '$x\r\n', '*x\r\n', '\0'.repeat(100)],
  ...['HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', '\x15\x03\x01\x00\x02\x02\x46', '+'],
];

/** Says one thing to each connection: unasked to every other one, else in answer. */
class Hostile {
  served = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(
    t: TestContext,
    private readonly sayings: readonly string[],
  ) {
    this.server = createServer((socket) => this.meet(socket));
    t.after(() => this.close());
  }

  async listen(port: number): Promise<void> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private meet(socket: Socket): void {
    this.sockets.add(socket);
    const saying = Buffer.from(this.sayings[(this.served >> 1) % this.sayings.length]!, 'latin1');
    const isUnasked = this.served % 2 === 0;
    this.served += 1;
    socket.on('error', () => undefined);
    if (isUnasked) socket.write(saying);
    socket.once('data', () => {
      if (!isUnasked) socket.write(saying);
      // What waits for more would wait for its deadline.
      setImmediate(() => socket.end());
    });
  }
}

test('the probe survives everything that an upstream may say, and calls none of it well', async (t) => {
  const port = await freePort();
  const hostile = new Hostile(t, SAYINGS);
  await hostile.listen(port);
  const probe = new Probe({
    address: { kind: 'tcp', host: '127.0.0.1', port, tls: null },
    identity: new IdentityRegister().identityOf(null),
    clock: systemClock,
    logger: silentLogger,
    silence: { isExplained: false, isPaused: false },
    demotion: new Demotion(systemClock),
    periodMs: 60_000,
    timeoutMs: 2000,
    key: 'respool:probe',
    isFailure: isFailureReply,
    owesWrites: () => false,
    isWatching: () => false,
    onResult: () => undefined,
  });
  t.after(() => probe.close());
  while (hostile.served < SAYINGS.length * 2) {
    const problem = await new Promise<Error | null>((resolve) => probe.ask(resolve));
    assert.ok(problem instanceof Error, `after ${hostile.served}`);
  }
});

test('respool check says that such an upstream cannot be used, and ends', async (t) => {
  const port = await freePort();
  const hostile = new Hostile(t, SAYINGS);
  await hostile.listen(port);
  while (hostile.served < SAYINGS.length) {
    const args = ['--upstream', `redis://127.0.0.1:${port}`, '--upstream-timeout', '100ms'];
    const host = new CheckHost(['check', ...args, '--listen', '127.0.0.1:0', '--admin', 'off']);
    assert.equal(await runCli(host), 1, host.stdout.text);
  }
});

test('such an upstream does not end the sidecar, which serves when a real one is there', async (t) => {
  const port = await freePort();
  const hostile = new Hostile(
    t,
    // More than were asked for.
    ['$-1\r\n', '*-1\r\n', '_\r\n'].map((reply) => reply.repeat(9)),
  );
  await hostile.listen(port);
  const sidecar = await startSidecar(t, { upstream: `redis://127.0.0.1:${port}` });
  await eventually('each was said to somebody', () => hostile.served >= 6, { withinMs: 20_000 });
  assert.equal((await sidecar.admin('/livez')).status, 200);
  hostile.close();
  await startRedis(t, { port });
  const client = await connectRaw(sidecar.port);
  const serves = async (): Promise<boolean> => (await client.ask('INCR', 'n')).startsWith(':');
  await eventually('a real upstream is served', serves, { withinMs: 20_000 });
});
