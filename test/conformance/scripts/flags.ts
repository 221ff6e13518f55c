/** The first line `#!lua`, read-only calls, scripts called by their sha1, and a memory that is full. */
import type { Words } from '../fixture.js';
import type { Snippets } from './snippet.js';

/** What the servers under test may use; the filler alone is as large. */
export const MAX_MEMORY_BYTES = 8 * 1024 * 1024;
const before: readonly Words[] = [['SETRANGE', 'filler', String(MAX_MEMORY_BYTES - 1), 'x']];

const WRITES = "return redis.call('SET', KEYS[1], 'written')";
const keys = ['out'];

export const flags: Snippets = {
  'a first line without flags': '#!lua\nreturn 1',
  'flags=no-writes: a read': "#!lua flags=no-writes\nreturn redis.call('GET', 'str')",
  'flags=no-writes: a write': { source: `#!lua flags=no-writes\n${WRITES}`, keys },
  'flags=no-writes: a write that is caught':
    "#!lua flags=no-writes\nreturn {redis.pcall('SET', 'out', 1).err}",
  'every flag at once':
    '#!lua flags=allow-oom,allow-stale,no-cluster,allow-cross-slot-keys\nreturn 1',
  'flags=allow-oom: a write': { source: `#!lua flags=allow-oom\n${WRITES}`, keys },
  'no flags after the sign of equality': '#!lua flags=\nreturn 1',
  'an unknown flag': '#!lua flags=nosuch\nreturn 1',
  'an unknown option in the first line': '#!lua nosuch=1\nreturn 1',
  'an unknown engine': '#!python\nreturn 1',
  'a first line and nothing else': '#!lua',
  'a first line of something else': '#!/usr/bin/lua\nreturn 1',
  'lines are counted with the first one': "#!lua\nlocal a = 1\nerror('here')",
  'a line that does not compile is counted with the first one': '#!lua\nreturn return',
  'a first line with a space before it': ' #!lua\nreturn 1',

  'EVAL_RO: a read': {
    source: "return redis.call('GET', KEYS[1])",
    keys: ['str'],
    call: 'EVAL_RO',
  },
  'EVAL_RO: a write': { source: WRITES, keys, call: 'EVAL_RO' },
  'EVAL_RO: a write that is caught': {
    source: "return {redis.pcall('DEL', KEYS[1]).err, redis.call('GET', KEYS[1])}",
    keys: ['str'],
    call: 'EVAL_RO',
  },
  'EVAL_RO: with a first line': { source: `#!lua\n${WRITES}`, keys, call: 'EVAL_RO' },
  'EVAL_RO: with flags=no-writes': {
    source: "#!lua flags=no-writes\nreturn redis.call('GET', 'str')",
    call: 'EVAL_RO',
  },
  'EVAL_RO: publish': { source: "return redis.call('PUBLISH', 'channel', 'x')", call: 'EVAL_RO' },

  EVALSHA: { source: 'return {KEYS[1], ARGV[1]}', keys: ['a'], args: ['b'], call: 'EVALSHA' },
  'EVALSHA: an error names the script': {
    source: "local a = 1\nreturn redis.call('INCR', 'str')",
    call: 'EVALSHA',
  },
  'EVALSHA: a failing error': { source: "\n\nerror('here')", call: 'EVALSHA' },
  'EVALSHA: with a first line': {
    source: `#!lua flags=no-writes\n${WRITES}`,
    keys,
    call: 'EVALSHA',
  },
  'EVALSHA: a script that does not compile': { source: 'return return', call: 'EVALSHA' },
  'EVALSHA: a script that writes': { source: WRITES, keys, call: 'EVALSHA' },

  'full memory: a read': { source: "return redis.call('GET', 'str')", before },
  'full memory: a write': { source: WRITES, keys, before },
  'full memory: a write that frees': {
    source: "return redis.call('DEL', 'filler')",
    before,
  },
  'full memory: a write that is caught': {
    source: "return redis.pcall('SET', 'out', 'x')",
    before,
  },
  'full memory: a script with a first line': { source: `#!lua\n${WRITES}`, keys, before },
  'full memory: flags=no-writes': {
    source: "#!lua flags=no-writes\nreturn redis.call('GET', 'str')",
    before,
  },
  'full memory: flags=allow-oom': { source: `#!lua flags=allow-oom\n${WRITES}`, keys, before },
};
