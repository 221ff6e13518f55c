/** Requests to cut, mutate and misread: all that Redis accepts in its shapes, and all that it refuses in its words. */
import { encodeCommand } from './raw-client.js';

/** Complete, valid traffic. One entry may hold several frames. */
export const REQUESTS: readonly string[] = [
  '*1\r\n$4\r\nPING\r\n',
  '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n',
  '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n',
  '*2\r\n$4\r\nECHO\r\n$11\r\n*1\r\n$4\r\nPIN\r\n',
  '*2\r\n$4\r\nECHO\r\n$6\r\n\0\r\n\xff\n\r\r\n',
  `*2\r\n$4\r\nECHO\r\n$120\r\n${'x'.repeat(120)}\r\n`,
  `*2\r\n$4\r\nECHO\r\n$1025\r\n${'y'.repeat(1025)}\r\n`,
  `*12\r\n${'$2\r\nab\r\n'.repeat(12)}`,
  '*0\r\n',
  '*-1\r\n*-5\r\n*0\r\n*1\r\n$4\r\nPING\r\n',
  '*-9223372036854775808\r\n',
  'PING\r\n',
  'PING\n',
  '\r\n',
  '\n\n  \r\nPING\r\n',
  'SET "a b" \'c\\\'d\' "\\x41\\n"\r\n',
  'ECHO a\vb\r\n',
  'PING\r\n*1\r\n$4\r\nPING\r\nECHO x\r\n*1\r\n$4\r\nPING\r\n',
  // Redis does not look at the byte behind a CR, nor at the two behind an argument.
  '*1\rX$4\rYPINGZZ*1\r\n$4\r\nPING\r\n',
  '*1\r\n$0\r\n\r\n',
];

/** What ends a connection, and Redis' reason; nothing precedes the error. */
export const REFUSED_REQUESTS: readonly (readonly [bytes: string, error: string])[] = [
  ['*\r\n', 'invalid multibulk length'],
  ['*a\r\n', 'invalid multibulk length'],
  ['*1a\r\n', 'invalid multibulk length'],
  ['*01\r\n', 'invalid multibulk length'],
  ['*-0\r\n', 'invalid multibulk length'],
  ['*+1\r\n', 'invalid multibulk length'],
  ['* 1\r\n', 'invalid multibulk length'],
  ['*-\r\n', 'invalid multibulk length'],
  ['*?\r\n', 'invalid multibulk length'],
  ['*2147483648\r\n', 'invalid multibulk length'],
  ['*9223372036854775808\r\n', 'invalid multibulk length'],
  ['*-9223372036854775809\r\n', 'invalid multibulk length'],
  ['*99999999999999999999999\r\n', 'invalid multibulk length'],
  ['*1\r\n$\r\n', 'invalid bulk length'],
  ['*1\r\n$-1\r\n', 'invalid bulk length'],
  ['*1\r\n$04\r\n', 'invalid bulk length'],
  ['*1\r\n$?\r\n', 'invalid bulk length'],
  ['*1\r\n$4x\r\n', 'invalid bulk length'],
  ['*1\r\n$536870913\r\n', 'invalid bulk length'],
  ['*1\r\n$99999999999\r\n', 'invalid bulk length'],
  ['*1\r\n\r\n', "expected '$', got ' '"],
  ['*1\r\n\n\r\n', "expected '$', got ' '"],
  ['*1\r\nPING\r\n', "expected '$', got 'P'"],
  ['*1\r\n:4\r\n', "expected '$', got ':'"],
  ['*1\r\n\xff\r\n', "expected '$', got '\xff'"],
  ['*1\r\n*1\r\n$4\r\nPING\r\n', "expected '$', got '*'"],
  ['*2\r\n$4\r\nECHO\r\n4\r\n', "expected '$', got '4'"],
];

/** A small pipeline of everything, to be mutated. */
export const MIXED_TRAFFIC: Buffer = Buffer.concat([
  encodeCommand('SET', 'key', 'value'),
  Buffer.from('ECHO "inline \\"words\\""\r\n'),
  encodeCommand('GET', 'key'),
  encodeCommand('ECHO', '$3\r\n*1\r\n'),
  Buffer.from('*0\r\n'),
  encodeCommand('PING'),
]);
