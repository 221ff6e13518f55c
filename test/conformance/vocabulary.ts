/**
 * Sane values for the arguments that COMMAND DOCS names: which key, which number, which word makes
 * a command do something on the fixture. `command:argument` beats `argument` beats the type.
 */
import type { Argument, CommandEntry } from './command-table.js';
import {
  CACHED_SCRIPT,
  CACHED_SHA1,
  FAR_FUTURE_MS,
  FAR_FUTURE_SECONDS,
  KEYS_BY_GROUP,
} from './fixture.js';

/** Values that only a running server can make. */
export interface Dumps {
  /** DUMP of a string. */
  readonly key: Buffer;
  /** FUNCTION DUMP. */
  readonly functions: Buffer;
}

const FAR_MS = '100000000';

const WORDS: Readonly<Record<string, readonly string[]>> = {
  arg: ['arg1', 'arg2', 'arg3'],
  bit: ['1', '0'],
  category: ['string'],
  categoryname: ['string'],
  channel: ['channel', 'channel2', 'channel3'],
  clientname: ['me'],
  command: ['get'],
  'command-name': ['get', 'set', 'xadd'],
  'client-id': ['999999'],
  consumer: ['c1'],
  consumername: ['c1'],
  count: ['2'],
  cursor: ['0'],
  db: ['1'],
  'destination-db': ['1'],
  element: ['a', 'x', 'y'],
  encoding: ['u8', 'i5', 'u1'],
  end: ['3'],
  field: ['f1', 'f2', 'new'],
  function: ['echoing'],
  'function-code': [
    "#!lua name=other\nredis.register_function('f', function(keys, args) return 1 end)",
  ],
  group: ['g'],
  groupname: ['g'],
  host: ['127.0.0.1'],
  id: ['1-1', '1-2', '5-0'],
  increment: ['2'],
  index: ['1'],
  'library-name': ['mylib'],
  'library-name-pattern': ['my*'],
  'last-id': ['9-9'],
  latitude: ['38.1'],
  longitude: ['13.4'],
  max: ['3'],
  member: ['a', 'b', 'zz'],
  member1: ['Palermo'],
  member2: ['Catania'],
  message: ['hello'],
  milliseconds: [FAR_MS],
  min: ['1'],
  'min-idle-time': ['0'],
  ms: ['0'],
  offset: ['0', '1'],
  password: ['secret'],
  pattern: ['*'],
  pivot: ['b'],
  port: ['1'],
  prefix: ['pre:', 'x:'],
  protover: ['2', '3'],
  radius: ['200'],
  rule: ['on', '~*', '+get'],
  score: ['1', '2.5', '3'],
  script: [CACHED_SCRIPT],
  seconds: ['100000'],
  section: ['server', 'clients'],
  sha1: [CACHED_SHA1],
  start: ['0'],
  stop: ['-1'],
  threshold: ['2'],
  timeout: ['0.01'],
  ttl: ['0'],
  type: ['string'],
  'unix-time-milliseconds': [FAR_FUTURE_MS],
  'unix-time-seconds': [FAR_FUTURE_SECONDS],
  username: ['alice'],
  value: ['7', 'value2', 'value3'],
  version: ['5'],
  weight: ['2', '0.5', '3'],
};

