import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ScriptRegistry } from '../../src/script/registry.js';
import { BOOKKEEPING_BYTES, Script } from '../../src/script/script.js';
import { ShaTable } from '../../src/script/sha-table.js';
import { chooseFrom, integerBelow, property, type Random } from '../helpers/fuzz.js';

const LARGE = 2 ** 24;

function shaOf(source: Buffer | string): string {
  return createHash('sha1').update(source).digest('hex');
}

/** The registry's source for the sha1 of `source`. */
function known(registry: ScriptRegistry, source: Buffer | string): Buffer | null {
  return registry.sourceOf(Buffer.from(shaOf(source)));
}

function has(registry: ScriptRegistry, source: string): boolean {
  return registry.has(Buffer.from(shaOf(source)));
}

function learnAll(registry: ScriptRegistry, sources: readonly string[]): void {
  for (const source of sources) registry.learn(Buffer.from(source));
}

/** A registry with room for `count` scripts of 600 bytes. */
function roomFor(count: number): ScriptRegistry {
  return new ScriptRegistry({ maxBytes: count * (600 + BOOKKEEPING_BYTES) });
}

/** A source of 600 bytes. */
function sourceNumber(number: number): string {
  return `return ${number}`.padEnd(600, '-');
}

function listened(registry: ScriptRegistry): string[] {
  const events: string[] = [];
  registry.listener = {
    learned: (source) => events.push(`learned ${source.toString()}`),
    forgotten: (sha) => events.push(`forgotten ${sha}`),
  };
  return events;
}

test('a source is found by its sha1 in either case, once it was learned', () => {
  const registry = new ScriptRegistry({ maxBytes: LARGE });
  const source = Buffer.from('return 1');
  const sha = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';
  assert.equal(registry.sourceOf(Buffer.from(sha)), null);
  assert.deepEqual(registry.learn(source), { sha, isNew: true });
  assert.deepEqual(registry.learn(source), { sha, isNew: false });
  assert.deepEqual(registry.learn(Buffer.from(source)), { sha, isNew: false });
  for (const spelled of [sha, sha.toUpperCase(), `E0${sha.slice(2)}`]) {
    assert.deepEqual(registry.sourceOf(Buffer.from(spelled)), source);
    assert.ok(registry.has(Buffer.from(spelled)));
  }
  assert.equal(registry.count, 1);
  assert.equal(registry.bytes, source.length + BOOKKEEPING_BYTES);
});

test('what is not spelled as a sha1 is nobody', () => {
  const registry = new ScriptRegistry({ maxBytes: LARGE });
  registry.learn(Buffer.from('return 1'));
  const sha = Buffer.from(shaOf('return 1'));
  const wrong = [
    Buffer.alloc(0),
    sha.subarray(0, 39),
    Buffer.concat([sha, sha]),
    Buffer.from(`${sha.toString()} `),
    // Without their sixth bit digits are control characters, and letters are in upper case.
    Buffer.from(sha.map((byte) => byte & ~0x20)),
    Buffer.from(sha.map((byte) => byte | 0x80)),
    Buffer.from('g'.repeat(40)),
  ];
  for (const each of wrong) {
    assert.equal(registry.sourceOf(each), null, each.toString('latin1'));
    assert.equal(registry.has(each), false);
  }
});

test('a source is copied: what becomes of the chunk it came in does not matter', () => {
  const registry = new ScriptRegistry({ maxBytes: LARGE });
  const chunk = Buffer.from('....return 7....');
  registry.learn(chunk.subarray(4, 12));
  chunk.fill('x');
  const source = known(registry, 'return 7')!;
  assert.equal(source.toString(), 'return 7');
  assert.equal(source.buffer.byteLength, source.length, 'and nothing else is kept with it');
});

