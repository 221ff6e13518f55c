import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock, type Clock } from '../../src/base/clock.js';
import { cutRequests } from '../../src/resp/cut-requests.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { ScriptFile } from '../../src/script/script-file.js';
import { ScriptRegistry } from '../../src/script/registry.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FUZZ_SEED, mutated } from '../helpers/fuzz.js';
import { RecordingLogger } from '../helpers/replaying.js';
import { seededRandom } from '../conformance/random.js';

const SMALL_FILE_BYTES = 64 * 1024;

interface Opened {
  readonly registry: ScriptRegistry;
  readonly file: ScriptFile;
  readonly log: readonly string[];
}

async function openFile(
  path: string,
  maxBytes = 2 ** 20,
  clock: Clock = systemClock,
): Promise<Opened> {
  const registry = new ScriptRegistry({ maxBytes });
  const logger = new RecordingLogger();
  const file = await ScriptFile.open({ path, registry, clock, logger });
  return { registry, file, log: logger.lines };
}

/** What a sidecar that starts now learns from the file. */
async function learnedFrom(path: string, maxBytes?: number): Promise<string[]> {
  const { registry, file } = await openFile(path, maxBytes);
  await file.close();
  return texts(registry);
}

function texts(registry: ScriptRegistry): string[] {
  return registry.learned().map((source) => source.toString('latin1'));
}

function pathIn(t: TestContext): string {
  return join(temporaryDirectory(t), 'scripts.resp');
}

function loadCommands(sources: readonly string[]): Buffer {
  return Buffer.concat(
    sources.map((source) => encodeCommand(['SCRIPT', 'LOAD', Buffer.from(source, 'latin1')])),
  );
}

function learnAll(registry: ScriptRegistry, sources: readonly string[]): void {
  for (const source of sources) registry.learn(Buffer.from(source, 'latin1'));
}

/** A new source of about `bytes`. */
function sourceNumber(number: number, bytes = 1000): string {
  return `return ${number}`.padEnd(bytes, '-');
}

/** With what a frame must not be confused: line ends, and frames. */
const AWKWARD = [
  'return 1',
  '',
  '\r\n$3\r\n',
  loadCommands(['return "in a script"']).toString('latin1'),
  'return "\xff\x00"',
];

test('what was learned is known to the next run, and is RESP', async (t) => {
  const path = pathIn(t);
  const { registry, file, log } = await openFile(path);
  learnAll(registry, AWKWARD);
  await file.close();
  assert.deepEqual(readFileSync(path), loadCommands(AWKWARD));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const again = await openFile(path);
  learnAll(again.registry, ['return 1', 'return 2']);
  await again.file.close();
  assert.deepEqual(readFileSync(path), loadCommands([...AWKWARD, 'return 2']));
  assert.deepEqual((await learnedFrom(path)).sort(), [...AWKWARD, 'return 2'].sort());
  assert.deepEqual(
    [...log, ...again.log].filter((line) => !line.startsWith('scripts: read')),
    [],
  );
});

test('what a tick has learned is one write at its end, and nothing is written before', async (t) => {
  const path = pathIn(t);
  const clock = new FakeClock();
  const { registry, file } = await openFile(path, undefined, clock);
  learnAll(registry, ['return 1', 'return 2']);
  assert.equal(statSync(path).size, 0);
  clock.endTick();
  const expected = loadCommands(['return 1', 'return 2']);
  await eventually('it is written', () => readFileSync(path).equals(expected));
  await file.close();
});

test('nothing is learned from it any more when it is closed', async (t) => {
  const path = pathIn(t);
  const { registry, file } = await openFile(path);
  learnAll(registry, ['return 1']);
  await file.close();
  learnAll(registry, ['return 2']);
  assert.deepEqual(await learnedFrom(path), ['return 1']);
});

test('a script that was forgotten stays forgotten', async (t) => {
  const path = pathIn(t);
  const { registry, file } = await openFile(path);
  learnAll(registry, ['return 1', 'retur', 'return 2']);
  registry.forget(createHash('sha1').update('retur').digest('hex'));
  await file.close();
  assert.deepEqual(await learnedFrom(path), ['return 1', 'return 2']);
});