const WORDS_OF_COMMAND: Readonly<Record<string, readonly string[]>> = {
  'acl|setuser:username': ['newuser'],
  'bitop:operation': ['AND', 'XOR'],
  'client|setname:connection-name': ['me'],
  'config|get:parameter': ['maxmemory-policy', 'hz', 'save'],
  'eval_ro:script': ["return redis.call('GET', KEYS[1] or 'str')"],
  'fcall_ro:function': ['reading'],
  'geoadd:member': ['Rome', 'Palermo', 'Catania'],
  'geohash:member': ['Palermo', 'Catania', 'Nowhere'],
  'geopos:member': ['Palermo', 'Catania', 'Nowhere'],
  'georadiusbymember:member': ['Palermo'],
  'georadiusbymember_ro:member': ['Palermo'],
  'geosearch:member': ['Palermo'],
  'geosearchstore:member': ['Palermo'],
  'hincrby:field': ['f2'],
  'hincrbyfloat:field': ['f3'],
  'hincrbyfloat:increment': ['1.5'],
  'incrbyfloat:increment': ['1.5'],
  'latency|graph:event': ['command'],
  'latency|history:event': ['command'],
  'latency|reset:event': ['command'],
  'linsert:pivot': ['b'],
  'linsert:element': ['new'],
  'module|load:path': ['/nonexistent/module.so'],
  'module|loadex:path': ['/nonexistent/module.so'],
  'setbit:value': ['1'],
  'bitfield:value': ['1'],
  'wait:numreplicas': ['0'],
  'wait:timeout': ['10'],
  'xadd:id': ['9-*', '9999-1'],
  'xautoclaim:start': ['0-0'],
  'xgroup|create:groupname': ['newgroup'],
  'xgroup|createconsumer:consumername': ['newconsumer'],
  'xpending:start': ['-'],
  'xpending:end': ['+'],
  'xrange:start': ['-', '1-2'],
  'xrange:end': ['+'],
  'xrevrange:start': ['-'],
  'xrevrange:end': ['+'],
  // Small: these are real waiting times.
  'xread:milliseconds': ['10'],
  'xreadgroup:milliseconds': ['10'],
  'xread:id': ['0', '1-1', '0'],
  'xreadgroup:id': ['>', '0', '>'],
  'zrangebylex:min': ['[a'],
  'zrangebylex:max': ['[c'],
  'zrevrangebylex:min': ['-'],
  'zrevrangebylex:max': ['+'],
  'zremrangebylex:min': ['[a'],
  'zremrangebylex:max': ['(c'],
  'zlexcount:min': ['-'],
  'zlexcount:max': ['(c'],
  'zrangestore:min': ['0'],
  'zrangestore:max': ['-1'],
};

const BY_TYPE: Readonly<Record<string, string>> = {
  integer: '1',
  double: '1.5',
  string: 'word',
  pattern: '*',
  'unix-time': FAR_FUTURE_SECONDS,
};

const DESTINATIONS = new Set(['destination', 'newkey', 'dst', 'destkey']);

/** Keys that these commands work on although their group says otherwise. */
const KEYS_OF_COMMAND: Readonly<Record<string, readonly string[]>> = {
  incr: ['int'],
  decr: ['int'],
  incrby: ['int'],
  decrby: ['int'],
  incrbyfloat: ['float'],
  sort: ['list2'],
  sort_ro: ['list2'],
  pexpiretime: ['expiring'],
  expiretime: ['expiring'],
  persist: ['expiring'],
  ttl: ['expiring'],
  pttl: ['expiring'],
  spop: ['single'],
  migrate: ['str'],
  geosearchstore: ['geo'],
};

/** The `index`-th sane value of `argument` in a call of `entry`. */
export function valueOf(
  entry: CommandEntry,
  argument: Argument,
  index: number,
  dumps: Dumps,
): string | Buffer {
  if (argument.name === 'serialized-value') {
    return entry.name === 'function|restore' ? dumps.functions : dumps.key;
  }
  if (argument.type === 'key') return keyOf(entry, argument, index);
  const words = WORDS_OF_COMMAND[`${entry.name}:${argument.name}`] ?? WORDS[argument.name];
  return words?.[index % words.length] ?? BY_TYPE[argument.type] ?? 'word';
}

function keyOf(entry: CommandEntry, argument: Argument, index: number): string {
  if (DESTINATIONS.has(argument.name)) return 'dst';
  const keys = KEYS_OF_COMMAND[entry.name] ?? KEYS_BY_GROUP[entry.group] ?? KEYS_BY_GROUP['string'];
  return keys?.[index % keys.length] ?? 'str';
}
