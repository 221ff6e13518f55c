/**
 * The disk under the journal fails: every single write, sync and other call in turn, in every way a disk fails. Whatever
 * happens, what was acknowledged reads back, what was refused does not, in this process and in the next one, after a
 * kill and after a power failure; and the journal takes writes again by itself when the disk does (FAULTS.md: never a
 * false OK).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, type Random } from '../conformance/random.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FUZZ_SEED } from '../helpers/fuzz.js';
import { ModelDisk, type DiskCall, type Fault } from '../helpers/model-disk.js';
import {
  assertLedger,
  setCommand,
  TestJournal,
  turns,
  type Entry,
} from '../helpers/test-journal.js';

const SWEEP = 200;

/** Big enough that 64 kB segments are left now and then. */
const VALUE = 'x'.repeat(900);

class Run {
  readonly clock = new FakeClock();
  test!: TestJournal;
  refusals = 0;
  private appended = 0;

  constructor(
    readonly disk: ModelDisk,
    readonly random: Random,
    readonly fsync: 'always' | 'everysec' | 'no' = 'always',
  ) {}

  async open(): Promise<this> {
    this.test = await TestJournal.open(this.options());
    return this;
  }

  /** One tick in which clients write. */
  async tick(): Promise<void> {
    const { test: it, clock } = this;
    for (let left = 1 + Math.floor(this.random() * 3); left > 0; left -= 1) {
      this.appended += 1;
      try {
        it.append(setCommand(`k${this.appended}`, VALUE));
      } catch {
        this.refusals += 1;
        clock.advance(400);
        await turns(3);
      }
    }
    clock.endTick();
    await it.allSettled();
  }

  async ticks(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) await this.tick();
  }

  /** The journal is fine: it takes a record within the longest pause of its attempts. */
  async assertWorks(what: string): Promise<void> {
    for (let left = 20; left > 0 && this.test.journal.refusal(10) !== null; left -= 1) {
      this.clock.advance(1000);
      await turns(4);
    }
    assert.equal(this.test.journal.refusal(10), null, what);
    this.test.append(setCommand('last'));
    this.clock.endTick();
    assert.equal(await this.test.allSettled(), 'acknowledged', what);
  }

  /** What this process reads, and what the next one finds. */
  async assertKept(what: string): Promise<void> {
    const { ledger, journal } = this.test;
    const found = this.test.readAll();
    assertLedger(ledger, found, what);
    assert.equal(journal.pendingRecords, found.length, what);
    assert.equal(found.length, this.test.withFate('acknowledged').length, `${what}: unknown ones`);
    await assertFound(this.disk.afterKill(), ledger, this.options(), `${what}, after a kill`);
    if (this.fsync !== 'always') return;
    const after = this.disk.afterPowerFailure();
    await assertFound(after, ledger, this.options(), `${what}, after a power failure`);
  }

  /** What this process reads. */
  assertReads(ledger: readonly Entry[], what: string): void {
    const certain = ledger.filter(({ fate }) => fate !== 'unknown');
    assertLedger(certain, this.test.readAll(), what);
  }

  private options(): Parameters<typeof TestJournal.open>[0] & { files: ModelDisk } {
    return { files: this.disk, clock: this.clock, fsync: this.fsync };
  }
}

/** Opens `disk` twice, as a sidecar would that restarts, and crashes, and restarts. */
async function assertFound(
  disk: ModelDisk,
  ledger: readonly Entry[],
  options: Parameters<typeof TestJournal.open>[0],
  what: string,
): Promise<void> {
  let files = disk;
  for (const attempt of ['', ', and again']) {
    const next = await TestJournal.open({ ...options, files });
    assertLedger(ledger, next.readAll(), what + attempt);
    files = files.afterKill();
  }
}

/** Fails the n-th of these calls and the `more` that come behind it. Tells whether it came to that. */
function failNth(
  disk: ModelDisk,
  n: number,
  calls: readonly DiskCall[],
  fault: Fault,
  more = 0,
): () => boolean {
  let seen = 0;
  disk.fault = (call) => {
    if (!calls.includes(call)) return null;
    seen += 1;
    return seen >= n && seen <= n + more ? fault : null;
  };
  return () => seen >= n;
}

const WRITE_FAULTS: readonly [string, Fault][] = [
  ['is short', { takes: 500 }],
  ['takes a record and a half', { takes: 1500 }],
  ['ENOSPC', { code: 'ENOSPC' }],
  ['EIO', { code: 'EIO' }],
  ['EROFS', { code: 'EROFS' }],
];