test('with less memory than last time the oldest ones are left out', async (t) => {
  const path = pathIn(t);
  const { registry, file } = await openFile(path);
  learnAll(
    registry,
    [1, 2, 3, 4, 5, 6].map((number) => sourceNumber(number)),
  );
  await file.close();
  assert.deepEqual(
    await learnedFrom(path, 6000),
    [3, 4, 5, 6].map((number) => sourceNumber(number)),
  );
});

test('a tail that is torn anywhere costs its script and no other', async (t) => {
  const path = pathIn(t);
  const whole = loadCommands(['return 1', 'return 22']);
  const firstBytes = loadCommands(['return 1']).length;
  for (let length = 0; length <= whole.length; length += 1) {
    writeFileSync(path, whole.subarray(0, length));
    const { registry, file, log } = await openFile(path);
    const expected = ['return 1', 'return 22'].slice(
      0,
      Number(length >= firstBytes) + Number(length >= whole.length),
    );
    assert.deepEqual(texts(registry), expected, `cut at ${length}`);
    const isTorn = length !== 0 && length !== firstBytes && length !== whole.length;
    assert.equal(
      log.some((line) => line.startsWith('scripts: a part of the file is lost')),
      isTorn,
      `cut at ${length}`,
    );
    learnAll(registry, ['return 3']);
    await file.close();
    assert.deepEqual(
      readFileSync(path),
      loadCommands([...expected, 'return 3']),
      `cut at ${length}`,
    );
  }
});

test('a damaged file costs what is damaged: nothing fails, and no sha1 has a wrong source', async (t) => {
  const path = pathIn(t);
  const sources = [...AWKWARD, ...[1, 2, 3, 4, 5].map((number) => sourceNumber(number, 60))];
  const random = seededRandom(FUZZ_SEED);
  let survivors = 0;
  for (let round = 0; round < 30; round += 1) {
    const hint = `RESPOOL_FUZZ_SEED=${FUZZ_SEED}, round ${round}`;
    writeFileSync(path, mutated(random, loadCommands(sources)));
    const { registry, file } = await openFile(path);
    for (const source of sources) {
      const sha = createHash('sha1').update(source, 'latin1').digest('hex');
      const known = registry.sourceOf(Buffer.from(sha))?.toString('latin1') ?? null;
      assert.ok(known === null || known === source, hint);
      survivors += Number(known !== null);
    }
    await file.close();
    assert.doesNotThrow(() => cutRequests(readFileSync(path)), hint);
    assert.deepEqual((await learnedFrom(path)).sort(), texts(registry).sort(), hint);
  }
  assert.ok(survivors > 30 * sources.length * 0.6, `${survivors} survived`);
});

test('a length that is wrong is not believed', async (t) => {
  const path = pathIn(t);
  const whole = loadCommands(['return 1', 'return 2']).toString();
  for (const length of ['7', '9', '0', '99', '67108864', '67108865']) {
    writeFileSync(path, whole.replace('$8', `$${length}`));
    assert.deepEqual(await learnedFrom(path), ['return 2'], length);
  }
});

test('what is learned while the file is made anew is in both', async (t) => {
  const path = pathIn(t);
  const large = [1, 2, 3, 4, 5, 6].map((number) => sourceNumber(number, 700_000));
  writeFileSync(path, loadCommands([...large, 'torn']).subarray(0, -1));
  const { registry, file } = await openFile(path, 2 ** 24);
  const meanwhile: string[] = [];
  const ticks = async (isOver: () => boolean): Promise<void> => {
    do {
      meanwhile.push(sourceNumber(meanwhile.length, 100));
      learnAll(registry, meanwhile.slice(-1));
      await new Promise((resolve) => setImmediate(resolve));
    } while (!isOver());
  };
  await ticks(() => existsSync(`${path}.new`));
  const before = meanwhile.length;
  await ticks(() => !existsSync(`${path}.new`));
  assert.ok(meanwhile.length > before + 1);
  await file.close();
  assert.deepEqual((await learnedFrom(path, 2 ** 24)).sort(), [...large, ...meanwhile].sort());
});