test('the least recently used script makes room; a question whether it is known is no use', () => {
  const registry = roomFor(4);
  const [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6].map(sourceNumber) as [string, ...string[]];
  learnAll(registry, [a, b!, c!, d!]);
  assert.ok(known(registry, a));
  learnAll(registry, [b!]);
  assert.ok(has(registry, c!));
  learnAll(registry, [e!]);
  assert.deepEqual(registry.learned().map(String), [d, a, b, e]);
  assert.ok(!has(registry, c!));
  assert.equal(known(registry, c!), null);
  learnAll(registry, [f!]);
  assert.deepEqual(registry.learned().map(String), [a, b, e, f]);
  assert.equal(registry.count, 4);
});

test('one that made room is learned again, although it was seen lately', () => {
  const registry = roomFor(4);
  learnAll(registry, [1, 2, 3, 4, 5].map(sourceNumber));
  const again = registry.learn(Buffer.from(sourceNumber(1)));
  assert.deepEqual(again, { sha: shaOf(sourceNumber(1)), isNew: true });
  assert.equal(known(registry, sourceNumber(1))?.toString(), sourceNumber(1));
});

test('a source longer than a quarter of the memory is not kept', () => {
  const registry = new ScriptRegistry({ maxBytes: 4000 });
  const others = ['return 1', 'return 2'];
  learnAll(registry, others);
  assert.equal(registry.learn(Buffer.alloc(1001, '-')), null);
  assert.deepEqual([registry.count, known(registry, '-'.repeat(1001))], [2, null]);
  assert.ok(registry.learn(Buffer.alloc(1000, '-')));
  assert.ok(others.every((source) => has(registry, source)));
  assert.ok(registry.bytes <= 4000);
});

test('what is no script is forgotten, and can be learned anew', () => {
  const registry = new ScriptRegistry({ maxBytes: LARGE });
  const events = listened(registry);
  learnAll(registry, ['return', 'retur']);
  registry.forget(shaOf('retur'));
  registry.forget(shaOf('never learned'));
  assert.deepEqual([has(registry, 'return'), has(registry, 'retur')], [true, false]);
  assert.deepEqual([registry.count, registry.bytes], [1, 6 + BOOKKEEPING_BYTES]);
  learnAll(registry, ['retur', 'return']);
  assert.deepEqual(events, [
    'learned return',
    'learned retur',
    `forgotten ${shaOf('retur')}`,
    'learned retur',
  ]);
});

test('preloaded scripts are not counted, make no room and need none', () => {
  const registry = roomFor(4);
  const events = listened(registry);
  const long = Buffer.alloc(5000, '-');
  registry.preload([Buffer.from('return 0'), long, Buffer.from('return 0')]);
  learnAll(registry, [1, 2, 3, 4, 5, 6].map(sourceNumber));
  assert.deepEqual(known(registry, long), long);
  assert.ok(has(registry, 'return 0'));
  assert.equal(registry.count, 6);
  assert.equal(registry.learnedBytes, registry.maxBytes);
  assert.equal(registry.bytes, registry.maxBytes + 5008 + 2 * BOOKKEEPING_BYTES);
  assert.deepEqual(registry.learn(Buffer.from('return 0')), {
    sha: shaOf('return 0'),
    isNew: false,
  });
  assert.deepEqual(
    events,
    [1, 2, 3, 4, 5, 6].map((n) => `learned ${sourceNumber(n)}`),
  );
});

test('one that is preloaded no more is as good as a learned one, which clients may still use', () => {
  const registry = roomFor(4);
  const long = Buffer.alloc(5000, '-');
  learnAll(registry, ['return 1']);
  registry.preload(['return 1', 'return 2', 'return 3'].map((text) => Buffer.from(text)));
  registry.preload([Buffer.from('return 3'), long]);
  assert.deepEqual(registry.learned().map(String), ['return 1', 'return 2']);
  const events = listened(registry);
  registry.preload([Buffer.from('return 2')]);
  assert.deepEqual(events, ['learned return 3'], 'too long a one goes');
  assert.deepEqual(registry.learned().map(String), ['return 1', 'return 3']);
  assert.deepEqual([registry.count, known(registry, long)], [3, null]);
  registry.forget(shaOf('return 2'));
  registry.preload([]);
  assert.deepEqual(registry.learned().map(String), ['return 1', 'return 3']);
  assert.equal(registry.bytes, 16 + 2 * BOOKKEEPING_BYTES);
});

