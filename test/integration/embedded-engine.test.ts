/** Valkey in this process, spoken to through its port: what a lane may rely on. No sockets, no sidecar. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { MAX_STREAMS } from '../../src/embedded/bridge.js';
import type { EmbeddedEngine } from '../../src/embedded/engine.js';
import { createWasmEngine, type WasmEngineOptions } from '../../src/embedded/wasm-engine.js';
import { EngineClient, recordingLogger } from '../helpers/engine-client.js';
import { eventually } from '../helpers/eventually.js';
import { encodeCommand } from '../helpers/raw-client.js';

const MEGABYTE = 1024 * 1024;

function create(options: Partial<WasmEngineOptions> = {}): EmbeddedEngine {
  return createWasmEngine({
    maxMemoryBytes: 64 * MEGABYTE,
    snapshotFile: null,
    logger: silentLogger,
    clock: systemClock,
    ...options,
  });
}

describe('the embedded engine', () => {
  const engine = create();
  before(() => engine.start());
  after(() => engine.stop());

  test('opens a stream and answers in the order it was asked, however the bytes are cut', async () => {
    const client = new EngineClient(engine);
    const commands = ['PING', 'ECHO one', 'SET order 1', 'INCR order', 'ECHO two'].map((line) =>
      encodeCommand(...line.split(' ')),
    );
    for (const octet of Buffer.concat(commands)) client.stream.write(Uint8Array.of(octet));
    const replies: string[] = [];
    while (replies.length < commands.length) replies.push(await client.read());
    assert.deepEqual(replies, ['+PONG\r\n', '$3\r\none\r\n', '+OK\r\n', ':2\r\n', '$3\r\ntwo\r\n']);
    assert.equal(client.opens, 1);
    // Replies may overtake the news that everything was taken.
    await eventually('all has been taken', () => client.stream.pendingBytes === 0);
  });

  test('has its memory limit and its policy from the first command on', async () => {
    const client = new EngineClient(engine);
    assert.match(await client.ask('CONFIG', 'GET', 'maxmemory'), /67108864/);
    assert.match(await client.ask('CONFIG', 'GET', 'maxmemory-policy'), /noeviction/);
  });

  test('knows what time it is, to the microsecond', async () => {
    const client = new EngineClient(engine);
    const [, seconds = '', micros = ''] =
      /\$10\r\n(\d+)\r\n\$\d+\r\n(\d+)/.exec(await client.ask('TIME')) ?? [];
    const aheadMs = Number(seconds) * 1000 + Number(micros) / 1000 - Date.now();
    assert.ok(Math.abs(aheadMs) < 1000, `${aheadMs} ms ahead`);
  });

  test('wakes a blocked client when another one pushes, and when its time is over', async () => {
    const [blocked, other] = [new EngineClient(engine), new EngineClient(engine)];
    blocked.send('BLPOP', 'queue', 0);
    assert.equal(await other.ask('RPUSH', 'queue', 'job'), ':1\r\n');
    assert.equal(await blocked.read(), '*2\r\n$5\r\nqueue\r\n$3\r\njob\r\n');
    assert.equal(await blocked.ask('BLPOP', 'queue', '0.05'), '*-1\r\n');
  });

  test('closes in order: QUIT and the end of input are answered first', async () => {
    const quitting = new EngineClient(engine);
    assert.equal(await quitting.ask('QUIT'), '+OK\r\n');
    assert.equal(await quitting.ending(), null);
    const ending = new EngineClient(engine);
    ending.send('ECHO', 'last words');
    ending.stream.end();
    assert.equal(await ending.read(), '$10\r\nlast words\r\n');
    assert.equal(await ending.ending(), null);
  });

  test('abandoning a stream closes it here and there, and what was not read is not executed', async () => {
    const [client, other] = [new EngineClient(engine), new EngineClient(engine)];
    await client.ask('CLIENT', 'SETNAME', 'abandoned');
    client.send('SET', 'abandoned', 'yes');
    client.stream.reset();
    assert.equal(client.closes.length, 0, 'not from inside the call');
    assert.equal(await client.ending(), null);
    await eventually('the engine forgot the client', async () => {
      return !(await other.ask('CLIENT', 'LIST')).includes('name=abandoned');
    });
    assert.equal(await other.ask('EXISTS', 'abandoned'), ':0\r\n');
    assert.equal(client.closes.length, 1);
  });

  test('takes 20,000 connections one after the other, because descriptors are reused', async () => {
    const ROUNDS = 40;
    const AT_ONCE = 500;
    for (let round = 0; round < ROUNDS; round += 1) {
      const clients = Array.from({ length: AT_ONCE }, () => new EngineClient(engine));
      for (const client of clients) client.send('PING');
      for (const [i, client] of clients.entries()) {
        assert.equal(await client.read(), '+PONG\r\n');
        if (i % 2 === 0) client.stream.end();
        else client.stream.reset();
      }
      await eventually('all are closed', () => clients.every(({ closes }) => closes.length === 1));
    }
    const last = new EngineClient(engine);
    assert.match(await last.ask('CLIENT', 'LIST', 'ID', '1'), /^\$/);
    const [, fd = ''] = /fd=(\d+)/.exec(await last.ask('CLIENT', 'LIST')) ?? [];
    assert.ok(Number(fd) < 4096 + 2 * AT_ONCE + 100, `descriptor ${fd}`);
  });

  test('refuses with a cause what is more than it can carry, and serves the others', async () => {
    const own = create();
    await own.start();
    try {
      await new EngineClient(own).ask('PING');
      const clients = Array.from({ length: MAX_STREAMS - 1 + 10 }, () => new EngineClient(own));
      await eventually(
        'every stream opened or was refused',
        () => clients.every(({ opens, closes }) => opens + closes.length === 1),
        { withinMs: 20_000 },
      );
      const refused = clients.filter(({ closes }) => closes.length === 1);
      assert.equal(refused.length, 10);
      assert.match(String(refused[0]?.closes[0]), /no more connections/);
      assert.equal(await clients[0]!.ask('PING'), '+PONG\r\n');
    } finally {
      await own.stop();
    }
  });
});

describe('flow control of the embedded engine', () => {
  const engine = create();
  before(() => engine.start());
  after(() => engine.stop());

  test('a large value goes in and comes out whole', async () => {
    const client = new EngineClient(engine);
    const value = Buffer.alloc(20 * MEGABYTE, 'abcdefghijklmnopqrstuvwxyz012345678');
    assert.equal(client.send('SET', 'large', value), false);
    assert.ok(client.stream.pendingBytes > value.length);
    assert.equal(await client.read(), '+OK\r\n');
    await eventually('drained', () => client.drains === 1);
    assert.equal(client.stream.pendingBytes, 0);
    const reply = await client.ask('GET', 'large');
    assert.ok(
      Buffer.from(reply, 'latin1').equals(
        Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]),
      ),
    );
    assert.equal(await client.ask('DEL', 'large'), ':1\r\n');
  });

  test('who does not read makes the engine neither read on nor pile up replies, and others go on', async () => {
    const [greedy, other] = [new EngineClient(engine, { keep: false }), new EngineClient(engine)];
    assert.equal(await other.ask('SET', 'big', Buffer.alloc(MEGABYTE)), '+OK\r\n');
    const COMMANDS = 2_000;
    greedy.stream.pause();
    greedy.stream.write(Buffer.concat(Array<Buffer>(COMMANDS).fill(encodeCommand('GET', 'big'))));
    await eventually('the engine stopped reading', async () => {
      const before = greedy.stream.pendingBytes;
      await other.ask('PING');
      await other.ask('PING');
      return before > 0 && greedy.stream.pendingBytes === before;
    });
    assert.equal(greedy.receivedBytes, 0);
    const [, usedMemory = ''] = /used_memory:(\d+)/.exec(await other.ask('INFO', 'memory')) ?? [];
    assert.ok(Number(usedMemory) < 128 * MEGABYTE, `${usedMemory} bytes in the engine`);
    greedy.stream.resume();
    const replyBytes = MEGABYTE + '$1048576\r\n\r\n'.length;
    await eventually('everything arrived', () => greedy.receivedBytes === COMMANDS * replyBytes, {
      withinMs: 20_000,
    });
    assert.equal(greedy.stream.pendingBytes, 0);
    assert.equal(greedy.closes.length, 0);
  });

  test('refuses a value that could never be stored before it is sent, and stays within its memory', async () => {
    const client = new EngineClient(engine);
    client.stream.write(Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n'));
    assert.match(await client.read(), /^-ERR Protocol error: invalid bulk length/);
    assert.equal(await client.ending(), null);
    const writer = new EngineClient(engine);
    const replies = [];
    for (let i = 0; i < 8; i += 1)
      replies.push(await writer.ask('SET', `k${i}`, Buffer.alloc(10 * MEGABYTE)));
    assert.match(replies.at(-1) ?? '', /^-OOM command not allowed/);
    assert.equal(engine.restarts, 0);
  });
});

describe('a script that does not end', () => {
  const engine = create();
  before(async () => {
    await engine.start();
    const client = new EngineClient(engine);
    await client.ask('CONFIG', 'SET', 'busy-reply-threshold', 50);
    client.stream.end();
  });
  after(() => engine.stop());

  /** Waits until the engine answers BUSY, also to a stream that did not exist when the script began. */
  const busy = (whose: EmbeddedEngine): Promise<EngineClient> =>
    eventually('BUSY', async () => {
      const other = new EngineClient(whose);
      return (await other.ask('GET', 'x')).startsWith('-BUSY') ? other : null;
    });

  test('makes others see BUSY, and SCRIPT KILL ends it', async () => {
    const looping = new EngineClient(engine);
    looping.send('EVAL', 'while true do end', 0);
    const other = await busy(engine);
    assert.equal(await other.ask('SCRIPT', 'KILL'), '+OK\r\n');
    assert.match(await looping.read(), /^-ERR Error running script|^-ERR .*[Kk]illed/);
    assert.equal(await other.ask('SET', 'x', 1), '+OK\r\n');
  });

  test('cannot be killed once it has written, as in Redis, and does not keep the engine from being stopped', async () => {
    const own = create();
    await own.start();
    const looping = new EngineClient(own);
    await looping.ask('CONFIG', 'SET', 'busy-reply-threshold', 50);
    looping.send('EVAL', "redis.call('SET', KEYS[1], 1) while true do end", 1, 'written');
    const other = await busy(own);
    assert.match(await other.ask('SCRIPT', 'KILL'), /^-UNKILLABLE/);
    await own.stop();
    assert.match(String(await looping.ending()), /stopped/);
    assert.equal(own.restarts, 0);
  });
});