test('a file that has grown is made anew, and holds what the registry holds', async (t) => {
  const path = pathIn(t);
  const maxBytes = 100_000;
  const { registry, file } = await openFile(path, maxBytes);
  let largest = 0;
  for (let tick = 0; tick < 150; tick += 1) {
    learnAll(
      registry,
      [0, 1, 2, 3].map((n) => sourceNumber(tick * 4 + n)),
    );
    const newest = sourceNumber(tick * 4 + 3);
    do await new Promise((resolve) => setImmediate(resolve));
    while (!readFileSync(path).includes(newest));
    largest = Math.max(largest, statSync(path).size);
  }
  await file.close();
  assert.ok(largest > 2 * maxBytes, 'it was made anew only when it had grown');
  assert.ok(statSync(path).size <= SMALL_FILE_BYTES + 2 * maxBytes);
  assert.deepEqual((await learnedFrom(path, maxBytes)).sort(), texts(registry).sort());
  assert.ok(!existsSync(`${path}.new`));
});

test('one tick may bring more than can be kept: the file is made from what is', async (t) => {
  const path = pathIn(t);
  const { registry, file } = await openFile(path, 50_000);
  learnAll(
    registry,
    Array.from({ length: 300 }, (_, number) => sourceNumber(number)),
  );
  await file.close();
  assert.deepEqual(readFileSync(path), loadCommands(texts(registry)));
});

test('what an earlier process was making is removed', async (t) => {
  const path = pathIn(t);
  writeFileSync(path, loadCommands(['return 1']));
  writeFileSync(`${path}.new`, 'half of it');
  assert.deepEqual(await learnedFrom(path), ['return 1']);
  assert.ok(!existsSync(`${path}.new`));
});

/** Lets the retries of a minute fall due, and what they do end. */
async function minuteLater(clock: FakeClock, opened: Opened, log: RegExp): Promise<void> {
  clock.advance(60_000);
  await eventually(`the log says ${String(log)}`, () => {
    clock.endTick();
    return opened.log.some((line) => log.test(line));
  });
}

test('a disk that fails is one line in the log, is tried again, and then has everything', async (t) => {
  const path = pathIn(t);
  symlinkSync('/dev/full', path);
  const clock = new FakeClock();
  const opened = await openFile(path, undefined, clock);
  const { registry, file, log } = opened;
  learnAll(registry, ['return 1']);
  clock.endTick();
  await eventually('it has failed', () => log.length > 1);
  assert.match(log[1]!, /^scripts: new ones are not kept on disk .*ENOSPC/);
  learnAll(registry, ['return 2']);
  assert.equal(registry.count, 2);
  await minuteLater(clock, opened, /^scripts: kept on disk again/);
  learnAll(registry, ['return 3']);
  clock.endTick();
  await file.close();
  assert.deepEqual(readFileSync(path), loadCommands(['return 1', 'return 2', 'return 3']));
  assert.equal(log.length, 3);
});

test('a disk that never takes anything is one line in the log', async (t) => {
  const path = pathIn(t);
  mkdirSync(path);
  const clock = new FakeClock();
  const { registry, file, log } = await openFile(path, undefined, clock);
  learnAll(registry, ['return 1']);
  for (let minute = 0; minute < 3; minute += 1) {
    clock.advance(60_000);
    clock.endTick();
    await eventually('the next try is due', () => clock.timerCount > 0);
  }
  assert.equal(log.length, 1);
  assert.match(log[0]!, /^scripts: new ones are not kept on disk .*EISDIR/);
  await file.close();
  assert.equal(clock.timerCount, 0);
  assert.ok(registry.has(Buffer.from(createHash('sha1').update('return 1').digest('hex'))));
});

test('a file that is removed is made again', async (t) => {
  const path = pathIn(t);
  const clock = new FakeClock();
  const opened = await openFile(path, undefined, clock);
  const { registry, file, log } = opened;
  learnAll(registry, ['return 1']);
  rmSync(path);
  clock.endTick();
  await eventually('it is noticed', () => log.some((line) => line.includes('has been removed')));
  await minuteLater(clock, opened, /^scripts: kept on disk again/);
  await file.close();
  assert.deepEqual(readFileSync(path), loadCommands(['return 1']));
});
