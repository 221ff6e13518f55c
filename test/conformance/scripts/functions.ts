/** Functions: each source is a library that replaces the one before it, and its function `f` is called. */
import type { Snippets } from './snippet.js';

const call = 'FCALL';

export const functions: Snippets = {
  'FCALL: keys and arguments': {
    source:
      "#!lua name=lib\nredis.register_function('f', function(keys, args) return {keys, args} end)",
    keys: ['a'],
    args: ['b', 'c'],
    call,
  },
  'FCALL: a command': {
    source:
      "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1]) end)",
    keys: ['str'],
    call,
  },
  'FCALL: a command that fails': {
    source:
      "#!lua name=lib\n\nredis.register_function('f', function()\n  return redis.call('INCR', 'str')\nend)",
    call,
  },
  'FCALL: an error': {
    source: "#!lua name=lib\nredis.register_function('f', function() error('it broke') end)",
    call,
  },
  'FCALL: an error table': {
    source:
      "#!lua name=lib\nredis.register_function('f', function() return redis.error_reply('MY own') end)",
    call,
  },
  'FCALL: variables of the library': {
    source:
      "#!lua name=lib\nlocal base = 40\nlocal function add(n) return base + n end\nredis.register_function('f', function() return add(2) end)",
    call,
  },
  'FCALL: a global in a function': {
    source: "#!lua name=lib\nredis.register_function('f', function() counter = 1 end)",
    call,
  },
  'FCALL: KEYS is not there': {
    source: "#!lua name=lib\nredis.register_function('f', function() return KEYS end)",
    keys: ['a'],
    call,
  },
  'FCALL: RESP3': {
    source:
      "#!lua name=lib\nredis.register_function('f', function() redis.setresp(3) return redis.call('HGETALL', 'hash') end)",
    call,
  },
  'FCALL: flags': {
    source:
      "#!lua name=lib\nredis.register_function{function_name = 'f', callback = function() return redis.call('SET', 'out', 1) end, flags = {'no-writes'}}",
    call,
  },
  'FCALL_RO: a function without the flag': {
    source: "#!lua name=lib\nredis.register_function('f', function() return 1 end)",
    call: 'FCALL_RO',
  },
  'FCALL_RO: a function with the flag': {
    source:
      "#!lua name=lib\nredis.register_function{function_name = 'f', callback = function() return redis.call('GET', 'str') end, flags = {'no-writes'}, description = 'reads'}",
    call: 'FCALL_RO',
  },

  'FUNCTION LOAD: without a first line': {
    source: "redis.register_function('f', function() end)",
    call,
  },
  'FUNCTION LOAD: without a name': {
    source: "#!lua\nredis.register_function('f', function() end)",
    call,
  },
  'FUNCTION LOAD: a name that is none': {
    source: "#!lua name=a-b\nredis.register_function('f', function() end)",
    call,
  },
  'FUNCTION LOAD: an unknown engine': { source: '#!python name=lib\npass', call },
  'FUNCTION LOAD: nothing is registered': { source: '#!lua name=lib\nreturn 1', call },
  'FUNCTION LOAD: it does not compile': { source: '#!lua name=lib\nreturn return', call },
  'FUNCTION LOAD: a command while loading': {
    source: "#!lua name=lib\nredis.call('GET', 'str')",
    call,
  },
  'FUNCTION LOAD: a global while loading': { source: '#!lua name=lib\ncounter = 1', call },
  'FUNCTION LOAD: one name twice': {
    source: "#!lua name=lib\nfor i = 1, 2 do redis.register_function('f', function() end) end",
    call,
  },
  'FUNCTION LOAD: a function name that is none': {
    source: "#!lua name=lib\nredis.register_function('a b', function() end)",
    call,
  },
  'FUNCTION LOAD: an unknown flag': {
    source:
      "#!lua name=lib\nredis.register_function{function_name = 'f', callback = function() end, flags = {'nosuch'}}",
    call,
  },
  'FUNCTION LOAD: no callback': { source: "#!lua name=lib\nredis.register_function('f')", call },
};