describe('an engine that dies', () => {
  test('closes its streams with the cause, says so, and runs again', async () => {
    const logger = recordingLogger();
    const engine = create({ logger });
    await engine.start();
    try {
      const [culprit, bystander] = [new EngineClient(engine), new EngineClient(engine)];
      await bystander.ask('SET', 'gone', 1);
      // There is no TLS in this build: Valkey calls through a null pointer, which WebAssembly traps.
      culprit.send('CONFIG', 'SET', 'tls-port', 1);
      assert.match(String(await culprit.ending()), /the embedded Valkey died: RuntimeError/);
      assert.match(String(await bystander.ending()), /died/);
      const early = new EngineClient(engine);
      assert.match(String(await early.ending()), /not running/);
      const later = await eventually('it runs again', async () => {
        const client = new EngineClient(engine);
        return (await client.ask('EXISTS', 'gone')) === ':0\r\n' ? client : null;
      });
      assert.equal(engine.restarts, 1);
      const errors = logger.lines.filter(({ level }) => level === 'error');
      assert.equal(errors.length, 1);
      assert.equal(errors[0]?.event, 'embedded engine died and is started again');
      assert.match(await later.ask('CONFIG', 'GET', 'maxmemory'), /67108864/);
    } finally {
      await engine.stop();
    }
  });

  test('is what the end of its memory means: the engine is lost, the process is not', async () => {
    const engine = create({ maxMemoryBytes: 16 * MEGABYTE, memoryLimitBytes: 48 * MEGABYTE });
    await engine.start();
    try {
      const client = new EngineClient(engine);
      await client.ask('CONFIG', 'SET', 'maxmemory', 0, 'proto-max-bulk-len', 512 * MEGABYTE);
      client.send('SETRANGE', 'k', 400 * MEGABYTE, 'x');
      assert.match(String(await client.ending()), /died/);
      await eventually(
        'it runs again',
        async () => (await new EngineClient(engine).ask('PING')) === '+PONG\r\n',
      );
      assert.equal(engine.restarts, 1);
    } finally {
      await engine.stop();
    }
  });

  test('is not restarted after a stop, and a stream opened then is refused with a cause', async () => {
    const engine = create();
    const early = new EngineClient(engine);
    assert.match(String(await early.ending()), /not running \(idle\)/);
    await engine.start();
    const client = new EngineClient(engine);
    await client.ask('PING');
    await engine.stop();
    await engine.stop();
    assert.match(String(await client.ending()), /stopped/);
    assert.match(String(await new EngineClient(engine).ending()), /not running \(stopped\)/);
    assert.equal(engine.restarts, 0);
  });
});