for (const [name, fault] of WRITE_FAULTS) {
  test(`I3: the n-th write ${name}, n = 1…${SWEEP}`, () => sweep(['write'], fault, 0));
}

test(`I3: the n-th write is short and so are the next five`, () =>
  sweep(['write'], { takes: 700 }, 5));

for (const code of ['EIO', 'ENOSPC']) {
  test(`I3: the n-th sync fails with ${code}, n = 1…${SWEEP}`, () => sweep(['sync'], { code }, 0));
}

test('I3: the n-th sync fails, and so do the next seven', () =>
  sweep(['sync'], { code: 'EIO' }, 7));

test('I3: the n-th write is short and the segment cannot be cut back', async () => {
  for (let n = 1; n <= SWEEP; n += 1) {
    const random = seededRandom(FUZZ_SEED + n);
    const disk = new ModelDisk(random);
    const run = await new Run(disk, random).open();
    let writes = 0;
    let isFailing = false;
    disk.fault = (call) => {
      if (call === 'write') {
        writes += 1;
        isFailing = writes === n;
        return isFailing ? { takes: 1234 } : null;
      }
      return call === 'truncate' && isFailing ? { code: 'EIO' } : null;
    };
    await check(run, `write ${n}`, () => writes >= n);
  }
});

async function sweep(calls: readonly DiskCall[], fault: Fault, more: number): Promise<void> {
  for (let n = 1; n <= SWEEP; n += 1) {
    const random = seededRandom(FUZZ_SEED + n);
    const disk = new ModelDisk(random);
    const run = await new Run(disk, random).open();
    const wasMet = failNth(disk, n, calls, fault, more);
    await check(run, `${calls.join()} ${n}`, wasMet);
  }
}

/** Writes until the fault has come, looks, goes on, looks again. */
async function check(run: Run, what: string, wasMet: () => boolean): Promise<void> {
  while (!wasMet()) await run.tick();
  await run.assertKept(what);
  await run.ticks(3);
  run.disk.fault = () => null;
  await run.assertWorks(what);
  await run.assertKept(`${what}, in the end`);
}

for (const code of ['EMFILE', 'ENOSPC', 'EROFS', 'EIO']) {
  for (const call of ['create', 'rename', 'syncDirectory', 'remove'] as const) {
    test(`${call} fails with ${code} for a while`, async () => {
      const random = seededRandom(FUZZ_SEED);
      const disk = new ModelDisk(random);
      const run = await new Run(disk, random).open();
      await run.ticks(20);
      disk.fault = (each) => (each === call ? { code } : null);
      await run.ticks(80);
      await run.assertKept('while it lasts');
      run.test.journal.release(run.test.journal.settledSeq);
      run.clock.advance(2000);
      await turns();
      assert.deepEqual(run.test.readAll(run.test.journal.releasedSeq), []);
      disk.fault = () => null;
      await run.assertWorks('afterwards');
    });
  }
}

test('descriptors used up: the open segment goes on, nothing is refused', async () => {
  const random = seededRandom(FUZZ_SEED);
  const disk = new ModelDisk(random);
  const run = await new Run(disk, random).open();
  disk.fault = (call) => (call === 'create' || call === 'open' ? { code: 'EMFILE' } : null);
  await run.ticks(150);
  assert.equal(run.refusals, 0);
  assert.equal(run.test.readAll().length, run.test.ledger.length);
});

