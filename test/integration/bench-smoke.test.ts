/** The benchmark itself, with counts so small that its numbers mean nothing: it runs, and its tables are complete. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { replaceBlock } from '../../bench/readme.js';
import { median } from '../../bench/turns.js';
import { run } from '../helpers/child-process.js';
import { mainFile, projectRoot } from '../helpers/project.js';

const BENCH = fileURLToPath(new URL('../../bench/run.js', import.meta.url));

/** The tables' cells in the output, by the first one of each row. */
async function rowsOf(...args: string[]): Promise<Map<string, string[]>> {
  const { code, stdout, stderr } = await run(process.execPath, [BENCH, '--quick', ...args], {
    cwd: projectRoot,
  });
  assert.equal(code, 0, stderr);
  const rows = stdout.split('\n').filter((line) => line.startsWith('| '));
  return new Map(
    rows.map((row) => {
      const [name = '', ...cells] = row
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1);
      return [name, cells];
    }),
  );
}

function assertNumbers(cells: readonly string[] | undefined, what: string): void {
  assert.ok(cells !== undefined && cells.length > 0, `no row "${what}"`);
  for (const cell of cells) assert.match(cell, /^[\d,.]*$/, what);
}

test('a comparison prints a row for each command and target, and a verdict for each goal', async () => {
  const rows = await rowsOf('--only', 'p1');
  for (const name of ['SET direct', 'SET respool', 'GET direct', 'GET respool']) {
    assertNumbers(rows.get(name), name);
  }
  // The peers may not be installed where the tests run; the goals are listed even so.
  const goals = [...rows].filter(([name]) => name.startsWith('P=1 '));
  assert.equal(goals.length, 4);
  for (const [, cells] of goals) assert.match(cells[2] ?? '', /^(yes|\*\*no\*\*|not measured)$/);
});

test('latency, memory and the effect of a large value are reported for Redis and the sidecar', async () => {
  const rows = await rowsOf('--only', 'latency,memory,interference');
  const names = ['GET', 'one large GET,', 'large GETs,', 'large SETs,'].flatMap((what) => [
    `${what} direct`,
    `${what} respool`,
  ]);
  for (const name of [...names, 'direct', 'respool']) assertNumbers(rows.get(name), name);
});

test('the embedded engine is compared with a redis-server', async () => {
  const rows = await rowsOf('--only', 'embedded');
  for (const load of ['P=1 SET', 'P=1 GET', 'P=16 SET', 'P=16 GET']) {
    for (const target of ['direct', 'embedded']) {
      assertNumbers(rows.get(`${load} ${target}`), `${load} ${target}`);
    }
  }
});

test('scripts are measured with the bytes that they cost, small and large, alone, pipelined and in MULTI', async () => {
  const rows = await rowsOf('--only', 'scripts');
  for (const size of ['200 bytes', '10 KB']) {
    for (const way of ['one by one', 'pipelined, 16', 'MULTI of one', 'MULTI of four']) {
      for (const target of ['direct', 'respool', 'respool, pass']) {
        assertNumbers(rows.get(`${size}, ${way}, ${target}`), `${size}, ${way}, ${target}`);
      }
    }
  }
});

test('what goes through in an outage is compared with a redis-server that waits for the same disk', async () => {
  const rows = await rowsOf('--only', 'outage-writes,outage-reads');
  const writers = ['AOF always', 'journal always', 'AOF everysec', 'journal everysec'];
  const names = ['P=1 SET', 'P=16 SET', 'P=1 LPUSH', 'P=16 LPUSH', '64 clients SET'].flatMap(
    (load) => writers.map((target) => `${load} ${target}`),
  );
  for (const load of ['P=1 GET', 'P=16 GET']) names.push(`${load} direct`, `${load} outage store`);
  for (const name of names) assertNumbers(rows.get(name), name);
  assert.equal([...rows.keys()].filter((name) => name.startsWith('outage')).length, 8);
});

test('replay and the switches into and out of an outage are timed', async () => {
  const rows = await rowsOf('--only', 'replay,switch');
  const names = ['SETs', 'a mix'].flatMap((what) => [
    `${what}, redis-cli --pipe`,
    `${what}, replay`,
  ]);
  names.push('kill -9 → breaker open', 'kill -9 → first buffered write acknowledged');
  for (const name of [...names, 'Redis answers → healthy']) assertNumbers(rows.get(name), name);
});

test('two builds are compared while all is well, and not without a second one', async () => {
  const rows = await rowsOf('--only', 'idle', '--compare', mainFile());
  for (const load of ['P=1 SET', 'P=1 GET', 'P=16 SET', 'P=16 GET']) {
    for (const target of ['direct', 'respool', 'other build']) {
      assertNumbers(rows.get(`${load} ${target}`), `${load} ${target}`);
    }
  }
  assert.equal([...rows.keys()].filter((name) => name.startsWith('idle')).length, 8);
  const { code, stderr } = await run(process.execPath, [BENCH, '--only', 'idle']);
  assert.equal(code, 1);
  assert.match(stderr, /"idle" compares two builds/);
});

test('an unknown scenario is refused by name', async () => {
  const { code, stderr } = await run(process.execPath, [BENCH, '--only', 'p17']);
  assert.equal(code, 1);
  assert.match(stderr, /no scenario called "p17"/);
});

test('a block of the page with the numbers is replaced and the rest is left alone', () => {
  const page = 'a\n<!-- p1 -->\nold\n<!-- /p1 -->\nb\n<!-- p16 -->\n<!-- /p16 -->\n';
  const expected = 'a\n<!-- p1 -->\n\nnew\n\n<!-- /p1 -->\nb\n<!-- p16 -->\n<!-- /p16 -->\n';
  assert.equal(replaceBlock(page, 'p1', 'new\n'), expected);
  assert.throws(() => replaceBlock(page, 'p17', ''), /no block "p17"/);
});

test('the median of the rounds is the middle one, or the mean of the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});
