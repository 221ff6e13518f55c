import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeReply,
  encodeText,
  SimpleString,
  type ReplyValue,
} from '../../src/resp/reply-encoder.js';

const CASES: readonly [value: ReplyValue, resp2: string, resp3: string][] = [
  [null, '$-1|', '_|'],
  ['', '$0||', '$0||'],
  ['grüße', '$7|gr\xc3\xbc\xc3\x9fe|', '$7|gr\xc3\xbc\xc3\x9fe|'],
  [Buffer.from([0, 255]), '$2|\x00\xff|', '$2|\x00\xff|'],
  [0, ':0|', ':0|'],
  [-7, ':-7|', ':-7|'],
  [1.5, '$3|1.5|', ',1.5|'],
  [true, ':1|', ':1|'],
  [false, ':0|', ':0|'],
  [new SimpleString('OK'), '+OK|', '+OK|'],
  [[], '*0|', '*0|'],
  [['a', [1, null]], '*2|$1|a|*2|:1|$-1|', '*2|$1|a|*2|:1|_|'],
  [new Map([['a', 1]]), '*2|$1|a|:1|', '%1|$1|a|:1|'],
  [[new Map<string, ReplyValue>([['a', new Map()]])], '*1|*2|$1|a|*0|', '*1|%1|$1|a|%0|'],
];

test('each value has its form in either protocol', () => {
  const visible = (bytes: Buffer): string => bytes.toString('latin1').replaceAll('\r\n', '|');
  for (const [value, resp2, resp3] of CASES) {
    assert.equal(visible(encodeReply(value, 2)), resp2);
    assert.equal(visible(encodeReply(value, 3)), resp3);
  }
});

test('text for people is a bulk string, in RESP3 a verbatim one; its length is in bytes', () => {
  assert.equal(encodeText('für', 2).toString(), '$4\r\nfür\r\n');
  assert.equal(encodeText('für', 3).toString(), '=8\r\ntxt:für\r\n');
});
