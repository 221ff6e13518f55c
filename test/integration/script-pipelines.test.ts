/**
 * Calls of scripts that stand together in a pipeline travel as one transaction (`src/proxy/script-bundle.ts`). Clients must
 * not be able to tell: neither by errors, nor by answers of any kind, nor by what they watch.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  INCREASE,
  NO_SCRIPT,
  UNKNOWN,
  pipelined,
  scriptStage,
  shaOf,
  type Command,
} from '../helpers/script-stage.js';

test('a call that is refused does not take its neighbours along', async (t) => {
  const { client, direct } = await scriptStage(t);
  await client.command('SCRIPT', 'LOAD', INCREASE);
  await direct.command('ACL', 'SETUSER', 'bob', 'on', '>pw', '~ours:*', '+@all');
  for (const one of [client, direct]) {
    assert.equal(await one.ask('AUTH', 'bob', 'pw'), '+OK\r\n');
    await one.command('SET', 'ours:n', 1);
    const call = (key: string): Command => ['EVALSHA', shaOf(INCREASE), 1, key];
    const replies = await pipelined(
      one,
      ...[call('ours:n'), call('theirs'), call('ours:n'), ['GET', 'ours:n']],
      // Directly behind such a call, one that is not known.
      ...[call('theirs'), call('ours:n'), ['EVALSHA', UNKNOWN, 0], ['GET', 'ours:n']],
    );
    const firstLines = replies.map((reply) => reply.replace(/^-(?!NOSCRIPT)(\w+).*/s, '-$1'));
    const [three, four] = ['$1\r\n3\r\n', '$1\r\n4\r\n'];
    assert.deepEqual(firstLines, [
      ...[':2\r\n', '-NOPERM', ':3\r\n', three],
      ...['-NOPERM', ':4\r\n', NO_SCRIPT, four],
    ]);
  }
});

test('pipelined calls with errors and answers of every kind are answered as by Redis', async (t) => {
  const { client, direct } = await scriptStage(t);
  const sources = [
    "return redis.error_reply('MINE is an error')",
    "error('thrown')",
    "return {1, 'x', {redis.status_reply('FINE'), false}, {}}",
    "redis.setresp(3) return redis.call('HGETALL', KEYS[1])",
    "return redis.call('LPUSH', KEYS[1], 'wrong type')",
    "return string.rep('x', 100000)",
    INCREASE,
  ];
  const calls: Command[] = sources.map((source) => ['EVALSHA', shaOf(source), 1, 'h']);
  calls.push(['EVALSHA', shaOf(INCREASE), 7, 'n'], ['EVALSHA', shaOf(INCREASE), 'x', 'n']);
  calls.push(['EVALSHA', shaOf(INCREASE), 1, 'n'], ['GET', 'n']);
  for (const protocol of [2, 3]) {
    const told: string[][] = [];
    for (const one of [direct, client]) {
      await one.command('HELLO', protocol);
      await one.command('DEL', 'n');
      await one.command('HSET', 'h', 'field', 'value');
      for (const source of sources) await one.command('SCRIPT', 'LOAD', source);
      told.push(await pipelined(one, ...calls));
    }
    assert.deepEqual(told[1], told[0]);
  }
});

test('pipelined calls behind WATCH leave it in force, and run whatever was changed', async (t) => {
  const { client, direct } = await scriptStage(t);
  await client.command('SCRIPT', 'LOAD', INCREASE);
  const call: Command = ['EVALSHA', shaOf(INCREASE), 1, 'n'];
  assert.equal(await client.ask('WATCH', 'watched'), '+OK\r\n');
  await direct.command('SET', 'watched', 'changed');
  assert.deepEqual(await pipelined(client, call, call, call), [':1\r\n', ':2\r\n', ':3\r\n']);
  const transaction: Command[] = [['MULTI'], ['SET', 'n', 0], ['EXEC']];
  assert.equal((await pipelined(client, ...transaction)).at(-1), '*-1\r\n');
  assert.equal(await client.ask('GET', 'n'), '$1\r\n3\r\n');
});
