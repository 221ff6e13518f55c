/**
 * What both servers hold before a case runs: keys of every type and encoding, one library of
 * functions, one cached script. Each case that may write starts from here, so a difference is
 * reproduced by the fixture plus one command.
 */
import { createHash } from 'node:crypto';
import { encodeCommand } from '../helpers/raw-client.js';

/** A command as its arguments. */
export type Words = readonly (string | Buffer)[];

/** A time after which nobody will run these tests: relative expiry would make them depend on the clock. */
export const FAR_FUTURE_SECONDS = '4102444800';
export const FAR_FUTURE_MS = `${FAR_FUTURE_SECONDS}000`;

export const BINARY = Buffer.from('\0\r\n\xff*1\r\n$4\r\nPING\r\n', 'latin1');
export const LONG = 'x'.repeat(5_000);

export const CACHED_SCRIPT = 'return {KEYS[1] or "none", ARGV[1] or "none"}';
export const CACHED_SHA1 = createHash('sha1').update(CACHED_SCRIPT).digest('hex');

export const LIBRARY = `#!lua name=mylib
redis.register_function('echoing', function(keys, args) return {keys, args} end)
redis.register_function{function_name='reading', flags={'no-writes'}, callback=function(keys, args)
  return redis.call('GET', keys[1] or 'str') end}`;

/** Keys by the type of value a command group works on; the first one is what its commands expect. */
export const KEYS_BY_GROUP: Readonly<Record<string, readonly string[]>> = {
  string: ['str', 'int', 'float'],
  list: ['list', 'list2', 'biglist'],
  set: ['set', 'iset', 'set2'],
  'sorted-set': ['zset', 'zset2', 'bigzset'],
  hash: ['hash', 'bighash', 'hash2'],
  stream: ['stream', 'stream2', 'stream3'],
  hyperloglog: ['hll', 'hll2', 'hll3'],
  geo: ['geo', 'geo2', 'geo3'],
  bitmap: ['bits', 'bits2', 'str'],
};

/** One key of each type, each encoding that replies differ by, and the odd names. */
export const KEYS_OF_ALL_TYPES: readonly (string | Buffer)[] = [
  ...['str', 'int', 'list', 'hash', 'set', 'iset', 'zset', 'stream', 'hll', 'geo', 'bits'],
  ...['expiring', 'missing', '', BINARY, LONG],
];

const POPULATION: readonly Words[] = [
  ['SET', 'str', 'hello world'],
  ['SET', 'int', '42'],
  ['SET', 'float', '3.25'],
  ['SET', 'empty', ''],
  ['SET', BINARY, BINARY],
  ['SET', 'expiring', 'soon', 'EXAT', FAR_FUTURE_SECONDS],
  ['RPUSH', 'list', 'a', 'b', '3', 'c', 'a'],
  ['RPUSH', 'list2', '10', '9', '8'],
  ['RPUSH', 'biglist', ...Array.from({ length: 12 }, (_, i) => `element:${i}`)],
  ['SADD', 'set', 'a', 'b', 'c', 'd'],
  ['SADD', 'set2', 'c', 'd', 'e'],
  ['SADD', 'iset', '1', '2', '3', '10'],
  ['SADD', 'single', 'only'],
  ['ZADD', 'zset', '1', 'a', '2', 'b', '3.5', 'c', '-inf', 'd'],
  ['ZADD', 'zset2', '0', 'a', '0', 'b', '0', 'c', '0', 'e'],
  ['ZADD', 'bigzset', ...Array.from({ length: 12 }, (_, i) => [`${i}`, `m:${i}`]).flat()],
  ['HSET', 'hash', 'f1', 'v1', 'f2', '2', 'f3', '1.5', 'f4', ''],
  ['HSET', 'hash2', 'only', 'one'],
  ['HSET', 'bighash', 'f1', 'x'.repeat(100), 'f2', '7'],
  ['XADD', 'stream', '1-1', 'f', 'v'],
  ['XADD', 'stream', '1-2', 'f', 'w', 'g', ''],
  ['XADD', 'stream', '5-0', 'f', BINARY],
  ['XADD', 'stream2', '7-7', 'f', 'v'],
  ['XADD', 'stream3', '1-1', 'f', 'v'],
  ['XDEL', 'stream3', '1-1'],
  ['XGROUP', 'CREATE', 'stream', 'g', '0'],
  ['XGROUP', 'CREATECONSUMER', 'stream', 'g', 'idle'],
  ['XREADGROUP', 'GROUP', 'g', 'c1', 'COUNT', '2', 'STREAMS', 'stream', '>'],
  ['PFADD', 'hll', 'a', 'b', 'c'],
  ['PFADD', 'hll2', 'c', 'd'],
  ['PFADD', 'hll3', 'e'],
  ['GEOADD', 'geo', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
  ['GEOADD', 'geo2', '2.349014', '48.864716', 'Paris'],
  ['SETBIT', 'bits', '7', '1'],
  ['SETBIT', 'bits2', '100', '1'],
  ['MSET', 'weight:a', '3', 'weight:b', '1', 'weight:c', '2', 'weight:3', '0'],
];

/** Everything outside the key space that a case may have changed. */
const HARD_RESET: readonly Words[] = [
  ['ACL', 'DELUSER', 'alice', 'bob', 'newuser'],
  ['ACL', 'LOG', 'RESET'],
  ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'hz', '500'],
  // What expired stays in the digest until it is touched: otherwise the digest depends on the clock.
  ['DEBUG', 'SET-ACTIVE-EXPIRE', '0'],
  ['CONFIG', 'RESETSTAT'],
  ['FUNCTION', 'FLUSH'],
  ['FUNCTION', 'LOAD', LIBRARY],
  ['SCRIPT', 'FLUSH'],
  ['SCRIPT', 'LOAD', CACHED_SCRIPT],
  ['SLOWLOG', 'RESET'],
  ['LATENCY', 'RESET'],
  ['ACL', 'SETUSER', 'alice', 'on', '>secret', '~*', '&*', '+@all'],
];

/** A pipeline of setup commands: its bytes and how many replies it has. */
export interface Setup {
  readonly bytes: Buffer;
  readonly replies: number;
}

function setupOf(commands: readonly Words[]): Setup {
  return {
    bytes: Buffer.concat(commands.map((words) => encodeCommand(...words))),
    replies: commands.length,
  };
}

/** Its first reply is the digest of the key space as the case left it. */
export const RESET_KEYS = setupOf([['DEBUG', 'DIGEST'], ['FLUSHALL'], ...POPULATION]);

/** As `RESET_KEYS`, and functions, scripts, users and configuration too. */
export const RESET_ALL = setupOf([['DEBUG', 'DIGEST'], ['FLUSHALL'], ...POPULATION, ...HARD_RESET]);

/**
 * Arguments of both servers: what depends on time or chance is off, what needs a permission is on,
 * the large encodings begin early (a small fixture is put back faster), and timeouts are looked at
 * every 2 ms instead of every 100.
 */
export const SERVER_ARGUMENTS: readonly string[] = [
  ...['--enable-debug-command', 'yes', '--enable-module-command', 'yes'],
  ...['--latency-tracking', 'no', '--slowlog-log-slower-than', '-1'],
  ...['--stream-node-max-entries', '4', '--hz', '500', '--list-max-listpack-size', '4'],
  ...['--zset-max-listpack-entries', '8', '--set-max-intset-entries', '8'],
];
