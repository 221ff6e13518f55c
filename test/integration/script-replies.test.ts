/**
 * SEMANTICS §6 to the byte: what clients are told about scripts that Redis has forgotten, never knew, or was never told by
 * them. `faults/script-storm.test.ts` has the same under load and with real clients.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../helpers/child-process.js';
import {
  INCREASE,
  NO_SCRIPT,
  READ,
  UNKNOWN,
  pipelined,
  scriptStage,
  shaOf,
  stepwise,
  type Command,
} from '../helpers/script-stage.js';

const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';
const WAYS = { pipelined, stepwise };

for (const mode of ['heal', 'pass'] as const) {
  test(`--scripts ${mode}: what is wrong with a call is said in the words of Redis, in its place`, async (t) => {
    const { client, direct } = await scriptStage(t, '--scripts', mode);
    const commands: Command[] = [
      ['SET', 'n', 1],
      ['EVALSHA', UNKNOWN, 1, 'n'],
      ['EVALSHA_RO', UNKNOWN, 0],
      ['INCR', 'n'],
      ['EVALSHA', 'short', 0],
      ['EVALSHA', UNKNOWN],
      ['EVALSHA', UNKNOWN, 'x'],
      ['EVALSHA', UNKNOWN, 2, 'n'],
      ['EVAL', 'return', -1],
      ['EVAL', 'does not compile(', 0],
      ['EVAL', 'does not compile(', 0],
      ['SCRIPT', 'EXISTS', UNKNOWN, 'short'],
      ['SCRIPT', 'EXISTS'],
      ['SCRIPT', 'LOAD', 'does not compile('],
      ['SCRIPT', 'FLUSH', 'NOW'],
      ['SCRIPT', 'KILL'],
      ['FCALL', 'none', 0],
      ['GET', 'n'],
    ];
    for (const protocol of [2, 3]) {
      await client.command('HELLO', protocol);
      await direct.command('HELLO', protocol);
      for (const say of [pipelined, stepwise]) {
        const expected = await say(direct, ...commands);
        assert.equal(expected[1], NO_SCRIPT);
        assert.deepEqual(await say(client, ...commands), expected);
      }
      // Nobody promises to run what does not compile.
      assert.equal(await client.ask('EVALSHA', shaOf('does not compile('), 0), NO_SCRIPT);
    }
  });
}

for (const [way, say] of Object.entries(WAYS)) {
  test(`${way}: a script that Redis has forgotten runs, by either case of its name and of EVALSHA_RO`, async (t) => {
    const { client, forget } = await scriptStage(t);
    await stepwise(client, ['SCRIPT', 'LOAD', INCREASE], ['EVAL_RO', READ, 1, 'n']);
    for (let round = 1; round <= 3; round += 1) {
      await forget();
      const replies = await say(
        client,
        ['EVALSHA', shaOf(INCREASE).toUpperCase(), 1, 'n'],
        ['EVALSHA_RO', shaOf(READ), 1, 'n'],
        ['evalsha', shaOf(INCREASE), 1, 'n'],
        ['GET', 'n'],
      );
      const n = 2 * round;
      assert.deepEqual(replies, [
        `:${n - 1}\r\n`,
        `$1\r\n${n - 1}\r\n`,
        `:${n}\r\n`,
        `$1\r\n${n}\r\n`,
      ]);
    }
    await forget();
    const [refused] = await say(client, ['EVALSHA_RO', shaOf(INCREASE), 1, 'n'], ['GET', 'n']);
    assert.match(refused ?? '', /^-ERR Write commands are not allowed from read-only scripts/);
  });

  test(`${way}: in MULTI an unknown script is refused when it is queued, and nothing is half done`, async (t) => {
    const { client, direct } = await scriptStage(t);
    const replies = await say(
      client,
      ['MULTI'],
      ['SET', 'a', 1],
      ['EVALSHA', UNKNOWN, 0],
      ['SET', 'b', 1],
      ['EXEC'],
      ['EXISTS', 'a', 'b'],
    );
    assert.deepEqual(replies, [
      '+OK\r\n',
      '+QUEUED\r\n',
      NO_SCRIPT,
      '+QUEUED\r\n',
      ABORTED,
      ':0\r\n',
    ]);
    // Known to the upstream only, told past the sidecar: it need not be refused.
    await direct.command('SCRIPT', 'LOAD', INCREASE);
    const calls: Command[] = [['MULTI'], ['EVALSHA', shaOf(INCREASE), 1, 'n'], ['EXEC']];
    assert.deepEqual(await say(client, ...calls), ['+OK\r\n', '+QUEUED\r\n', '*1\r\n:1\r\n']);
    assert.deepEqual(await say(client, ['MULTI'], ['DISCARD']), ['+OK\r\n', '+OK\r\n']);
  });

  test(`${way}: in MULTI a forgotten script runs, as often as it is called, and so does one that is told there`, async (t) => {
    const { client, forget } = await scriptStage(t);
    const calls: Command[] = [
      ['MULTI'],
      ['EVALSHA', shaOf(INCREASE), 1, 'n'],
      ['INCR', 'n'],
      ['EVALSHA', shaOf(INCREASE), 1, 'n'],
      ['EVALSHA_RO', shaOf(READ).toUpperCase(), 1, 'n'],
      ['EXEC'],
    ];
    const told: Command[] = [
      ['MULTI'],
      ['SCRIPT', 'LOAD', INCREASE],
      ['EVAL', READ, 1, 'n'],
      ['EVALSHA', shaOf(INCREASE), 1, 'n'],
      ['EXEC'],
    ];
    const queued = (commands: readonly Command[]): string[] => [
      '+OK\r\n',
      ...Array.from({ length: commands.length - 2 }, () => '+QUEUED\r\n'),
    ];
    const learned = await say(client, ...told);
    assert.deepEqual(learned, [
      ...queued(told),
      `*3\r\n$40\r\n${shaOf(INCREASE)}\r\n$-1\r\n:1\r\n`,
    ]);
    for (const first of [2, 5]) {
      await forget();
      assert.deepEqual(await say(client, ...calls), [
        ...queued(calls),
        `*4\r\n:${first}\r\n:${first + 1}\r\n:${first + 2}\r\n$1\r\n${first + 2}\r\n`,
      ]);
    }
    // What is flushed in the transaction itself runs behind it, too.
    const [, , , last] = await say(
      client,
      ['MULTI'],
      ['SCRIPT', 'FLUSH'],
      ['EVALSHA', shaOf(INCREASE), 1, 'n'],
      ['EXEC'],
    );
    assert.equal(last, '*2\r\n+OK\r\n:8\r\n');
  });
}

test('SCRIPT EXISTS says 1 for what the sidecar can keep, and 0 for what only Redis knows', async (t) => {
  const { client, direct, forget } = await scriptStage(t);
  await client.command('EVAL', INCREASE, 1, 'n');
  await direct.command('SCRIPT', 'LOAD', READ);
  const known: Command = ['SCRIPT', 'EXISTS', shaOf(INCREASE), shaOf(READ), UNKNOWN];
  assert.equal(await client.ask(...known), '*3\r\n:1\r\n:0\r\n:0\r\n');
  await forget();
  assert.equal(await client.ask(...known), '*3\r\n:1\r\n:0\r\n:0\r\n');
  assert.equal(await client.ask('SCRIPT', 'EXISTS', shaOf(INCREASE).toUpperCase()), '*1\r\n:1\r\n');
});

test('SCRIPT EXISTS says 0 after a SCRIPT FLUSH through the sidecar, until somebody uses the script', async (t) => {
  const { client, direct } = await scriptStage(t);
  const known: Command = ['SCRIPT', 'EXISTS', shaOf(INCREASE), shaOf(READ)];
  for (const say of [(...words: Command) => client.ask(...words), direct.ask.bind(direct)]) {
    await client.command('SCRIPT', 'LOAD', INCREASE);
    assert.equal(await client.ask('SCRIPT', 'FLUSH'), '+OK\r\n');
    assert.equal(await say(...known), '*2\r\n:0\r\n:0\r\n');
    // Whoever learns of it hands the source over, or calls it all the same.
    await client.command('SCRIPT', 'LOAD', READ);
    assert.equal(await say(...known), '*2\r\n:0\r\n:1\r\n');
    assert.match(await client.ask('EVALSHA', shaOf(INCREASE), 1, 'n'), /^:\d\r\n$/);
    assert.equal(await say(...known), '*2\r\n:1\r\n:1\r\n');
  }
});

test('--scripts pass is Redis as it is: nothing is learned, nothing is healed', async (t) => {
  const { client, direct, forget } = await scriptStage(t, '--scripts', 'pass');
  await client.command('EVAL', INCREASE, 1, 'n');
  await forget();
  const commands: Command[] = [
    ['EVALSHA', shaOf(INCREASE), 1, 'n'],
    ['SCRIPT', 'EXISTS', shaOf(INCREASE)],
    ['MULTI'],
    ['SET', 'a', 1],
    ['EVALSHA', shaOf(INCREASE), 1, 'n'],
    ['EXEC'],
    ['GET', 'n'],
  ];
  const expected = await pipelined(direct, ...commands);
  assert.equal(expected[5], `*2\r\n+OK\r\n${NO_SCRIPT}`);
  assert.deepEqual(await pipelined(client, ...commands), expected);
  assert.deepEqual(await stepwise(client, ...commands), expected);
});

test('scripts of --scripts-dir run although nobody has ever told them', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'increase.lua'), INCREASE);
  writeFileSync(join(directory, 'notes.txt'), READ);
  const { client } = await scriptStage(t, '--scripts-dir', directory);
  const replies = await pipelined(
    client,
    ['SCRIPT', 'EXISTS', shaOf(INCREASE), shaOf(READ)],
    ['EVALSHA', shaOf(INCREASE), 1, 'n'],
    ['MULTI'],
    ['EVALSHA', shaOf(INCREASE), 1, 'n'],
    ['EXEC'],
  );
  assert.deepEqual(replies, [
    '*2\r\n:1\r\n:0\r\n',
    ':1\r\n',
    '+OK\r\n',
    '+QUEUED\r\n',
    '*1\r\n:2\r\n',
  ]);
});

test('a source for which there was no more room is told again, and nothing promises it meanwhile', async (t) => {
  const { client, forget } = await scriptStage(t, '--scripts-max-bytes', '64kb');
  await client.command('EVAL', INCREASE, 1, 'n');
  for (let n = 0; n < 20; n += 1) {
    await client.command('EVAL', `--${'x'.repeat(8_000)}\nreturn ${n}`, 0);
  }
  assert.equal(await client.ask('SCRIPT', 'EXISTS', shaOf(INCREASE)), '*1\r\n:0\r\n');
  // Redis has it still; when it has forgotten it as well, the client is told, and heals it as clients do.
  assert.equal(await client.ask('EVALSHA', shaOf(INCREASE), 1, 'n'), ':2\r\n');
  await forget();
  assert.equal(await client.ask('EVALSHA', shaOf(INCREASE), 1, 'n'), NO_SCRIPT);
  assert.equal(await client.ask('EVAL', INCREASE, 1, 'n'), ':3\r\n');
  await forget();
  assert.equal(await client.ask('EVALSHA', shaOf(INCREASE), 1, 'n'), ':4\r\n');
});
