import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeArguments, decodeFrame, ReplyError } from '../../src/resp/decoder.js';
import { encodeCommand, encodeError } from '../../src/resp/encoder.js';
import { COMMAND, RequestFramer } from '../../src/resp/request-framer.js';
import { integerBelow, property, randomBytes } from '../helpers/fuzz.js';

test('a command is an array of bulk strings; strings are UTF-8, bytes stay bytes', () => {
  assert.equal(encodeCommand(['PING']).toString(), '*1\r\n$4\r\nPING\r\n');
  assert.equal(encodeCommand(['SELECT', 12]).toString(), '*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n');
  assert.equal(encodeCommand(['é']).toString(), '*1\r\n$2\r\né\r\n');
  assert.deepEqual(
    encodeCommand([Buffer.from([0, 255, 13, 10])]),
    Buffer.from('*1\r\n$4\r\n\0\xff\r\n\r\n', 'latin1'),
  );
  assert.equal(encodeCommand(['']).toString(), '*1\r\n$0\r\n\r\n');
});

test('line breaks never reach an error line', () => {
  assert.equal(encodeError('ERR a\r\nb\nc').toString(), '-ERR a  b c\r\n');
  assert.deepEqual([...encodeError("got '\xff'")].at(-4), 0xff);
});

property('what is encoded is one frame and decodes to the same bytes', 300, (random) => {
  const parts = Array.from({ length: 1 + integerBelow(random, 8) }, () =>
    randomBytes(random, integerBelow(random, 40)),
  );
  const frame = encodeCommand(parts);
  const framer = new RequestFramer(1024);
  assert.equal(framer.next(frame, 0, frame.length), COMMAND);
  assert.equal(framer.frameEnd, frame.length);
  assert.deepEqual(decodeArguments(frame), parts);
});

test('a frame is decoded as the framer understood it, also where Redis does not look', () => {
  const frame = Buffer.from('*2\rX$4\rYECHOZZ$0\r\n\n\n');
  const framer = new RequestFramer(1024);
  assert.equal(framer.next(frame, 0, frame.length), COMMAND);
  assert.equal(framer.frameEnd, frame.length);
  assert.deepEqual(decodeArguments(frame).map(String), ['ECHO', '']);
});

test('every type of RESP2 has a value; an error is a value too', () => {
  const values: [string, unknown][] = [
    ['+OK\r\n', Buffer.from('OK')],
    [':42\r\n', 42],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['$2\r\nhi\r\n', Buffer.from('hi')],
    ['*2\r\n:1\r\n*1\r\n$1\r\nx\r\n', [1, [Buffer.from('x')]]],
    ['-ERR no\r\n', new ReplyError('ERR no')],
  ];
  for (const [frame, value] of values) assert.deepEqual(decodeFrame(Buffer.from(frame)), value);
});

test('half a frame, two frames and no frame at all are bugs of the caller', () => {
  for (const bytes of ['*1\r\n$4\r\nPI', '+OK\r\n+OK\r\n', '']) {
    assert.throws(() => decodeFrame(Buffer.from(bytes)), /one complete frame/);
  }
  assert.throws(() => decodeFrame(Buffer.from('?\r\n')));
  assert.throws(() => decodeArguments(Buffer.from('+OK\r\n')), /array of bulk strings/);
});

test('arguments may be as many as Redis allows without a stack of the same depth', () => {
  const parts = Array.from({ length: 200_000 }, () => 'x');
  assert.equal(decodeArguments(encodeCommand(parts)).length, parts.length);
});
