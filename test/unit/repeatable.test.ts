/** What may be said again after an unknown outcome. Real servers prove it in test/integration/command-columns.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import { isRead, isRepeatable } from '../../src/command/repeatable.js';
import { COMMANDS } from '../../src/command/table.js';

function verdict(call: string): 'reads' | 'same' | 'differs' {
  const args = call.split(' ').map((word) => Buffer.from(word, 'latin1'));
  const id = classify(args[0]!, 0, args[0]!.length);
  if (isRead(id, args)) {
    assert.ok(isRepeatable(id, args), call);
    return 'reads';
  }
  return isRepeatable(id, args) ? 'same' : 'differs';
}

function areAll(expected: ReturnType<typeof verdict>, calls: string): void {
  for (const call of calls.trim().split(/\s*\n\s*/)) assert.equal(verdict(call), expected, call);
}

test('what changes nothing may always be said again', () => {
  areAll(
    'reads',
    `GET k
     XREAD BLOCK 0 STREAMS s $
     EVAL_RO s 0
     SORT k LIMIT 0 1
     GEORADIUS k 1 2 3 km
     BITFIELD k GET u8 0
     PING
     INFO
     CLIENT LIST
     CONFIG GET *
     SCRIPT EXISTS x
     MEMORY USAGE k
     WAIT 1 100`,
  );
});

test('I5: what leaves the same a second time may be repeated', () => {
  areAll(
    'same',
    `SET k v
     SET k v EX 10
     SET k v KEEPTTL
     SETEX k 10 v
     GETEX k EX 10
     DEL k
     HSET k f v
     SADD k m
     ZADD k 1 m
     ZADD k XX CH 1 m
     GEOADD k XX 1 2 m
     EXPIREAT k 100
     EXPIRE k 100
     SETRANGE k 0 v
     SETBIT k 0 1
     BITFIELD k SET u8 0 1
     LREM k 0 v
     LSET k 0 v
     LTRIM k 0 99
     LTRIM k -100 -1
     LTRIM k 0 -1
     XDEL s 1-1
     XTRIM s MAXLEN 100
     BITOP NOT d k
     SDIFFSTORE d a b
     ZUNIONSTORE d 2 a b
     ZRANGESTORE d a 0 1
     GEORADIUS k 1 2 3 km STORE d
     SORT k STORE d
     COPY a b REPLACE
     CLIENT SETNAME x
     SCRIPT LOAD x`,
  );
});

test('I5: what does more a second time, or lies in its reply, is not repeated', () => {
  areAll(
    'differs',
    `SETNX k v
     SET k v NX
     SET k v XX
     SET k v GET
     SET k v IFEQ w
     SET k v EX 10 WHATEVER
     GETSET k v
     GETDEL k
     INCR k
     APPEND k v
     RPUSH k v
     LREM k 1 v
     LTRIM k 1 -1
     LTRIM k 0 -99999999999999999
     LTRIM k 5 9
     ZADD k NX 1 m
     ZADD k INCR 1 m
     ZREMRANGEBYRANK k 0 1
     EXPIRE k 10 NX
     SPOP k
     XADD s * f v
     XADD s 1-1 f v
     XREADGROUP GROUP g c STREAMS s 0
     BITFIELD k SET u8 0 1 INCRBY u8 0 1
     BITOP NOT k k
     ZUNIONSTORE a 2 a b
     ZUNIONSTORE d x a b
     SORT k STORE k
     SORT k BY w:* STORE d
     COPY a b
     RENAME a b
     EVAL s 0
     FLUSHALL
     PUBLISH c m
     EXEC
     CLIENT KILL ID 1
     SCRIPT FLUSH
     CONFIG REWRITE
     NO.SUCH.COMMAND`,
  );
});

test('there is a verdict whatever the arguments are', () => {
  COMMANDS.forEach(({ name }) => {
    for (const rest of ['', ' x', ' x y z', ' FIELDS', ' 9 9 9', ' -1 -1 -1'])
      assert.match(verdict(`${name}${rest}`), /reads|same|differs/);
  });
});
