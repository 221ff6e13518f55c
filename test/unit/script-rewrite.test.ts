import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitArguments } from '../../src/resp/arguments.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { withSource } from '../../src/script/rewrite.js';
import { chooseFrom, integerBelow, property, randomBytes } from '../helpers/fuzz.js';

const SHA = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';

function rewritten(frame: Buffer, source: Buffer): Buffer {
  return withSource(frame, splitArguments(frame), source);
}

test('EVALSHA becomes EVAL with the source, and the rest is as it was', () => {
  const frame = Buffer.from(`*4\r\n$7\r\nevalsha\r\n$40\r\n${SHA}\r\n$1\r\n1\r\n$3\r\nkey\r\n`);
  assert.equal(
    rewritten(frame, Buffer.from('return 1')).toString(),
    '*4\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$3\r\nkey\r\n',
  );
});

test('EVALSHA_RO becomes EVAL_RO, which may not write either', () => {
  const frame = encodeCommand(['EVALSHA_RO', SHA, '0']);
  assert.deepEqual(
    rewritten(frame, Buffer.from('return 2')),
    encodeCommand(['EVAL_RO', 'return 2', '0']),
  );
});

test('an empty source and one with every byte are written as they are', () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  for (const source of [Buffer.alloc(0), every]) {
    const frame = encodeCommand(['EVALSHA', SHA, '0']);
    assert.deepEqual(rewritten(frame, source), encodeCommand(['EVAL', source, '0']));
  }
});

test('the result does not change with the chunk that the frame came in', () => {
  const command = encodeCommand(['EVALSHA', SHA, '1', 'k']);
  const chunk = Buffer.concat([Buffer.from('*1\r\n$4\r\nPING\r\n'), command, command]);
  const frame = chunk.subarray(14, 14 + command.length);
  const result = rewritten(frame, Buffer.from('return 3'));
  chunk.fill(0);
  assert.deepEqual(result, encodeCommand(['EVAL', 'return 3', '1', 'k']));
});

property('whatever the arguments are, they stay', 100, (random) => {
  const source = randomBytes(random, integerBelow(random, 300));
  const [name, other] = chooseFrom(random, [
    ['EVALSHA', 'EVAL'],
    ['EVALSHA_RO', 'EVAL_RO'],
  ] as const);
  const rest = Array.from({ length: integerBelow(random, 14) }, () =>
    randomBytes(random, integerBelow(random, 20)),
  );
  assert.deepEqual(
    rewritten(encodeCommand([name, SHA, ...rest]), source),
    encodeCommand([other, source, ...rest]),
  );
});