test('scripts whose sha1 begin alike are told apart', () => {
  const table = new ShaTable();
  const scripts = ['0', '1', 'a'].map(
    (digit) => new Script(`${'abcdef0'.padEnd(39, 'f')}${digit}`, Buffer.from(digit)),
  );
  const found = (): (string | undefined)[] =>
    scripts.map(({ sha }) => table.find(Buffer.from(sha.toUpperCase()))?.source.toString());
  for (const script of scripts) table.add(script);
  assert.deepEqual(found(), ['0', '1', 'a']);
  table.remove(scripts[1]!);
  assert.deepEqual(found(), ['0', undefined, 'a']);
  table.add(scripts[1]!);
  table.remove(scripts[2]!);
  table.remove(scripts[1]!);
  assert.deepEqual(found(), ['0', undefined, undefined]);
  table.remove(scripts[0]!);
  assert.deepEqual([found(), table.count], [[undefined, undefined, undefined], 0]);
});

/** Sources that look alike: a few templates with a byte changed here or there. */
function similarSource(random: Random): Buffer {
  const length = chooseFrom(random, [0, 1, 3, 4, 7, 64, 511, 512, 513, 2000]);
  const source = Buffer.alloc(length, chooseFrom(random, ['-', 'return 1 ']));
  if (length > 0) source[integerBelow(random, length)] = 65 + integerBelow(random, 3);
  return source;
}

property('whatever was seen lately, a source has its own sha1', 20, (random) => {
  const registry = new ScriptRegistry({ maxBytes: 20_000 });
  for (let step = 0; step < 300; step += 1) {
    const source = similarSource(random);
    assert.equal(registry.learn(source)?.sha, shaOf(source));
    assert.deepEqual(known(registry, source), source);
  }
});

property(
  'the registry does what a list of sources in the order of their use does',
  40,
  (random) => {
    const maxBytes = 8000;
    const registry = new ScriptRegistry({ maxBytes });
    let model: Buffer[] = [];
    let pinned: Buffer[] = [];
    const among = (list: Buffer[], source: Buffer): boolean =>
      list.some((each) => each.equals(source));
    const without = (list: Buffer[], source: Buffer): Buffer[] =>
      list.filter((each) => !each.equals(source));
    const use = (source: Buffer): void => {
      model = [...without(model, source), source];
      const bytesOf = (): number =>
        model.reduce((sum, each) => sum + each.length + BOOKKEEPING_BYTES, 0);
      while (bytesOf() > maxBytes) model.shift();
    };
    const sources = Array.from({ length: 30 }, () => similarSource(random));
    for (let step = 0; step < 200; step += 1) {
      const source = chooseFrom(random, sources);
      const isKnown = among(model, source) || among(pinned, source);
      switch (integerBelow(random, 8)) {
        case 0:
          registry.forget(shaOf(source));
          model = without(model, source);
          pinned = without(pinned, source);
          break;
        case 1: {
          const former = pinned;
          pinned = [source, chooseFrom(random, sources)];
          registry.preload(pinned);
          for (const each of pinned) model = without(model, each);
          for (const each of former) if (!among(pinned, each) && !among(model, each)) use(each);
          break;
        }
        case 2:
        case 3:
          assert.deepEqual(known(registry, source), isKnown ? source : null);
          if (isKnown && !among(pinned, source)) use(source);
          break;
        default:
          assert.deepEqual(registry.learn(source), { sha: shaOf(source), isNew: !isKnown });
          if (!among(pinned, source)) use(source);
      }
      assert.deepEqual(registry.learned(), model);
      assert.ok(registry.learnedBytes <= maxBytes);
    }
    for (const source of sources)
      assert.equal(
        registry.has(Buffer.from(shaOf(source))),
        among(model, source) || among(pinned, source),
      );
  },
);
