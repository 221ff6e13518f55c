/**
 * Journal directories as crashes and decaying disks leave them: cut at every byte of the last records, with flipped bits
 * anywhere. What is read back is exactly what was appended, in order; a flipped record is reported and never replayed;
 * nothing is missing but what was hit, or what stood behind it in the last commit, and that is in a file beside.
 *
 *   node build/test/faults/journal-images.test.js --images 20000
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFrom, seededRandom, type Random } from '../conformance/random.js';
import { FUZZ_SEED, integerBelow, randomBytes } from '../helpers/fuzz.js';
import { ModelDisk } from '../helpers/model-disk.js';
import { RECORD_HEADER_BYTES } from '../../src/journal/record.js';
import { SEGMENT_HEADER_BYTES } from '../../src/journal/segment-header.js';
import { setCommand, TestJournal, type Entry } from '../helpers/test-journal.js';

const asked = process.argv.indexOf('--images');
const IMAGES = asked < 0 ? 2_000 : Number(process.argv[asked + 1]);

/** A record of the original, and where it stands. */
interface Placed {
  readonly entry: Entry;
  readonly file: string;
  readonly at: number;
  readonly end: number;
  /** Which commit wrote it. */
  readonly commit: number;
}

/** A directory as it was before anything happened to it. */
interface Original {
  readonly disk: ModelDisk;
  readonly placed: readonly Placed[];
  readonly lastFile: string;
}

/** A journal of a few segments; its last commit has between one and four records. */
async function original(random: Random): Promise<Original> {
  const disk = new ModelDisk(random);
  const it = await TestJournal.open({ files: disk, segmentBytes: 7_000, random });
  const commits: Entry[][] = [];
  for (let left = 8 + integerBelow(random, 8); left > 0; left -= 1) {
    const before = it.ledger.length;
    for (let more = 1 + integerBelow(random, 4); more > 0; more -= 1) it.append(command(random));
    await it.allSettled();
    commits.push(it.ledger.slice(before));
  }
  const placed: Placed[] = [];
  const files = disk.list().sort();
  let file = files.shift()!;
  let at = SEGMENT_HEADER_BYTES;
  for (const [commit, entries] of commits.entries()) {
    if (at >= disk.contentsOf(file).length) {
      file = files.shift()!;
      at = SEGMENT_HEADER_BYTES;
    }
    for (const entry of entries) {
      const end = at + RECORD_HEADER_BYTES + entry.bytes.length;
      placed.push({ entry, file, at, end, commit });
      at = end;
    }
  }
  assert.deepEqual(files, [], 'the test knows where each record is');
  assert.equal(at, disk.contentsOf(file).length);
  return { disk, placed, lastFile: file };
}

/** Now and then with a value that looks like a journal's record. */
function command(random: Random): Buffer {
  const value = randomBytes(random, integerBelow(random, 300));
  if (integerBelow(random, 4) === 0 && value.length > 60) value.writeUInt32LE(20, 8);
  return setCommand(`k${integerBelow(random, 1000)}`, value.toString('latin1'));
}

function copyOf({ disk }: Original, change: (name: string, bytes: Buffer) => Buffer): ModelDisk {
  const copy = new ModelDisk(seededRandom(1));
  for (const name of disk.list()) copy.put(name, change(name, Buffer.from(disk.contentsOf(name))));
  return copy;
}

/** Opens the image and finds exactly `kept`; then the journal works, and a restart finds the same and the new one. */
async function assertFound(
  image: ModelDisk,
  kept: readonly Placed[],
  what: string,
): Promise<TestJournal> {
  const it = await TestJournal.open({ files: image });
  const seqs = kept.map(({ entry }) => entry.seq);
  const found = it.readAll();
  assert.deepEqual(
    found.map(({ seq }) => seq),
    seqs,
    what,
  );
  found.forEach(({ bytes }, index) => assert.deepEqual(bytes, kept[index]!.entry.bytes, what));
  assert.equal(it.journal.pendingRecords, kept.length, what);
  assert.equal(await it.appended(setCommand('new')), 'acknowledged', what);
  const next = await TestJournal.open({ files: image.afterKill() });
  assert.deepEqual(
    next.readAll().map(({ seq }) => seq),
    [...seqs, it.ledger[0]!.seq],
    what,
  );
  return it;
}

function reported(it: TestJournal, kind: string): number {
  return it.journal.findings.filter((finding) => finding.kind === kind).length;
}

