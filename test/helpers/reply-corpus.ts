/** Replies to cut and to mutate: every type of RESP2 and RESP3, as servers send them, and values built by chance. */
import { chooseFrom, integerBelow, type Random } from './fuzz.js';

/** One frame each. */
export const REPLIES: readonly string[] = [
  '+OK\r\n',
  '+\r\n',
  "-ERR unknown command 'x'\r\n",
  ':0\r\n',
  ':-9223372036854775808\r\n',
  '$5\r\nhello\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '$12\r\n*3\r\n$-1\r\n\0\n\r\r\n',
  '*0\r\n',
  '*-1\r\n',
  '*3\r\n:1\r\n$-1\r\n*2\r\n+a\r\n*0\r\n',
  '*2\r\n*1\r\n*1\r\n*1\r\n:1\r\n*-1\r\n',
  '_\r\n',
  '#t\r\n',
  '#f\r\n',
  ',3.25\r\n',
  ',inf\r\n',
  ',-inf\r\n',
  ',nan\r\n',
  ',1.5e-300\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '!21\r\nSYNTAX invalid syntax\r\n',
  '=15\r\ntxt:Some string\r\n',
  '~2\r\n+a\r\n$1\r\nb\r\n',
  '~0\r\n',
  '%0\r\n',
  '%2\r\n+k\r\n:1\r\n$1\r\nl\r\n%1\r\n#t\r\n_\r\n',
  '|1\r\n+ttl\r\n:3600\r\n$5\r\nvalue\r\n',
  '*2\r\n:1\r\n|1\r\n+key-popularity\r\n%1\r\n$1\r\na\r\n,0.19\r\n:2\r\n',
  '|0\r\n+OK\r\n',
  '>2\r\n+pubsub\r\n*1\r\n$1\r\nm\r\n',
  '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n',
];

/** Streamed and unknown types, and lengths that are none; nothing precedes the offending byte. */
export const REFUSED_REPLIES: readonly string[] = [
  '$?\r\n',
  '*?\r\n',
  '%?\r\n',
  '~?\r\n',
  '>?\r\n',
  ';4\r\nabcd\r\n',
  '.\r\n',
  'OK\r\n',
  '\r\n',
  '\0',
  '\xff\xff',
  '$x\r\n',
  '*1x\r\n',
  '%+1\r\n',
  '$1-\r\n',
  '$9999999999999\r\n',
  '*1\r\n?',
  'HTTP/1.1 400 Bad Request\r\n',
];

/** A random value of up to `depth` levels, in the types of both protocols. */
export function randomReply(random: Random, depth: number): string {
  const isLeaf = depth === 0 || integerBelow(random, 3) > 0;
  return isLeaf ? randomLeaf(random) : randomAggregate(random, depth);
}

function randomLeaf(random: Random): string {
  const text = Array.from({ length: integerBelow(random, 12) }, () =>
    String.fromCharCode(integerBelow(random, 256)),
  ).join('');
  const line = text.replace(/[\r\n]/g, ' ');
  switch (integerBelow(random, 6)) {
    case 0:
      return `+${line}\r\n`;
    case 1:
      return `-ERR ${line}\r\n`;
    case 2:
      return `:${integerBelow(random, 1_000_000) - 500_000}\r\n`;
    case 3:
      return chooseFrom(random, ['$-1\r\n', '*-1\r\n', '_\r\n', '#t\r\n', ',1e3\r\n', '(123\r\n']);
    default:
      return `${chooseFrom(random, ['$', '$', '=', '!'])}${text.length}\r\n${text}\r\n`;
  }
}

function randomAggregate(random: Random, depth: number): string {
  const type = chooseFrom(random, ['*', '*', '~', '%', '|']);
  const entries = integerBelow(random, 4);
  const values = type === '%' || type === '|' ? entries * 2 : entries;
  const body = Array.from({ length: values }, () => randomReply(random, depth - 1)).join('');
  // An attribute needs a value to describe.
  return `${type}${entries}\r\n${body}${type === '|' ? randomReply(random, depth - 1) : ''}`;
}
