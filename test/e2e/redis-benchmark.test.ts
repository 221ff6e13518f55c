/** redis-benchmark through the sidecar, with every option that changes how it talks. Rates are bench/'s business. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { run } from '../helpers/child-process.js';
import { cli } from './redis-cli.js';
import { describeTargets, type Target } from './targets.js';

const ALL_TESTS = [
  'PING_INLINE',
  'PING_MBULK',
  'SET',
  'GET',
  'INCR',
  'LPUSH',
  'RPUSH',
  'LPOP',
  'RPOP',
  'SADD',
  'HSET',
  'SPOP',
  'ZADD',
  'ZPOPMIN',
  'LPUSH (needed to benchmark LRANGE)',
  'LRANGE_100 (first 100 elements)',
  'LRANGE_300 (first 300 elements)',
  'LRANGE_500 (first 500 elements)',
  'LRANGE_600 (first 600 elements)',
  'MSET (10 keys)',
];

describeTargets('redis-benchmark', (target) => {
  it('runs all of its default tests', async () => {
    assert.deepEqual(await testsRun(target(), ['-n', '2000', '-c', '20']), ALL_TESTS);
  });

  it('runs all of them pipelined, 16 commands at a time', async () => {
    const ran = await testsRun(target(), ['-n', '2000', '-c', '20', '-P', '16']);
    assert.deepEqual(ran, ALL_TESTS);
  });

  it('runs with threads, in RESP3, with tracking, reconnecting, in another database', async () => {
    const variations = [
      ['--threads', '2', '-P', '4'],
      ['-3'],
      ['-3', '--enable-tracking', '-r', '100'],
      ['-k', '0'],
      ['--dbnum', '3', '-d', '1024', '-r', '1000'],
    ];
    for (const variation of variations) {
      const ran = await testsRun(target(), [
        '-n',
        '2000',
        '-c',
        '20',
        '-t',
        'set,get',
        ...variation,
      ]);
      assert.deepEqual(ran, ['SET', 'GET'], variation.join(' '));
    }
    assert.ok(Number(await cli(target(), ['-n', '3', 'DBSIZE'])) > 100);
  });

  it('runs every single request of a command of its own', async () => {
    await testsRun(target(), ['-n', '5000', '-c', '20', '-P', '8', 'INCR', 'bench:counter']);
    assert.equal(await cli(target(), ['GET', 'bench:counter']), '5000');
  });

  it('authenticates as an ACL user', async () => {
    await cli(target(), ['ACL', 'SETUSER', 'bench', 'on', '>secret', '~*', '+@all']);
    const asUser = ['--user', 'bench', '-a', 'secret', '-n', '500', '-t', 'ping_mbulk'];
    assert.deepEqual(await testsRun(target(), asUser), ['PING_MBULK']);
  });
});

/** The names of the tests that redis-benchmark ran, from its CSV; fails if it met an error. */
async function testsRun(target: Target, args: readonly string[]): Promise<string[]> {
  const all = ['-p', String(target.port), '--csv', ...args];
  const { code, stdout, stderr } = await run('redis-benchmark', all, { timeoutMs: 180_000 });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /error/i);
  const [header, ...rows] = stdout.trim().split('\n');
  assert.match(header ?? '', /^"test","rps"/);
  return rows.map((row) => {
    const [, name = '', requestsPerSecond = '0'] = /^"([^"]*)","([\d.]+)"/.exec(row) ?? [];
    assert.ok(Number(requestsPerSecond) > 0, row);
    return name;
  });
}