test(`the last records cut at every byte, ${IMAGES / 2} images`, async () => {
  let images = 0;
  for (let round = 0; images < IMAGES / 2; round += 1) {
    const first = await original(seededRandom(FUZZ_SEED + round));
    const { placed, lastFile, disk } = first;
    const whole = disk.contentsOf(lastFile);
    const inLastFile = placed.filter(({ file }) => file === lastFile);
    const from = inLastFile.at(-4)?.at ?? inLastFile[0]?.at ?? SEGMENT_HEADER_BYTES;
    for (let size = from; size < whole.length && images < IMAGES / 2; size += 1) {
      images += 1;
      const what = `RESPOOL_FUZZ_SEED=${FUZZ_SEED}, round ${round}, cut at ${size}`;
      const image = copyOf(first, (name, bytes) =>
        name === lastFile ? bytes.subarray(0, size) : bytes,
      );
      const kept = placed.filter(({ file, end }) => file !== lastFile || end <= size);
      const it = await assertFound(image, kept, what);
      const tornAt = Math.max(
        SEGMENT_HEADER_BYTES,
        ...kept.filter(isIn(lastFile)).map(({ end }) => end),
      );
      assert.equal(reported(it, 'torn'), size === tornAt ? 0 : 1, what);
      if (size > tornAt) {
        const copy = it.journal.findings[0]!.copy!;
        assert.deepEqual(image.contentsOf(copy), whole.subarray(tornAt, size), what);
      }
    }
  }
});

test(`one to eight flipped bits somewhere, ${IMAGES / 2} images`, async () => {
  let images = 0;
  for (let round = 0; images < IMAGES / 2; round += 1) {
    const random = seededRandom(FUZZ_SEED + 104_729 * round);
    const first = await original(random);
    for (let left = 20; left > 0 && images < IMAGES / 2; left -= 1) {
      images += 1;
      const what = `RESPOOL_FUZZ_SEED=${FUZZ_SEED}, round ${round}, image ${images}`;
      await checkFlipped(first, random, what);
    }
  }
});

async function checkFlipped(first: Original, random: Random, what: string): Promise<void> {
  const { placed, lastFile } = first;
  const hitFile = chooseFrom(random, first.disk.list());
  const hits: number[] = [];
  const image = copyOf(first, (name, bytes) => {
    if (name !== hitFile) return bytes;
    const isInHeader = bytes.length === SEGMENT_HEADER_BYTES || random() < 0.1;
    const from = isInHeader ? 0 : SEGMENT_HEADER_BYTES;
    const until = isInHeader ? SEGMENT_HEADER_BYTES / 2 : bytes.length;
    const around = from + integerBelow(random, until - from);
    for (let bits = 1 + integerBelow(random, 8); bits > 0; bits -= 1) {
      const at = Math.min(until - 1, around + integerBelow(random, 30));
      bytes[at]! ^= 1 << integerBelow(random, 8);
      hits.push(at);
    }
    return bytes;
  });
  // Two flips of one bit are none.
  const changed = hits.filter(
    (at) => image.contentsOf(hitFile)[at] !== first.disk.contentsOf(hitFile)[at],
  );
  const isHit = ({ file, at, end }: Placed): boolean =>
    file === hitFile && changed.some((hit) => hit >= at && hit < end);
  const firstHit = placed.find(isHit);
  // In the newest commit that can be seen a flipped bit cannot be told from a tear: all of it from there on is cut, and
  // kept beside.
  const newest = placed.findLast((each) => each.file === lastFile && !isHit(each))?.commit ?? 0;
  const tear = placed.find(
    (each) => each.file === lastFile && isHit(each) && each.commit >= newest,
  );
  const isCut = ({ file, at }: Placed): boolean =>
    tear !== undefined && file === lastFile && at >= tear.at;
  const kept = placed.filter((each) => !isHit(each) && !isCut(each));
  const it = await assertFound(image, kept, what);
  const cut = placed.filter(isCut);
  assert.equal(reported(it, 'torn'), cut.length > 0 ? 1 : 0, what);
  if (cut.length > 0) {
    const copy = it.journal.findings.find(({ kind }) => kind === 'torn')!.copy!;
    assert.equal(image.contentsOf(copy).length, cut.at(-1)!.end - cut[0]!.at, what);
    assert.equal(hitFile, lastFile, what);
  }
  const isDamaged = placed.some((each) => isHit(each) && !isCut(each));
  assert.equal(reported(it, 'damaged') > 0, isDamaged, what);
  if (firstHit !== undefined)
    assert.ok(
      it.log.some((line) => line.includes(hitFile)),
      what,
    );
}

function isIn(name: string): (placed: Placed) => boolean {
  return ({ file }) => file === name;
}
