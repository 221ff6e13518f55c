/**
 * Requests as bytes: inline commands and their quoting, what may be left out, what is an error, in
 * which words, and that the connection is closed after it at the same point.
 */
import { encodeCommand } from '../../helpers/raw-client.js';
import type { Scenario } from '../stage.js';

const LARGE_BYTES = 20 * 1024 * 1024;

/** Lines and how many replies they bring. */
const INLINE: readonly (readonly [string, number])[] = [
  ['PING\r\n', 1],
  ['PING\n', 1],
  ['  PING  \r\n', 1],
  ['\r\n\r\n\nPING\r\n', 1],
  ['ping hello\r\n', 1],
  ['ECHO "hello world"\r\n', 1],
  ["ECHO 'hello world'\r\n", 1],
  ['ECHO "a\\r\\n\\t\\b\\a\\x41\\x4g\\\\\\"\\q"\r\n', 1],
  ["ECHO 'it\\'s \\n raw'\r\n", 1],
  ['ECHO ""\r\n', 1],
  ['SET "" ""\r\n', 1],
  ['ECHO a\tb\r\n', 1],
  ['ECHO\x0bhello\r\n', 1],
  ['ECHO a"b"c\r\n', 1],
  ['ECHO \xe4\xf6\xfc\xff\r\n', 1],
  ['SET k v\r\nGET k\r\n', 2],
  ['GET\r\n', 1],
  ['nosuch a b c\r\n', 1],
  [`nosuch ${'x'.repeat(300)} ${'y'.repeat(300)}\r\n`, 1],
  ['*0\r\nPING\r\n', 1],
  ['*-1\r\nPING\r\n', 1],
  ['*-10\r\nPING\r\n', 1],
  ['*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n', 3],
];

/** Bytes after which Redis closes; the number of replies before the error is part of the answer. */
const FATAL: readonly string[] = [
  '*abc\r\n',
  '*\r\n',
  '* 1\r\n',
  '*1 \r\n',
  '*1.5\r\n',
  '*+1\r\n',
  '*01\r\n',
  '*2147483648\r\n',
  '*4294967296\r\n',
  '*9223372036854775808\r\n',
  '*-9223372036854775809\r\n',
  '*1\r\n4\r\nPING\r\n',
  '*1\r\n\r\n',
  '*1\r\n+4\r\nPING\r\n',
  '*1\r\n:4\r\n',
  '*1\r\n*1\r\n',
  '*1\r\n\xff\r\n',
  '*1\r\n$abc\r\n',
  '*1\r\n$\r\n',
  '*1\r\n$-1\r\n',
  '*1\r\n$+4\r\nPING\r\n',
  '*1\r\n$04\r\nPING\r\n',
  '*1\r\n$ 4\r\nPING\r\n',
  '*1\r\n$4 \r\nPING\r\n',
  '*1\r\n$536870913\r\n',
  '*1\r\n$9223372036854775808\r\n',
  '*2\r\n$3\r\nGET\r\n$99999999999\r\n',
  'ECHO "unbalanced\r\n',
  "ECHO 'unbalanced\r\n",
  'ECHO "a"b\r\n',
  "ECHO 'a'b\r\n",
  '"\r\n',
  `${'x'.repeat(70_000)}`,
  `PING ${'x'.repeat(70_000)}`,
  `*${'1'.repeat(70_000)}`,
  `*1\r\n$${'1'.repeat(70_000)}`,
  'POST / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'Host: localhost\r\n',
];

/** Oddities that Redis lets pass; each brings one reply. */
const TOLERATED: readonly string[] = [
  '*1\r\n$4\r\nPINGxx',
  '*2\r\n$4\r\nECHO\r\n$3\r\nab\r..',
  '*1\nX$4\r\nPING\r\n'.replace('\nX', '\r\n'),
  `${'x'.repeat(60_000)}\r\n`,
  'GET / HTTP/1.1\r\n',
  '*1\r\n$0\r\n\r\n',
  '*2\r\n$0\r\n\r\n$1\r\nx\r\n',
];

/** Redis goes on waiting: it looks for a line's end as C does, only up to a NUL, or wants more. */
const WAITING: readonly string[] = [
  '\0\r\n',
  'PING\0\r\n',
  'ECHO a\0b c\r\nPING\r\n',
  '*1\r\n\0\r\n',
  '*1\0\r\n',
  '*1048577\r\n',
  '*2147483647\r\n',
  '*1\r\n$536870912\r\nPING\r\n',
  '*1',
  '*1\r',
  '*1\r\n$4',
  '*1\r\n$4\r\nPING',
  '*1\r\n$4\r\nPING\r',
  'PING',
  'PING\r',
];

