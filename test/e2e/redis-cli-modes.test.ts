/** redis-cli's modes that talk at length: bulk loading, key sampling, replication, statistics. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { temporaryDirectory } from '../helpers/child-process.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { cli, RunningCli } from './redis-cli.js';
import { describeTargets, upstreamKinds } from './targets.js';

const PIPED_COMMANDS = 12_000;

describeTargets('redis-cli modes', (target) => {
  it('loads 12,000 commands with --pipe and counts every reply', async () => {
    const commands = Array.from({ length: PIPED_COMMANDS }, (_, n) =>
      encodeCommand('SET', `pipe:${n}`, 'x'.repeat(n % 200)),
    );
    const summary = await cli(target(), ['--pipe'], Buffer.concat(commands));
    assert.match(summary, /errors: 0, replies: 12000$/);
    assert.equal(await cli(target(), ['STRLEN', 'pipe:11999']), '199');

    const withErrors = [...commands.slice(0, 1_000), encodeCommand('LPUSH', 'pipe:0', 'x')];
    const inline = Buffer.from('SET pipe:inline 1\r\n');
    const counted = await cli(target(), ['--pipe'], Buffer.concat([...withErrors, inline])).catch(
      (error: unknown) => String(error),
    );
    assert.match(counted, /WRONGTYPE/);
    assert.match(counted, /errors: 1, replies: 1002/);
  });

  it('lists every key once with --scan, and a pattern’s keys only', async () => {
    await cli(target(), ['-n', '1', 'EVAL', fill('scan:', 3_000), '0']);
    const all = (await cli(target(), ['-n', '1', '--scan'])).split('\n');
    assert.equal(all.length, 3_000);
    assert.equal(new Set(all).size, 3_000);
    const few = await cli(target(), ['-n', '1', '--scan', '--pattern', 'scan:299?']);
    assert.equal(few.split('\n').length, 10);
  });

  it('finds the big keys with --bigkeys and --memkeys', async () => {
    await cli(target(), ['-n', '5', 'SET', 'long', 'x'.repeat(5_000)]);
    await cli(target(), ['-n', '5', 'RPUSH', 'list', '1', '2', '3']);
    await cli(target(), ['-n', '5', 'EVAL', fill('small:', 500), '0']);
    const big = await cli(target(), ['-n', '5', '--bigkeys']);
    assert.match(big, /Biggest string found '"long"' has 5000 bytes/);
    assert.match(big, /Biggest +list found '"list"' has 3 items/);
    assert.match(big, /Sampled 502 keys/);
    const memory = await cli(target(), ['-n', '5', '--memkeys', '--memkeys-samples', '0']);
    assert.match(memory, /Biggest string found '"long"' has \d+ bytes/);
  });

  it('finds the hot keys with --hotkeys', async () => {
    await cli(target(), ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu']);
    await cli(target(), ['-n', '6', 'SET', 'hot', '1']);
    await cli(target(), ['-n', '6', 'SET', 'cold', '1']);
    await cli(target(), ['-n', '6', '-r', '300', 'GET', 'hot']);
    const report = await cli(target(), ['-n', '6', '--hotkeys']);
    assert.match(report, /hot key found with counter: \d+\tkeyname: "hot"/);
    await cli(target(), ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
  });

  it('prints rolling statistics with --stat', async (t) => {
    const stat = new RunningCli(t, target(), ['--stat', '-i', '0.05']);
    await stat.prints(
      /keys +mem +clients +blocked +requests +connections[^]*(\n\d+ +[\d.]+[KMG].*){3}/,
    );
  });

  it('samples latency with --latency, --latency-history and --latency-dist', async (t) => {
    const [min, max, average, samples] = (await cli(target(), ['--latency', '-i', '1', '--raw']))
      .split(' ')
      .map(Number);
    assert.ok(min !== undefined && max !== undefined && average !== undefined);
    assert.ok(min <= average && average <= max);
    assert.ok(samples !== undefined && samples > 3);
    const history = new RunningCli(t, target(), ['--latency-history', '-i', '0.05']);
    await history.prints(/\d+ \d+ [\d.]+ \d+\n -- 0\.\d+ seconds range\n[^]*seconds range/);
    const distribution = new RunningCli(t, target(), ['--latency-dist', '-i', '0.05']);
    await distribution.prints(/---------------------------------------------/);
  });

  it('simulates a cache with --lru-test', async (t) => {
    const lru = new RunningCli(t, target(), ['-n', '7', '--lru-test', '1000']);
    await lru.prints(/\d+ Gets\/sec \| Hits: \d+ \([\d.]+%\) \| Misses: \d+/);
  });
});

describeTargets(
  'redis-cli as a replica',
  (target) => {
    it('transfers a snapshot with --rdb', async (t) => {
      await cli(target(), ['SET', 'snapshot', 'x'.repeat(100_000)]);
      const file = join(temporaryDirectory(t), 'dump.rdb');
      await cli(target(), ['--rdb', file]);
      const bytes = readFileSync(file);
      assert.equal(bytes.toString('latin1', 0, 5), 'REDIS');
      assert.ok(bytes.includes('snapshot'));
      assert.equal(bytes.at(-9), 0xff, 'the end mark stands before the checksum');
    });

    it('transfers the functions with --functions-rdb', async (t) => {
      const library = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)";
      await cli(target(), ['-x', 'FUNCTION', 'LOAD'], library);
      const file = join(temporaryDirectory(t), 'functions.rdb');
      await cli(target(), ['--functions-rdb', file]);
      assert.ok(readFileSync(file).includes('mylib'));
    });

    it('follows the stream of writes with --replica', async (t) => {
      const replica = new RunningCli(t, target(), ['--replica']);
      await replica.prints(/SYNC done/);
      await cli(target(), ['SET', 'replicated', '1']);
      await replica.prints(/"SET","replicated","1"/i);
    });

    it('debugs a script step by step with --ldb', async (t) => {
      const file = join(temporaryDirectory(t), 'debug.lua');
      writeFileSync(file, 'local a = 41\nlocal b = a + 1\nreturn b\n');
      const session = await cli(target(), ['--ldb', '--eval', file], 'step\nprint a\ncontinue\n');
      assert.match(session, /Lua debugging session started/);
      assert.match(session, /<value> 41/);
    });
  },
  upstreamKinds.filter((kind) => kind === 'redis'),
);

/** A script that makes `count` keys with the prefix. */
function fill(prefix: string, count: number): string {
  return `for i = 0, ${count - 1} do redis.call('SET', '${prefix}' .. i, i) end`;
}
