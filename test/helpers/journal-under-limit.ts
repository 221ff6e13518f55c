/**
 * A program for tests: a journal in a process whose files may not grow beyond a limit (`ulimit -f`, whose signal is
 * ignored by Node), or that has used up its descriptors. Prints what it was told, as JSON.
 *
 *   node journal-under-limit.js <directory> files|descriptors
 */
import { closeSync, openSync } from 'node:fs';
import { diskFiles } from '../../src/journal/disk-files.js';
import { setCommand, TestJournal } from './test-journal.js';

const [directory = '', limit = ''] = process.argv.slice(2);
process.on('SIGXFSZ', () => {});

const it = await TestJournal.open({
  files: diskFiles(directory),
  segmentBytes: limit === 'files' ? 64 * 1024 * 1024 : 100_000,
  maxBytes: 256 * 1024 * 1024,
});
const taken = limit === 'descriptors' ? takeAll() : [];
let refusal: string | null = null;
for (let tick = 0; tick < 200 && refusal === null; tick += 1) {
  for (let n = 0; n < 3; n += 1) {
    refusal ??= it.journal.refusal(1_000)?.message ?? null;
    if (refusal === null) it.append(setCommand(`k${tick}-${n}`, 'x'.repeat(1_000)));
  }
  await it.allSettled();
}
const readable = it.readAll().length;
for (const fd of taken) closeSync(fd);
process.stdout.write(
  JSON.stringify({ refusal, readable, fates: it.ledger.map(({ seq, fate }) => [seq, fate]) }),
);
process.exit(0);

function takeAll(): number[] {
  const fds: number[] = [];
  try {
    for (;;) fds.push(openSync('/dev/null', 'r'));
  } catch {
    return fds;
  }
}