test('the disk is full for a while: refused with the reason, all of it readable, then it goes on by itself', async () => {
  const random = seededRandom(FUZZ_SEED);
  const disk = new ModelDisk(random);
  const run = await new Run(disk, random).open();
  await run.ticks(30);
  disk.fault = (call) => (call === 'write' ? { takes: 0 } : null);
  await run.tick();
  assert.match(run.test.journal.refusal(1)?.message ?? '', /^the journal's disk is full/);
  assert.throws(() => run.test.append(setCommand('a')), /disk is full/);
  await run.assertKept('while it is full');
  run.clock.advance(20_000);
  await turns();
  assert.match(run.test.journal.refusal(1)?.message ?? '', /disk is full/);
  disk.fault = () => null;
  await run.assertWorks('there is room');
  assert.ok(run.test.log.some((line) => line.includes('takes writes again')));
});

test('a directory that is read-only, from the first segment on, is opened, read and waited for', async () => {
  const random = seededRandom(FUZZ_SEED);
  const disk = new ModelDisk(random);
  const before = await new Run(disk, random).open();
  await before.ticks(10);
  const later = disk.afterKill();
  later.fault = (call) => (call === 'create' ? { code: 'EROFS' } : null);
  const run = await new Run(later, random).open();
  assertLedger(before.test.ledger, run.test.readAll(), 'read-only');
  assert.match(run.test.journal.refusal(1)?.message ?? '', /disk is read-only/);
  run.test.journal.release(run.test.journal.settledSeq);
  assert.equal(run.test.journal.pendingRecords, 0);
  later.fault = () => null;
  await run.assertWorks('writable again');
});

test('the directory is removed: refused, still readable, made again', async () => {
  const random = seededRandom(FUZZ_SEED);
  const disk = new ModelDisk(random);
  const run = await new Run(disk, random).open();
  await run.ticks(60);
  disk.removeDirectory();
  disk.fault = (call) => (call === 'prepare' ? { code: 'EACCES' } : null);
  await run.tick();
  assert.match(run.test.journal.refusal(1)?.message ?? '', /directory/);
  const kept = run.test.readAll();
  assertLedger(run.test.ledger, kept, 'removed');
  assert.equal(kept.length, run.test.withFate('acknowledged').length);
  disk.fault = () => null;
  await run.assertWorks('made again');
  const behind = kept.at(-1)!.seq;
  const added = run.test.readAll(behind);
  const next = await TestJournal.open({ files: disk.afterPowerFailure() });
  assert.deepEqual(
    next.readAll().map(({ seq }) => seq),
    added.map(({ seq }) => seq),
  );
  assert.equal(next.journal.id, run.test.journal.id);
});

test('somebody else is in the directory that was removed: refused until it is free', async () => {
  const random = seededRandom(FUZZ_SEED);
  const disk = new ModelDisk(random);
  const run = await new Run(disk, random).open();
  await run.ticks(5);
  disk.removeDirectory();
  await disk.prepare();
  const other = await disk.lock();
  await run.tick();
  assert.match(run.test.journal.refusal(1)?.message ?? '', /in use by another sidecar/);
  other.release();
  disk.put('segment-000000000009.journal', Buffer.alloc(10));
  run.clock.advance(5000);
  await turns();
  assert.match(run.test.journal.refusal(1)?.message ?? '', /holds another journal now/);
  await disk.remove('segment-000000000009.journal');
  await run.assertWorks('free');
});

test('everysec: a sync that fails is reported, and nothing is read from where it failed later', async () => {
  const random = seededRandom(FUZZ_SEED);
  const disk = new ModelDisk(random);
  const run = await new Run(disk, random, 'everysec').open();
  await run.ticks(5);
  failNth(disk, 1, ['sync'], { code: 'EIO' });
  run.clock.advance(1000);
  await turns();
  assert.ok(run.test.log.some((line) => line.includes('may not survive a power failure')));
  const segments = disk.list().length;
  await run.ticks(5);
  assert.equal(disk.list().length, segments + 1, 'the segment was left');
  await run.assertKept('everysec');
});

test('faults at random, kills and power failures at random, a hundred runs in each mode', async () => {
  for (const fsync of ['always', 'everysec', 'no'] as const) {
    for (let round = 0; round < 100; round += 1) {
      const random = seededRandom(FUZZ_SEED + round * 7919);
      await mixedRun(random, fsync, `RESPOOL_FUZZ_SEED=${FUZZ_SEED}, ${fsync}, round ${round}`);
    }
  }
});

async function mixedRun(random: Random, fsync: Run['fsync'], what: string): Promise<void> {
  let disk = new ModelDisk(random);
  const ledger: Entry[] = [];
  for (let life = 0; life < 4; life += 1) {
    disk.fault = () => null;
    const run = await new Run(disk, random, fsync).open();
    assertLedger(ledger, run.test.readAll(), `${what}, life ${life}`);
    // What was unknown has been found, or never will be.
    const there = new Set(run.test.readAll().map(({ seq }) => seq));
    for (const entry of ledger)
      if (entry.fate !== 'refused') entry.fate = there.has(entry.seq) ? 'acknowledged' : 'refused';
    disk.fault = (call) => randomFault(random, call);
    await run.ticks(10 + Math.floor(random() * 40));
    run.assertReads([...ledger, ...run.test.ledger], what);
    ledger.push(...run.test.ledger);
    const mayLosePower = fsync === 'always' && random() < 0.5;
    disk = mayLosePower ? disk.afterPowerFailure() : disk.afterKill();
  }
}

function randomFault(random: Random, call: DiskCall): Fault {
  if (call === 'lock' || call === 'read' || call === 'open' || random() > 0.03) return null;
  if (call === 'write' && random() < 0.5) return { takes: Math.floor(random() * 2000) };
  return { code: ['EIO', 'ENOSPC', 'EROFS', 'EMFILE'][Math.floor(random() * 4)]! };
}
