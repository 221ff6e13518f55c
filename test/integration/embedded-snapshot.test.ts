/** The embedded engine's snapshot: written when it stops, restored when it starts, never lost silently. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.js';
import type { EmbeddedEngine } from '../../src/embedded/engine.js';
import { createWasmEngine } from '../../src/embedded/wasm-engine.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { EngineClient, recordingLogger } from '../helpers/engine-client.js';
import { eventually } from '../helpers/eventually.js';
import { encodeCommand } from '../helpers/raw-client.js';

const LIBRARY = "#!lua name=lib\nredis.register_function('answer', function() return 42 end)";
const KEYS = 100_000;

/** An engine that is stopped with its test, if the test has not done that itself. */
function create(t: TestContext, snapshotFile: string, logger = recordingLogger()): EmbeddedEngine {
  const engine = createWasmEngine({
    maxMemoryBytes: 64 * 1024 * 1024,
    snapshotFile,
    logger,
    clock: systemClock,
  });
  t.after(() => engine.stop());
  return engine;
}

/** Runs `use` with an engine on `file`, and stops it: which takes the snapshot. */
async function withEngine(
  t: TestContext,
  file: string,
  use: (client: EngineClient) => Promise<void>,
): Promise<void> {
  const engine = create(t, file);
  await engine.start();
  try {
    await use(new EngineClient(engine));
  } finally {
    await engine.stop();
  }
}

async function snapshotOf(t: TestContext, ...commands: string[][]): Promise<string> {
  const file = join(temporaryDirectory(t), 'data.rdb');
  await withEngine(t, file, async (client) => {
    for (const command of commands) await client.ask(...command);
  });
  return file;
}

describe('the snapshot', () => {
  test('keeps every database, every type, functions and absolute expiry', async (t) => {
    const file = join(temporaryDirectory(t), 'below', 'data.rdb');
    let expiresAt = '';
    await withEngine(t, file, async (client) => {
      await client.ask('SET', 'mortal', 'x', 'PX', 3_600_000);
      expiresAt = await client.ask('PEXPIRETIME', 'mortal');
      await client.ask('SET', 'brief', 'x', 'PX', 1);
      await client.ask('XADD', 'stream', '5-1', 'field', 'value');
      await client.ask('XGROUP', 'CREATE', 'stream', 'group', '0');
      await client.ask('ZADD', 'sorted', '1.5', 'member');
      await client.ask('FUNCTION', 'LOAD', LIBRARY);
      await client.ask('SELECT', 15);
      await client.ask('HSET', 'hash', 'f', 'v');
    });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await withEngine(t, file, async (client) => {
      assert.equal(await client.ask('PEXPIRETIME', 'mortal'), expiresAt);
      assert.equal(await client.ask('EXISTS', 'brief'), ':0\r\n');
      assert.match(await client.ask('XINFO', 'GROUPS', 'stream'), /group/);
      assert.equal(await client.ask('ZSCORE', 'sorted', 'member'), '$3\r\n1.5\r\n');
      assert.equal(await client.ask('FCALL', 'answer', 0), ':42\r\n');
      await client.ask('SELECT', 15);
      assert.equal(await client.ask('HGET', 'hash', 'f'), '$1\r\nv\r\n');
    });
  });

  test(`survives with ${KEYS} keys, is replaced as a whole, and leaves nothing beside it`, async (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, 'data.rdb');
    await withEngine(t, file, async (client) => {
      const commands = Array.from({ length: KEYS }, (_, i) =>
        encodeCommand('SET', `key:${i}`, `value:${i}`),
      );
      client.stream.write(Buffer.concat(commands));
      for (let i = 0; i < KEYS; i += 1) assert.equal(await client.read(), '+OK\r\n');
    });
    const first = readFileSync(file);
    await withEngine(t, file, async (client) => {
      assert.equal(await client.ask('DBSIZE'), `:${KEYS}\r\n`);
      assert.equal(await client.ask('GET', 'key:99999'), '$11\r\nvalue:99999\r\n');
      await client.ask('FLUSHALL');
      assert.ok(readFileSync(file).equals(first), 'written only when the engine stops');
    });
    assert.ok(statSync(file).size < 1000);
    assert.deepEqual(readdirSync(directory), ['data.rdb']);
  });

  test('is what an engine that died starts again from', async (t) => {
    const file = await snapshotOf(t, ['SET', 'saved', '1']);
    const logger = recordingLogger();
    const engine = create(t, file, logger);
    await engine.start();
    const client = new EngineClient(engine);
    await client.ask('SET', 'unsaved', 1);
    client.send('CONFIG', 'SET', 'tls-port', 1);
    await client.ending();
    await eventually('it runs again with the saved key', async () => {
      const next = new EngineClient(engine);
      return (await next.ask('EXISTS', 'saved', 'unsaved')) === ':1\r\n';
    });
    assert.equal(
      logger.lines.find(({ level }) => level === 'error')?.fields['data'],
      'as of the last snapshot',
    );
    await engine.stop();
  });

  test('is taken although a script runs for ever or the clients have closed the door', async (t) => {
    const file = join(temporaryDirectory(t), 'data.rdb');
    await withEngine(t, file, async (client) => {
      await client.ask('CONFIG', 'SET', 'busy-reply-threshold', 20);
      await client.ask('SET', 'kept', 1);
      await client.ask('CONFIG', 'SET', 'requirepass', 'secret');
      client.send('EVAL', 'while true do end', 0);
    });
    await withEngine(t, file, async (client) => {
      assert.equal(await client.ask('EXISTS', 'kept'), ':1\r\n');
    });
  });
});