/** Inline commands, protocol errors, sizes. */
export const protocolScenarios: readonly Scenario[] = [
  {
    title: 'inline commands, quoting, empty lines and empty arrays',
    run: async (stage) => {
      for (const [line, replies] of INLINE) {
        const client = await stage.open();
        client.raw(line);
        await client.receive(replies);
        await client.do('ECHO', 'still here');
      }
    },
  },
  {
    title: 'protocol errors in Redis’ words, and the connection is closed',
    run: async (stage) => {
      for (const bytes of FATAL) {
        const client = await stage.open();
        client.raw(bytes);
        await client.closes();
      }
    },
  },
  {
    title: 'a protocol error after commands: they are answered first',
    run: async (stage) => {
      for (const bytes of FATAL.slice(0, 30)) {
        const client = await stage.open();
        client.raw(`SET a 1\r\nGET a\r\nINCR a\r\n${bytes}`);
        await client.closes();
        const other = await stage.open('other');
        await other.do('GET', 'a');
      }
    },
  },
  {
    title: 'a protocol error while subscribed, while blocked, and in a transaction',
    run: async (stage) => {
      const subscriber = await stage.open('subscriber');
      await subscriber.do('SUBSCRIBE', 'a');
      subscriber.raw('*1\r\n!\r\n');
      await subscriber.closes();
      const queueing = await stage.open('queueing');
      await queueing.do('MULTI');
      queueing.raw('*1\r\n$x\r\n');
      await queueing.closes();
    },
  },
  {
    title: 'what is no whole command is answered neither by a reply nor by an error',
    run: async (stage) => {
      for (const bytes of WAITING) {
        const client = await stage.open();
        client.raw(bytes);
        await client.quiet();
      }
    },
  },
  {
    title: 'bytes that Redis does not look at',
    run: async (stage) => {
      for (const bytes of TOLERATED) {
        const client = await stage.open();
        client.raw(bytes);
        await client.receive(1);
        await client.do('ECHO', 'still here');
      }
    },
  },
  {
    title: 'unknown commands, however they are named',
    run: async (stage) => {
      const client = await stage.open();
      const args = ['a', 'b\r\nc', '\0', 'x'.repeat(200), 'y'];
      for (const name of [
        'nosuch',
        '',
        ' ',
        'get ',
        'GET\0',
        'a\r\nb',
        '\xff\xfe',
        'x'.repeat(500),
      ]) {
        await client.do(Buffer.from(name, 'latin1'));
        await client.do(Buffer.from(name, 'latin1'), ...args);
        await client.do('MULTI');
        await client.do(Buffer.from(name, 'latin1'), ...args);
        await client.do('EXEC');
      }
    },
  },
  {
    title: 'a value of 20 MB in and out, and commands around it',
    run: async (stage) => {
      const client = await stage.open();
      const value = Buffer.alloc(LARGE_BYTES, 'large value ');
      const set = encodeCommand('SET', 'large', value);
      client.raw(
        Buffer.concat([encodeCommand('GET', 'str'), set, encodeCommand('STRLEN', 'large')]),
      );
      await client.receive(3);
      await client.do('GET', 'large');
      client.raw('STRLEN large\r\nGET large\r\nGET str\r\nMULTI\r\nGET large\r\nPING\r\nEXEC\r\n');
      await client.receive(7);
      await client.do('DEL', 'large');
    },
  },
  {
    title: 'a command with 20,000 arguments, and a reply with as many elements',
    run: async (stage) => {
      const client = await stage.open();
      await client.do('RPUSH', 'many', ...Array.from({ length: 20_000 }, (_, i) => String(i)));
      await client.do('LRANGE', 'many', '0', '-1');
      await client.do('DEL', 'many');
    },
  },
  {
    title: 'a client that leaves in the middle of a frame',
    run: async (stage) => {
      for (const bytes of [
        '*2\r\n$3\r\nGET\r\n$3\r\nst',
        'GET st',
        '*',
        '*3\r\n$3\r\nSET\r\n$1\r\n',
      ]) {
        const client = await stage.open();
        client.raw(`SET half ${bytes.length}\r\n${bytes}`);
        await client.receive(1);
        await client.close();
      }
      const other = await stage.open('other');
      await other.do('GET', 'half');
    },
  },
];
