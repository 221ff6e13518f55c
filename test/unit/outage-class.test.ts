/**
 * What becomes of each kind of command in an outage, by the words of SEMANTICS §1. That the rows agree with real servers
 * is shown in test/integration/command-columns.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import {
  describeOutageClass,
  OUTAGE_CLASSES,
  outageClassOf,
  type OutageClass,
} from '../../src/command/outage-class.js';
import { COMMANDS, OTHER_COMMAND } from '../../src/command/table.js';

function argumentsOf(call: string): Buffer[] {
  return call.split(' ').map((word) => Buffer.from(word, 'latin1'));
}

function classOf(call: string): OutageClass {
  const args = argumentsOf(call);
  return outageClassOf(classify(args[0]!, 0, args[0]!.length), args);
}

function areAll(expected: OutageClass, calls: string): void {
  for (const call of calls.trim().split(/\s*\n\s*/)) assert.equal(classOf(call), expected, call);
}

test('reads are answered by the outage store', () => {
  areAll(
    'read',
    `GET k
     HGETALL k
     KEYS *
     SCAN 0
     TOUCH k
     OBJECT ENCODING k
     MEMORY USAGE k
     XINFO STREAM s
     XREAD COUNT 1 STREAMS block 0
     SORT k BY w:* GET # LIMIT 0 10 ALPHA
     SORT_RO k
     GEORADIUS k 1 2 3 km COUNT 1 ANY ASC
     BITFIELD k GET u8 0 GET u8 8
     BITFIELD_RO k GET u8 0`,
  );
});

test('writes whose effect depends on nothing that is away are buffered', () => {
  areAll(
    'buffer',
    `SET k v
     set k v ex 10
     SET k v PXAT 1
     SETEX k 1 v
     MSET a 1 b 2
     MSETEX 1 k v EX 10
     DEL a b
     HSET k f v
     HSETEX k EX 10 FIELDS 1 f v
     HSETEX k FIELDS 2 NX v f v PX 10
     HEXPIRE k 10 FIELDS 1 nx
     SADD k nx
     ZADD k 1 nx
     ZADD k CH 1 m
     GEOADD k CH 1 2 nx
     LPUSH k v
     LTRIM k 0 9
     EXPIRE k 10
     PERSIST k
     APPEND k v
     SETBIT k 1 1
     BITFIELD k OVERFLOW SAT SET u8 0 1
     PFADD k v
     XADD s * f NOMKSTREAM
     XADD s MAXLEN ~ 10 LIMIT 5 1-1 f v
     XADD s minid = 10 KEEPREF * f v
     XACK s g 1-1
     XTRIM s MAXLEN 10`,
  );
});

test('what only the real data can answer is refused', () => {
  areAll(
    'refuse',
    `SETNX k v
     SET k v NX
     SET k v ex 10 xx
     SET k v GET
     SET k v KEEPTTL
     SET k v IFEQ w
     SET k v WHATEVER
     SET k v EX
     MSETNX a 1
     MSETEX 1 k v NX
     MSETEX x k v
     HSETEX k FNX FIELDS 1 f v
     HSETEX k FIELDS 1 f v KEEPTTL
     HEXPIRE k 10 GT FIELDS 1 f
     GETSET k v
     GETDEL k
     GETEX k
     INCR k
     HINCRBY k f 1
     ZADD k nx 1 m
     ZADD k GT CH 1 m
     ZADD k INCR 1 m
     GEOADD k XX 1 2 m
     EXPIRE k 10 NX
     EXPIRE k 10 WHATEVER
     BITFIELD k INCRBY u8 0 1
     BITFIELD k SET u8 0 1 GET u8 0
     LPOP k
     SPOP k
     LMPOP 1 k LEFT
     RENAME a b
     COPY a b
     RESTORE k 0 x REPLACE
     SORT k STORE d
     GEORADIUS k 1 2 3 km STORE d
     GEORADIUSBYMEMBER k m 3 km COUNT 1 STOREDIST d
     XADD s NOMKSTREAM * f v
     XADD s IDMP p i * f v
     XREADGROUP GROUP g c STREAMS s 0
     XREADGROUP GROUP g c STREAMS a b > 0
     XREADGROUP GROUP g c STREAMS
     XCLAIM s g c 0 1-1
     XGROUP CREATE s g $
     WATCH k
     EVAL s 0
     EVALSHA_RO s 0
     SCRIPT LOAD x
     FUNCTION LIST
     FLUSHALL
     CONFIG GET *
     DEBUG SLEEP 1
     MEMORY DOCTOR
     CLIENT TRACKING ON
     CLIENT KILL ID 1
     CLIENT REPLY OFF
     CLIENT
     VADD k VALUES 1 1 e
     NO.SUCH.COMMAND k`,
  );
});

test('who waits for data waits on', () => {
  areAll(
    'wait',
    `BLPOP k 0
     BZMPOP 0 1 k MIN
     XREAD BLOCK 0 STREAMS s $
     XREADGROUP GROUP g c STREAMS s >
     XREADGROUP GROUP g c COUNT 1 BLOCK 0 NOACK STREAMS a b > >`,
  );
});

test('what concerns nobody’s data is answered as Redis would', () => {
  areAll(
    'local',
    `PING
     ECHO x
     HELLO 3
     SELECT 1
     QUIT
     COMMAND
     TIME
     INFO
     PUBLISH c m
     SPUBLISH c m
     SUBSCRIBE c
     CLIENT setname x
     CLIENT GETNAME
     CLIENT SETINFO LIB-NAME x
     CLIENT ID
     CLIENT NO-EVICT on
     MULTI`,
  );
});

test('a class is said whatever the arguments are, and none is dropped without a rule', () => {
  COMMANDS.forEach(({ name }, id) => {
    for (const rest of ['', ' x', ' x y z', ' BLOCK', ' STREAMS', ' FIELDS', ' 9 9 9', ' -1 -1']) {
      const outageClass = outageClassOf(id, argumentsOf(`${name}${rest}`));
      assert.notEqual(outageClass, 'drop', `${name}${rest}`);
      if (OUTAGE_CLASSES[id] !== 'by-argument') assert.equal(outageClass, OUTAGE_CLASSES[id]);
    }
  });
  assert.equal(OUTAGE_CLASSES[OTHER_COMMAND], 'refuse');
});

test('the column can be printed for every command', () => {
  COMMANDS.forEach(({ name, outage }, id) => {
    const text = describeOutageClass(id);
    assert.match(text, /read|buffer|refuse|wait|local/, name);
    if (outage !== 'by-argument') assert.equal(text, outage);
  });
});