describe('a snapshot that cannot be used', () => {
  const damages: Record<string, (bytes: Buffer) => Buffer> = {
    'cut short': (bytes) => bytes.subarray(0, bytes.length - 20),
    empty: () => Buffer.alloc(0),
    'no RDB file at all': () => Buffer.from('hello, this is not a snapshot'),
    'with a flipped bit': (bytes) => {
      const flipped = Buffer.from(bytes);
      flipped[flipped.indexOf('precious') + 1]! ^= 4;
      return flipped;
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    test(`(${name}) stops the start with a message that says what to do, and is left as it is`, async (t) => {
      const file = await snapshotOf(t, ['SET', 'key', 'precious data that nobody wants to lose']);
      const damaged = damage(readFileSync(file));
      writeFileSync(file, damaged);
      const engine = create(t, file);
      await assert.rejects(engine.start(), (error: Error) => {
        assert.match(
          error.message,
          /the snapshot .*data\.rdb cannot be loaded and is left as it is: move it away/,
        );
        assert.doesNotMatch(error.message, /[\r\n]/);
        return true;
      });
      await engine.stop();
      assert.ok(readFileSync(file).equals(damaged));
    });
  }

  test('(its directory is no directory) is said before anything is lost', async (t) => {
    const notADirectory = join(temporaryDirectory(t), 'file');
    writeFileSync(notADirectory, '');
    await assert.rejects(
      create(t, join(notADirectory, 'data.rdb')).start(),
      /could not be written/,
    );
  });

  test('(it cannot be written any more) keeps the one before and says so', async (t) => {
    const file = await snapshotOf(t, ['SET', 'a', '1']);
    const before = readFileSync(file);
    const logger = recordingLogger();
    const engine = create(t, file, logger);
    await engine.start();
    await new EngineClient(engine).ask('SET', 'b', 2);
    // A directory where the temporary file would be: nobody can write it, root included.
    mkdirSync(`${file}.tmp`);
    await engine.stop();
    assert.ok(readFileSync(file).equals(before));
    assert.ok(
      logger.lines.some(({ level, event }) => level === 'error' && event.includes('not written')),
    );
  });
});
