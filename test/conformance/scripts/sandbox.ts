/** What a script finds around it: the redis table, the globals, and what is protected or missing. */
import type { Snippets } from './snippet.js';

export const sandbox: Snippets = {
  'KEYS and ARGV': {
    source: 'return {KEYS, ARGV, #KEYS, #ARGV}',
    keys: ['a', 'b'],
    args: ['1', '2', '3'],
  },
  'neither KEYS nor ARGV': 'return {#KEYS, #ARGV, KEYS[1] == nil, ARGV[1] == nil}',
  'arguments are text': {
    source: "return {type(ARGV[1]), ARGV[1] + 1, ARGV[1] == '5', ARGV[1] == 5}",
    args: ['5'],
  },
  'empty and binary arguments': {
    source: 'return {KEYS[1], #ARGV[1], ARGV[2], #ARGV[2]}',
    keys: [''],
    args: ['', Buffer.from('\0\r\n\xff', 'latin1')],
  },
  'no index 0 and none behind the end': {
    source: 'return {KEYS[0] == nil, KEYS[2] == nil, ARGV[-1] == nil}',
    keys: ['a'],
    args: ['b'],
  },
  'arguments can be written over': {
    source: "KEYS[1] = 'mine' ARGV[#ARGV + 1] = 'more' return {KEYS, ARGV}",
    keys: ['a'],
    args: ['b'],
  },
  'KEYS can be replaced': { source: "KEYS = {'x'} return KEYS", keys: ['a'] },
  'the next script has arguments of its own': 'return {KEYS, ARGV}',
  'a chunk has no arguments of its own': {
    source: "return {select('#', ...), type(arg)}",
    keys: ['a'],
    args: ['b'],
  },
  'arg in a function of variable arguments':
    "local function f(...) return {select('#', ...), arg and arg.n} end return f('a', nil, 'c')",
  'a number of keys that is negative': { source: 'return 1', numkeys: '-1' },
  'a number of keys that is too large': { source: 'return 1', numkeys: '3', keys: ['a'] },
  'a number of keys that is no number': { source: 'return 1', numkeys: 'x' },
  'keys counted as arguments': { source: 'return {#KEYS, #ARGV}', numkeys: '0', keys: ['a', 'b'] },

  'a global variable is not created': 'counter = 1',
  'a global variable is not created in the second line': 'local a = 1\ncounter = a',
  'a global variable that is not there': 'return nothing',
  'a global function is not defined': 'function f() return 1 end return f()',
  'a global through _G': '_G.counter = 1',
  'a global through rawset': "rawset(_G, 'counter', 1)",
  'a global that is asked for raw': "return rawget(_G, 'nothing') == nil",
  'another metatable for the globals': 'setmetatable(_G, {})',
  'the metatable of the globals': 'return type(getmetatable(_G))',
  'another environment':
    "local f = function() return x end if setfenv then setfenv(f, {x = 'own'}) return f() end return 'none'",
  "the string library can't be changed": 'string.trim = function() end',
  "the metatable of strings can't be changed": "getmetatable('').__index = nil",
  "the redis table can't be changed": 'redis.call = nil',
  "the redis table can't be added to": 'redis.mine = 1',
  'a function that redis does not have': 'return redis.nosuch',
  'a call of what redis does not have': 'return redis.nosuch()',
  "cjson's table can't be changed": 'cjson.encode = nil',

  'libraries that are there': `local t = {} for i, n in ipairs({'string', 'table', 'math', 'coroutine', 'cjson', 'cmsgpack', 'struct', 'bit', 'redis'}) do t[i] = n .. ':' .. type(rawget(_G, n)) end return t`,
  'libraries that are not there': `local t = {} for i, n in ipairs({'io', 'debug', 'package', 'utf8', 'bit32', 'ffi', 'jit'}) do t[i] = n .. ':' .. type(rawget(_G, n)) end return t`,
  'functions that reach outside are not there': `local t = {} for i, n in ipairs({'require', 'module', 'dofile', 'loadfile', 'newproxy', 'print', 'load', 'loadstring', 'getfenv', 'setfenv', 'collectgarbage', 'gcinfo', 'unpack', 'xpcall'}) do t[i] = n .. ':' .. type(rawget(_G, n)) end return t`,
  'every global there is': {
    source: 'local t = {} for k in pairs(_G) do t[#t + 1] = k end table.sort(t) return t',
    keys: ['a'],
  },
  'every function of redis':
    'local t = {} for k in pairs(redis) do t[#t + 1] = k end table.sort(t) return t',
  'every function of string, table, math and coroutine':
    'local t = {} for _, m in ipairs({string, table, math, coroutine}) do for k in pairs(m) do t[#t + 1] = k end end table.sort(t) return t',
  'os has a clock and nothing else':
    'local t = {} for k in pairs(os) do t[#t + 1] = k end table.sort(t) return {t, type(os.clock()), os.clock() >= 0}',
  'os.time': 'return os.time()',
  'string.dump': 'return #string.dump(function() end) > 0',
  'the garbage collector':
    "return {type(collectgarbage('count')), collectgarbage('step') ~= nil, collectgarbage()}",
  'the version of Lua': 'return _VERSION',
  getfenv: 'return type(getfenv)',

  'redis.sha1hex': String.raw`return {redis.sha1hex(''), redis.sha1hex('hello'), redis.sha1hex('a\0b'), redis.sha1hex(5), redis.sha1hex(1.5)}`,
  'redis.sha1hex without an argument': 'return redis.sha1hex()',
  'redis.sha1hex of a table': 'return redis.sha1hex({})',
  'redis.log':
    "return {redis.log(redis.LOG_DEBUG, 'one', 2), redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}",
  'redis.log with one argument': 'redis.log(redis.LOG_DEBUG)',
  'redis.log of an unknown level': "redis.log(99, 'x')",
  'redis.log of a level that is text': "redis.log('debug', 'x')",
  'redis.breakpoint and debug outside the debugger':
    "return {redis.breakpoint(), type(redis.debug), redis.debug('x') == nil}",
  'redis.replicate_commands': 'return redis.replicate_commands()',
  'redis.set_repl':
    "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'out', 1) redis.set_repl(redis.REPL_ALL) return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}",
  'redis.set_repl of an unknown flag': 'redis.set_repl(99)',
  'the version is known':
    'return {type(redis.REDIS_VERSION), type(redis.REDIS_VERSION_NUM), redis.REDIS_VERSION_NUM >= 0x00070000}',
  'the version itself': 'return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}',
  "Valkey's own names": "return type(rawget(_G, 'server'))",
  'a function for libraries only': "redis.register_function('f', function() end)",
};
