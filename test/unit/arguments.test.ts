import assert from 'node:assert/strict';
import { test } from 'node:test';
import { argumentCount, splitArguments } from '../../src/resp/arguments.js';
import { decodeArguments } from '../../src/resp/decoder.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { integerBelow, property, randomBytes } from '../helpers/fuzz.js';

test('the arguments of a frame are views of it, the name first', () => {
  const frame = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n');
  const args = splitArguments(frame);
  assert.deepEqual(args.map(String), ['SET', 'k', '']);
  assert.ok(args.every((arg) => arg.buffer === frame.buffer));
  assert.equal(argumentCount(frame), 3);
});

test('a frame in the middle of a larger buffer is read by itself', () => {
  const pipeline = Buffer.from('*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n');
  assert.deepEqual(splitArguments(pipeline.subarray(14)).map(String), ['GET', 'k']);
  assert.deepEqual(splitArguments(pipeline).map(String), ['PING']);
});

test('line breaks and headers inside of arguments are bytes like others', () => {
  const tricky = Buffer.from('\r\n$3\r\nfoo\r\n*1\r\n\0\xff', 'latin1');
  assert.deepEqual(splitArguments(encodeCommand(['SET', tricky, tricky])), [
    Buffer.from('SET'),
    tricky,
    tricky,
  ]);
});

property('what the decoder finds is found', 500, (random) => {
  const words = Array.from({ length: 1 + integerBelow(random, 20) }, () =>
    randomBytes(random, integerBelow(random, integerBelow(random, 4) === 0 ? 1200 : 12)),
  );
  const frame = encodeCommand(words);
  assert.deepEqual(splitArguments(frame), decodeArguments(frame));
  assert.equal(argumentCount(frame), words.length);
});
