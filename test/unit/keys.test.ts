/** Where keys stand. COMMAND GETKEYS of real servers is asked in test/integration/command-columns.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import { keysOf, MAY_NAME_KEYS } from '../../src/command/keys.js';
import { COMMANDS } from '../../src/command/table.js';

function keys(call: string): string | null {
  const args = call.split(' ').map((word) => Buffer.from(word, 'latin1'));
  return keysOf(classify(args[0]!, 0, args[0]!.length), args)?.join(' ') ?? null;
}

test('keys are found in each of the notations', () => {
  const known: [string, string][] = [
    ['PING', ''],
    ['GET a', 'a'],
    ['GET', ''],
    ['RENAME a b', 'a b'],
    ['DEL a b c', 'a b c'],
    ['BLPOP a b 10', 'a b'],
    ['MSET a 1 b 2', 'a b'],
    ['LMPOP 2 a b LEFT', 'a b'],
    ['BLMPOP 10 2 a b LEFT', 'a b'],
    ['ZUNIONSTORE d 2 a b WEIGHTS 1 2', 'd a b'],
    ['MSETEX 2 a 1 b 2 EX 10', 'a b'],
    ['EVAL s 2 a b c', 'a b'],
    ['EVAL s 0 a', ''],
    ['BITOP NOT d a', 'd a'],
    ['OBJECT ENCODING a', 'a'],
    ['MEMORY USAGE a', 'a'],
    ['MEMORY DOCTOR', ''],
    ['XREAD COUNT 1 BLOCK 0 STREAMS a b 0 0', 'a b'],
    ['XREADGROUP GROUP streams c STREAMS streams >', 'streams'],
    ['SORT a', 'a'],
    ['SORT a BY nosort LIMIT 0 1 STORE d', 'a d'],
    ['GEORADIUS a 1 2 3 km STORE d', 'a d'],
    ['MIGRATE h 1 a 0 10', 'a'],
  ];
  for (const [call, expected] of known) assert.equal(keys(call), expected, call);
  const migration = ['MIGRATE', 'h', '1', '', '0', '10', 'COPY', 'KEYS', 'a', 'b'];
  const args = migration.map((word) => Buffer.from(word));
  assert.equal(keysOf(classify(args[0]!, 0, 7), args)?.join(' '), 'a b');
});

test('what reaches keys that it does not name, or is not understood, has keys unknown', () => {
  for (const call of [
    ...['KEYS *', 'SCAN 0', 'RANDOMKEY', 'DBSIZE', 'FLUSHALL', 'NO.SUCH.COMMAND a'],
    ...['SORT a GET #', 'SORT a BY w:*', 'SORT a WHATEVER', 'LMPOP x a LEFT', 'LMPOP 3 a b'],
    ...['XREAD STREAMS a', 'XREAD STREAMS a b 0', 'XREAD', 'EVAL s', 'EVAL s -1 a'],
  ])
    assert.equal(keys(call), null, call);
});

test('a command without keys never has any', () => {
  COMMANDS.forEach(({ name }, id) => {
    const args = [name, 'a', '1', 'b'].map((word) => Buffer.from(word));
    if (MAY_NAME_KEYS[id] === 0) assert.deepEqual(keysOf(id, args), [], name);
  });
});
