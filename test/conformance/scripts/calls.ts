/** redis.call and redis.pcall: what commands answer inside a script, and how they fail. */
import type { Snippets } from './snippet.js';

export const calls: Snippets = {
  'replies as Lua types': `return {type(redis.call('GET', 'str')), type(redis.call('GET', 'none')), type(redis.call('INCR', 'num')), type(redis.call('SET', 'out', 1)), type(redis.call('LRANGE', 'list', 0, -1))}`,
  'a null bulk is false':
    "return {redis.call('GET', 'none') == false, redis.call('MGET', 'str', 'none', 'num')}",
  'a null array is false':
    "return {redis.call('XREAD', 'COUNT', 1, 'STREAMS', 'none', '0') == false, redis.call('LPOP', 'none', 2) == false}",
  'a status is a table': "local r = redis.call('SET', 'out', 'x') return {r.ok, r.err == nil, #r}",
  'a status is returned as it came': "return redis.call('SET', 'out', 'x')",
  'nested replies': "return redis.call('XRANGE', 'stream', '-', '+')",
  'a hash is a flat list': "return redis.call('HGETALL', 'hash')",
  'scores are text':
    "return {redis.call('ZSCORE', 'zset', 'b'), redis.call('ZRANGE', 'zset', 0, -1, 'WITHSCORES')}",
  'names of commands in any case': "return {redis.call('gEt', 'str'), redis.call('type', 'hash')}",
  subcommands:
    "return {redis.call('OBJECT', 'ENCODING', 'num'), redis.call('XINFO', 'GROUPS', 'stream')}",
  'binary keys and values': String.raw`redis.call('SET', 'out\0\255', '\r\n') return redis.call('GET', 'out\0\255')`,
  'keys that were not declared':
    "redis.call('SET', 'out', 'undeclared') return redis.call('GET', 'out')",
  'a thousand commands':
    "for i = 1, 1000 do redis.call('INCRBY', 'num', i) end return redis.call('GET', 'num')",
  'a thousand arguments':
    "local a = {} for i = 1, 1000 do a[i] = i end return redis.call('RPUSH', 'out', unpack(a))",
  'SORT puts in order':
    "redis.call('SADD', 'out', 'c', 'a', 'b') return {redis.call('SORT', 'out', 'ALPHA'), redis.call('SORT', 'list', 'ALPHA', 'DESC')}",
  'a command that would wait': "return redis.call('BLPOP', 'none', 0)",
  'a key with a time to live':
    "redis.call('SET', 'out', 1, 'PX', 100000) return {redis.call('PTTL', 'out') > 0, redis.call('PERSIST', 'out'), redis.call('TTL', 'out')}",
  'the database that a script chooses is its own':
    "redis.call('SELECT', 3) redis.call('SET', 'out', 'there') return redis.call('DBSIZE')",
  'publish and its count': "return redis.call('PUBLISH', 'channel', 'x')",

  'a command of the wrong type': "return redis.call('INCR', 'list')",
  'a command that fails in its value': "return redis.call('INCR', 'str')",
  'a command that fails in the third line':
    "local a = 1\nlocal b = 2\nreturn redis.call('LPUSH', 'str', a + b)",
  'a command that fails in a function':
    "local function f()\n  redis.call('HGET', 'str', 'f')\nend\nf()\nreturn 1",
  'a command that nobody knows': "return redis.call('NOSUCH', 'x')",
  'a subcommand that nobody knows': "return redis.call('OBJECT', 'NOSUCH', 'str')",
  'too few arguments': "return redis.call('GET')",
  'too many arguments': "return redis.pcall('GET', 'a', 'b')",
  'no command at all': 'return redis.call()',
  'an empty command': "return redis.call('')",
  'nil as an argument': "return redis.call('GET', nil)",
  'a table as an argument': "return redis.call('SET', 'out', {})",
  'a boolean as an argument': "return redis.call('SET', 'out', true)",
  'a number as the command': 'return redis.call(5)',
  'a syntax error of a command': "return redis.call('SET', 'out', 'v', 'NOSUCH')",
  'commands that scripts may not call': `local t = {} for i, c in ipairs({'MULTI', 'EXEC', 'DISCARD', 'UNWATCH', 'MONITOR', 'RESET', 'QUIT', 'SAVE'}) do t[i] = redis.pcall(c).err end return t`,
  'a command that scripts may not call': "return redis.call('SUBSCRIBE', 'channel')",
  'what had been written stays written':
    "redis.call('SET', 'out', 'half') redis.call('INCR', 'str') redis.call('SET', 'out', 'whole')",

  'pcall returns the error': "return redis.pcall('INCR', 'str')",
  'pcall goes on':
    "local e = redis.pcall('INCR', 'str') redis.call('SET', 'out', 'went on') return {type(e), e.ok == nil, e.err}",
  'the fields of an error':
    "local e = redis.pcall('LPUSH', 'str', 1) local t = {} for k, v in pairs(e) do t[#t + 1] = k .. '=' .. tostring(v) end table.sort(t) return t",
  'pcall of a command that nobody knows': "return {redis.pcall('NOSUCH').err}",
  'pcall without a command': 'return {redis.pcall().err}',
  'errors in a list': "return {1, redis.pcall('INCR', 'str'), redis.error_reply('MY own'), 2}",
  "Lua's pcall around redis.call":
    "local ok, e = pcall(redis.call, 'INCR', 'str') return {ok, type(e), e.err}",
  'an error that is caught and thrown again':
    "local ok, e = pcall(redis.call, 'INCR', 'str')\nerror(e)",
  'an error that is caught and returned': "local _, e = pcall(redis.call, 'INCR', 'str') return e",
  'xpcall with a handler':
    "return {xpcall(function() return redis.call('INCR', 'str') end, function(e) return 'handled: ' .. e.err end)}",

  error_reply: "return redis.error_reply('MY own error')",
  'error_reply with its sign': "return redis.error_reply('-MY own error')",
  'error_reply of one word': "return redis.error_reply('Oops')",
  'error_reply of nothing': "return redis.error_reply('')",
  'error_reply of two lines': String.raw`return redis.error_reply('MY one\r\ntwo')`,
  'error_reply of a number': 'return redis.error_reply(5)',
  'error_reply without an argument': 'return redis.error_reply()',
  'status_reply of a table': 'return redis.status_reply({})',
  'what error_reply and status_reply make':
    "local e, s = redis.error_reply('MY err'), redis.status_reply('st') return {e.err, s.ok, type(e), type(s)}",
  'a table that is an error': "return {err = 'MY own'}",
  'a table that is an error without a code': "return {err = 'oops'}",
  'a table that is an empty error': "return {err = ''}",
  'a table that is an error of two lines': String.raw`return {err = 'MY one\r\ntwo'}`,
  'a table whose error is a number': 'return {err = 5}',
  'a table whose error is a table': 'return {err = {}}',
};
