/**
 * What goes into the journal in place of what was said. That it does what the command did is shown on real servers in
 * test/integration/command-columns.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import {
  journalForm,
  NEEDS_JOURNAL_FORM,
  toldIdAt,
  xaddWithStar,
} from '../../src/command/journal-form.js';
import { splitArguments } from '../../src/resp/arguments.js';
import { encodeCommand } from '../../src/resp/encoder.js';

const WALL_MS = 1_789_000_000_000;
const OK = Buffer.from('+OK\r\n');

function frameOf(call: string): Buffer {
  return encodeCommand(call.split(' ').map((word) => Buffer.from(word, 'latin1')));
}

function idOf(frame: Buffer): number {
  const name = splitArguments(frame)[0]!;
  return classify(name, 0, name.length);
}

function formOf(call: string, reply: Buffer = OK): string {
  const frame = frameOf(call);
  const form = journalForm(idOf(frame), frame, null, reply, WALL_MS);
  assert.deepEqual(journalForm(idOf(frame), frame, splitArguments(frame), reply, WALL_MS), form);
  return splitArguments(form).join(' ');
}

function bulk(text: string): Buffer {
  return Buffer.from(`$${text.length}\r\n${text}\r\n`);
}

test('times of expiry become absolute', () => {
  const known: [string, string][] = [
    ['SET k v EX 60', 'SET k v PXAT 1789000060000'],
    ['set k v px 60', 'set k v PXAT 1789000000060'],
    ['SET k EX EX 60', 'SET k EX PXAT 1789000060000'],
    ['SETEX k 60 v', 'SET k v PXAT 1789000060000'],
    ['PSETEX k 60 v', 'SET k v PXAT 1789000000060'],
    ['EXPIRE k 60', 'PEXPIREAT k 1789000060000'],
    ['EXPIRE k -60', 'PEXPIREAT k 1788999940000'],
    ['PEXPIRE k 60 NX', 'PEXPIREAT k 1789000000060 NX'],
    ['HEXPIRE h 60 FIELDS 1 f', 'HPEXPIREAT h 1789000060000 FIELDS 1 f'],
    ['HPEXPIRE h 60 FIELDS 1 f', 'HPEXPIREAT h 1789000000060 FIELDS 1 f'],
    ['HSETEX h EX 60 FIELDS 1 EX 5', 'HSETEX h PXAT 1789000060000 FIELDS 1 EX 5'],
    ['HSETEX h FIELDS 1 EX 5 PX 60', 'HSETEX h FIELDS 1 EX 5 PXAT 1789000000060'],
    ['MSETEX 1 EX 5 EX 60', 'MSETEX 1 EX 5 PXAT 1789000060000'],
    ['GETEX k EX 60', 'GETEX k PXAT 1789000060000'],
    ['HGETEX h PX 60 FIELDS 1 PX', 'HGETEX h PXAT 1789000000060 FIELDS 1 PX'],
    ['EXPIRE k 9223370247854775', 'PEXPIREAT k 9223372036854775000'],
  ];
  for (const [call, expected] of known) assert.equal(formOf(call), expected, call);
});

test('what is said absolutely, or says no time, goes in as it came: the very frame', () => {
  for (const call of [
    'SET k v',
    'SET EX v',
    'SET k v EXAT 1789000060',
    'SET k v KEEPTTL',
    'EXPIREAT k 1789000060',
    'HSETEX h FIELDS 1 EX 60',
    'MSETEX 1 EX 5',
    'RPUSH k EX 60',
    'XADD s 1-1 f *',
  ]) {
    const frame = frameOf(call);
    assert.equal(journalForm(idOf(frame), frame, null, OK, WALL_MS), frame, call);
  }
});

test('an entry that asked for an id gets the one its client was told', () => {
  const told = bulk('1789000000000-7');
  const known: [string, string][] = [
    ['XADD s * f *', 'xAdd s 1789000000000-7 f *'],
    ['xadd s 1789000000000-* f v', 'xAdd s 1789000000000-7 f v'],
    ['XADD s MAXLEN ~ 5 LIMIT 9 * f v', 'xAdd s MAXLEN ~ 5 LIMIT 9 1789000000000-7 f v'],
    ['XADD s NOMKSTREAM minid 5 * f v', 'xAdd s NOMKSTREAM minid 5 1789000000000-7 f v'],
  ];
  for (const [call, expected] of known) assert.equal(formOf(call, told), expected, call);
});

test('an entry that was not added keeps its star', () => {
  for (const nil of ['$-1\r\n', '_\r\n'])
    assert.equal(formOf('XADD s NOMKSTREAM * f v', Buffer.from(nil)), 'XADD s NOMKSTREAM * f v');
});

test('only an id that the outage store gave may be exchanged in replay', () => {
  const frame = frameOf('XADD s MAXLEN = 5 * f v');
  const form = journalForm(idOf(frame), frame, null, bulk('9-1'), WALL_MS);
  assert.equal(splitArguments(xaddWithStar(form)!).join(' '), 'XADD s MAXLEN = 5 * f v');
  assert.equal(toldIdAt(splitArguments(form)), 5);
  for (const call of ['XADD s 9-1 f v', 'xadd s 9-1 f v', 'SET k v', 'GET xAdd']) {
    assert.equal(xaddWithStar(frameOf(call)), null, call);
    assert.equal(toldIdAt(splitArguments(frameOf(call))), -1, call);
  }
});

test('a client that writes XADD in that very way is told apart', () => {
  assert.equal(formOf('xAdd s 9-1 f v', bulk('9-1')), 'XADD s 9-1 f v');
  assert.equal(xaddWithStar(frameOf(formOf('xAdd s 9-1 f v', bulk('9-1')))), null);
});

test('bytes survive the rewriting', () => {
  const binary = Buffer.from('\r\n\0\xff$3\r\n*', 'latin1');
  const frame = encodeCommand(['SET', binary, binary, 'EX', '1']);
  const [, key, value] = splitArguments(journalForm(idOf(frame), frame, null, OK, WALL_MS));
  assert.deepEqual([key, value], [binary, binary]);
});

test('most frames need not be looked at', () => {
  const needing = NEEDS_JOURNAL_FORM.filter((needs) => needs === 1).length;
  assert.equal(needing, 12);
  for (const [name, needs] of [
    ['SET', 1],
    ['XADD', 1],
    ['HSET', 0],
    ['PEXPIREAT', 0],
    ['NO.SUCH.COMMAND', 0],
  ] as const)
    assert.equal(NEEDS_JOURNAL_FORM[idOf(frameOf(name))], needs, name);
});
