/** The embedded engine as a child process: a real redis-server from PATH, behind the same port. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../src/base/clock.js';
import type { EmbeddedEngine } from '../../src/embedded/engine.js';
import {
  createProcessEngine,
  type ProcessEngineOptions,
} from '../../src/embedded/process-engine.js';
import { socketTransport } from '../../src/upstream/socket-transport.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { EngineClient, recordingLogger } from '../helpers/engine-client.js';
import { eventually } from '../helpers/eventually.js';

/** An engine that is stopped with its test, if the test has not done that itself. */
function create(t: TestContext, options: Partial<ProcessEngineOptions> = {}): EmbeddedEngine {
  const engine = createProcessEngine({
    maxMemoryBytes: 64 * 1024 * 1024,
    snapshotFile: null,
    logger: recordingLogger(),
    clock: systemClock,
    unixTransport: (path) => socketTransport({ kind: 'unix', path }),
    ...options,
  });
  t.after(() => engine.stop());
  return engine;
}

/** A field of the server's INFO or CONFIG. */
async function field(client: EngineClient, name: string): Promise<string> {
  const [, value = ''] = new RegExp(`^${name}:(.*)\r$`, 'm').exec(await client.ask('INFO')) ?? [];
  return value;
}

const config = async (client: EngineClient, name: string): Promise<string> =>
  (await client.ask('CONFIG', 'GET', name)).split('\r\n')[4] ?? '';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the engine as a process', () => {
  test('serves on a private unix socket only, within its memory, and leaves nothing behind', async (t) => {
    const engine = create(t);
    await engine.start();
    const client = new EngineClient(engine);
    assert.equal(await config(client, 'port'), '0');
    assert.equal(await config(client, 'maxmemory'), '67108864');
    assert.equal(await config(client, 'maxmemory-policy'), 'noeviction');
    assert.equal(await config(client, 'save'), '');
    const socket = await config(client, 'unixsocket');
    assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
    const pid = Number(await field(client, 'process_id'));
    await engine.stop();
    await client.ending();
    await eventually('the server is gone', () => !isAlive(pid));
    assert.equal(existsSync(dirname(socket)), false);
  });

  test('is started again when it is killed, and its streams end', async (t) => {
    const logger = recordingLogger();
    const engine = create(t, { logger });
    await engine.start();
    const client = new EngineClient(engine);
    await client.ask('SET', 'gone', 1);
    process.kill(Number(await field(client, 'process_id')), 'SIGKILL');
    await client.ending();
    await eventually('it answers again', async () => {
      return (await new EngineClient(engine).ask('EXISTS', 'gone')) === ':0\r\n';
    });
    assert.equal(engine.restarts, 1);
    assert.equal(logger.lines.filter(({ level }) => level === 'error').length, 1);
    await engine.stop();
    assert.match(String(await new EngineClient(engine).ending()), /not running \(stopped\)/);
    assert.equal(engine.restarts, 1);
  });

  test('keeps a snapshot across a stop', async (t) => {
    const directory = temporaryDirectory(t);
    const snapshotFile = join(directory, 'data.rdb');
    const first = create(t, { snapshotFile });
    await first.start();
    await new EngineClient(first).ask('SET', 'kept', 1);
    await first.stop();
    assert.deepEqual(readdirSync(directory), ['data.rdb']);
    const second = create(t, { snapshotFile });
    await second.start();
    assert.equal(await new EngineClient(second).ask('EXISTS', 'kept'), ':1\r\n');
    await second.stop();
  });

  test('does not start on a damaged snapshot, and says what to do', async (t) => {
    const snapshotFile = join(temporaryDirectory(t), 'data.rdb');
    writeFileSync(snapshotFile, 'REDIS0010 and then nothing that makes sense');
    await assert.rejects(
      create(t, { snapshotFile }).start(),
      /the snapshot .* cannot be loaded and is left as it is/,
    );
  });

  test('says what is missing when there is no server program', async (t) => {
    await assert.rejects(
      create(t, { programs: ['no-such-server', 'nor-this-one'] }).start(),
      /no no-such-server or nor-this-one on PATH: install one, or use --embedded-engine wasm/,
    );
  });

  test('ends when its parent is killed without a word', async () => {
    const at = (file: string): string =>
      pathToFileURL(join(import.meta.dirname, '../../src', file)).href;
    const script = `
      import { createProcessEngine } from '${at('embedded/process-engine.js')}';
      import { socketTransport } from '${at('upstream/socket-transport.js')}';
      import { systemClock } from '${at('base/clock.js')}';
      import { silentLogger } from '${at('base/logger.js')}';
      const engine = createProcessEngine({
        maxMemoryBytes: 64 << 20, snapshotFile: null, logger: silentLogger, clock: systemClock,
        unixTransport: (path) => socketTransport({ kind: 'unix', path }),
      });
      await engine.start();
      engine.open({ onOpen() {}, onDrain() {}, onClose() {}, onData: (bytes) => console.log(bytes.toString()) })
        .write(Buffer.from('INFO server\\r\\nCONFIG GET unixsocket\\r\\n'));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    parent.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const pid = Number(
      await eventually('its pid', () => /process_id:(\d+)/.exec(output)?.[1] ?? null),
    );
    const socket = await eventually(
      'its socket',
      () => /^\/.*engine\.sock/m.exec(output)?.[0] ?? null,
    );
    assert.ok(isAlive(pid) && existsSync(socket));
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await eventually('the server ended too', () => !isAlive(pid));
    await eventually('its directory is gone', () => !existsSync(dirname(socket)));
  });
});
