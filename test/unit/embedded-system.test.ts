/** What surrounds the engine: its program, its clock, its files, its messages, and what it is not asked for. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, test } from 'node:test';
import { EngineFiles } from '../../src/embedded/engine-files.js';
import { engineClock } from '../../src/embedded/engine-clock.js';
import { readRecords, RecordKind, RecordWriter } from '../../src/embedded/messages.js';
import { RecordSender } from '../../src/embedded/record-sender.js';
import { mayBeRefused, refusedInProcess } from '../../src/embedded/refused.js';
import { writeNanoseconds } from '../../src/embedded/wasi.js';
import { limitMemory, loadEngine, wasmFileUrl } from '../../src/embedded/wasm-file.js';
import { systemClock } from '../../src/base/clock.js';
import { temporaryDirectory } from '../helpers/child-process.js';

describe("the engine's program", () => {
  test('is refused when it is missing or not the tested one, and the message says what to do', async (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, 'valkey.wasm');
    await assert.rejects(
      loadEngine(pathToFileURL(file), 1 << 30),
      /cannot read .*valkey\.wasm: run npm ci/,
    );
    const altered = readFileSync(wasmFileUrl());
    altered[altered.length - 1]! ^= 1;
    writeFileSync(file, altered);
    await assert.rejects(
      loadEngine(pathToFileURL(file), 1 << 30),
      /not the tested one \(sha256 [0-9a-f]{64}, expected/,
    );
  });

  test('is given the end of its memory and is otherwise the same', async () => {
    const original = readFileSync(wasmFileUrl());
    const limited = Buffer.from(limitMemory(original, 100 * 65_536));
    const at = limited.findIndex((octet, i) => octet !== original[i]);
    assert.deepEqual([...limited.subarray(at - 1, at + 5)], [5, 4, 1, 1, 27, 100]);
    assert.deepEqual(limited.subarray(at + 5), original.subarray(at + 4));
    assert.throws(() => limitMemory(original, 65_536), /needs at least/);
    await loadEngine(wasmFileUrl(), 1 << 30);
  });
});

describe("the engine's time", () => {
  test('is exact to the microsecond in two words', () => {
    for (const ms of [
      0, 0.001, 1, 4294.967295, 4294.967296, 1795243404123.457, 9007199254740.991,
    ]) {
      const time = new BigUint64Array(1);
      writeNanoseconds(new Int32Array(time.buffer), 0, ms);
      assert.equal(time[0], BigInt(Math.floor(ms * 1000)) * 1000n, String(ms));
    }
  });

  test('follows a wall clock that was stepped, and has fractions when it was not', () => {
    let [wall, monotonic] = [1_000_000, 50];
    const clock = engineClock({ ...systemClock, wallMs: () => wall, now: () => monotonic });
    monotonic += 0.25;
    assert.equal(clock.wallMs(), 1_000_000.25);
    wall -= 3_600_000;
    clock.follow();
    assert.equal(clock.wallMs(), wall);
    monotonic += 0.5;
    assert.equal(clock.wallMs(), wall + 0.5);
    assert.equal(clock.monotonicMs(), 50.75);
  });
});

describe("the engine's files", () => {
  test('are the snapshot and randomness, nothing else', (t) => {
    const snapshot = join(temporaryDirectory(t), 'data.rdb');
    const files = new EngineFiles(snapshot);
    for (const name of ['/etc/passwd', '../x', 'nodes.conf', 'appendonlydir']) {
      assert.equal(files.open(name, 'create'), 'absent', name);
    }
    assert.equal(files.open('dump.rdb', 'read'), 'absent');
    const random = files.open('dev/urandom', 'read');
    const bytes = new Uint8Array(32);
    assert.equal(files.read(random as number, bytes), 32);
    assert.ok(bytes.some((octet) => octet !== 0));
  });

  test('are written beside the snapshot and replace it by a rename', (t) => {
    const snapshot = join(temporaryDirectory(t), 'data.rdb');
    const files = new EngineFiles(snapshot);
    const fd = files.open('temp-42.rdb', 'create') as number;
    assert.equal(files.write(fd, Buffer.from('hello')), 5);
    assert.equal(files.seek(fd, -2, 2), 3);
    const back = Buffer.alloc(8);
    assert.equal(files.read(fd, back), 2);
    assert.equal(back.toString('latin1', 0, 2), 'lo');
    assert.equal(files.sync(fd), true);
    assert.equal(files.close(fd), true);
    assert.equal(files.rename('temp-42.rdb', 'dump.rdb'), true);
    assert.equal(readFileSync(snapshot, 'utf8'), 'hello');
    assert.equal(files.sync(files.open('.', 'read') as number), true);
  });

  test('tell a snapshot that cannot be opened from one that is not there', (t) => {
    const notADirectory = join(temporaryDirectory(t), 'file');
    writeFileSync(notADirectory, '');
    assert.equal(new EngineFiles(join(notADirectory, 'x.rdb')).open('dump.rdb', 'read'), 'failed');
  });

  test('do not exist at all without a snapshot', () => {
    const files = new EngineFiles(null);
    assert.equal(files.open('dump.rdb', 'read'), 'absent');
    assert.equal(files.open('temp-1.rdb', 'create'), 'absent');
    assert.equal(files.rename('temp-1.rdb', 'dump.rdb'), false);
  });
});

describe('messages between the threads', () => {
  test('carry records of every length unchanged and in order', () => {
    const texts = ['', 'a', 'abc', 'abcd', 'abcde'];
    const writer = new RecordWriter(new ArrayBuffer(1024));
    texts.forEach((text, i) =>
      writer.add(RecordKind.data, i, 4_000_000_000 + i, Buffer.from(text)),
    );
    const seen: unknown[] = [];
    readRecords(writer.takeCopy(), (_kind, stream, value, bytes) =>
      seen.push([stream, value, Buffer.from(bytes).toString()]),
    );
    assert.deepEqual(
      seen,
      texts.map((text, i) => [i, 4_000_000_000 + i, text]),
    );
    assert.equal(writer.isEmpty, true);
  });

  test('are sent together when small, alone when large, and never out of order', () => {
    const batches: number[][] = [];
    const sender = new RecordSender((batch) => {
      const lengths: number[] = [];
      readRecords(batch, (_kind, _stream, _value, bytes) => lengths.push(bytes.length));
      batches.push(lengths);
    });
    for (const length of [10, 20, 100_000, 30, 60_000, 60_000, 60_000, 60_000, 60_000]) {
      sender.send(RecordKind.data, 1, 0, new Uint8Array(length));
    }
    sender.flush();
    sender.flush();
    assert.deepEqual(batches, [
      [10, 20],
      [100_000],
      [30, 60_000, 60_000, 60_000, 60_000],
      [60_000],
    ]);
  });
});

describe('what the embedded engine is not asked for', () => {
  test('is refused with a sentence that says what to do instead', () => {
    assert.equal(
      refusedInProcess('shutdown', 'nosave'),
      'ERR SHUTDOWN is not possible on the embedded Valkey: stop the sidecar instead',
    );
    assert.match(refusedInProcess('module', 'load') ?? '', /^ERR MODULE LOAD is not possible/);
    for (const name of ['replicaof', 'slaveof', 'migrate', 'debug', 'save', 'bgsave', 'psync']) {
      assert.ok(refusedInProcess(name, null)?.startsWith(`ERR ${name.toUpperCase()} `), name);
      assert.ok(mayBeRefused(name), name);
    }
  });

  test('leaves everything else alone', () => {
    for (const [name, subcommand] of [
      ['get', null],
      ['module', 'list'],
      ['config', 'get'],
      ['script', 'kill'],
      ['acl', 'setuser'],
      ['cluster', 'info'],
    ] as const) {
      assert.equal(refusedInProcess(name, subcommand), null, `${name} ${subcommand}`);
    }
    assert.equal(mayBeRefused('get'), false);
  });

  test('covers parameters of CONFIG SET anywhere in the list, and no values', () => {
    const refused = (...settings: string[]): string | null =>
      refusedInProcess('config', 'set', settings);
    assert.match(
      refused('hz', '10', 'MaxMemory', '0') ?? '',
      /CONFIG SET maxmemory .*--embedded-max-memory/,
    );
    assert.match(refused('tls-port', '1') ?? '', /CONFIG SET tls-port is not possible/);
    assert.equal(refused('notify-keyspace-events', 'port'), null);
    assert.ok(mayBeRefused('config'));
  });

  test('never puts what a client sent into the line as it is', () => {
    const line = refusedInProcess('config', 'set', ['tls-\r\n+OK', 'x']) ?? '';
    assert.ok(line !== '' && !/[\r\n]/.test(line));
  });
});
