/** Whoever connects to a TLS port and says nothing is gone at the deadline, and a crowd of them locks nobody out. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Handshakes } from '../../src/downstream/handshakes.js';
import { makeCertificates } from '../helpers/certificates.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { connectRaw, connectRawTls, type RawClient } from '../helpers/raw-client.js';

const DEADLINE_MS = 5000;
const MAX_PENDING = 4;

async function listen(t: TestContext) {
  const { serverCertFile, serverKeyFile, caFile } = await makeCertificates(temporaryDirectory(t));
  const material = {
    cert: readFileSync(serverCertFile),
    key: readFileSync(serverKeyFile),
    ca: null,
  };
  const clock = new FakeClock();
  const failures: string[] = [];
  const handshakes = new Handshakes({
    material,
    clock,
    deadlineMs: DEADLINE_MS,
    maxPending: MAX_PENDING,
    onClient: (socket) => socket.end('+HELLO\r\n'),
    onFailed: (reason) => failures.push(reason),
  });
  const server = createServer((socket) => handshakes.accept(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const isServed = async (): Promise<boolean> => {
    const client = await connectRawTls({ port, ca: readFileSync(caFile) });
    return String(await client.readFrame()) === '+HELLO\r\n';
  };
  const silent = async (): Promise<RawClient> => {
    const before = handshakes.pendingCount;
    const client = await connectRaw(port);
    await eventually(
      'it is noticed',
      () => handshakes.pendingCount > Math.min(before, MAX_PENDING - 1),
    );
    return client;
  };
  return { clock, failures, handshakes, isServed, silent };
}

test('who is silent is reset at the deadline, and nothing of it is left', async (t) => {
  const { clock, failures, handshakes, isServed, silent } = await listen(t);
  const client = await silent();
  clock.advance(DEADLINE_MS - 1);
  assert.equal(client.ending, null);
  clock.advance(1);
  await client.readUntilClose();
  assert.equal(client.ending, 'reset');
  assert.deepEqual(failures, ['no handshake in time']);
  assert.ok(await isServed());
  assert.deepEqual([handshakes.pendingCount, clock.timerCount], [0, 0]);
});

test('one more than may be under way drops whoever came first, and a client is let in', async (t) => {
  const { failures, handshakes, isServed, silent } = await listen(t);
  const crowd: RawClient[] = [];
  for (let n = 0; n < MAX_PENDING; n += 1) crowd.push(await silent());
  for (let round = 0; round < 3; round += 1) {
    await silent();
    await crowd[round]!.readUntilClose();
    assert.ok(handshakes.pendingCount <= MAX_PENDING);
  }
  assert.ok(await isServed());
  assert.equal(crowd[MAX_PENDING - 1]!.ending, 'reset');
  assert.deepEqual(new Set(failures), new Set(['too many handshakes at a time']));
  handshakes.close();
  await eventually('all are gone', () => handshakes.pendingCount === 0);
});

test('who hangs up in the middle is forgotten', async (t) => {
  const { clock, failures, handshakes, silent } = await listen(t);
  const client = await silent();
  // The beginning of a ClientHello that never comes.
  client.write(Buffer.from('16030100ff0100', 'hex'));
  client.reset();
  await eventually('it is forgotten', () => handshakes.pendingCount === 0);
  assert.equal(failures.length, 1);
  assert.equal(clock.timerCount, 0);
});
