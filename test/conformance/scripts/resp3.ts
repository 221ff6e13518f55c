/** RESP3 inside a script and out of it: redis.setresp, and tables that stand for RESP3's types. */
import type { Snippets } from './snippet.js';

export const resp3: Snippets = {
  'setresp(3): a hash is a map':
    "redis.setresp(3) local r = redis.call('HGETALL', 'hash') return {type(r.map), r.map.field}",
  'setresp(3): a map is returned': "redis.setresp(3) return redis.call('HGETALL', 'hash')",
  'setresp(3): a set':
    "redis.setresp(3) local r = redis.call('SMEMBERS', 'set') return {type(r.set), r.set.one}",
  'setresp(3): a set is returned': "redis.setresp(3) return redis.call('SMEMBERS', 'set')",
  'setresp(3): a score is a double':
    "redis.setresp(3) local r = redis.call('ZSCORE', 'zset', 'b') return {type(r), r.double * 10}",
  'setresp(3): doubles are returned':
    "redis.setresp(3) return {redis.call('ZSCORE', 'zset', 'b'), redis.call('ZRANGE', 'zset', 0, -1, 'WITHSCORES')}",
  'setresp(3): null is nil':
    "redis.setresp(3) return {redis.call('GET', 'none') == nil, redis.call('LPOP', 'none', 2) == nil}",
  'setresp(3): null is returned': "redis.setresp(3) return redis.call('GET', 'none')",
  'setresp(3): null ends a list':
    "redis.setresp(3) return redis.call('MGET', 'str', 'none', 'num')",
  'setresp(3): verbatim text':
    "redis.setresp(3) local r = redis.call('INFO', 'cpu') return {type(r), r.verbatim_string.format, type(r.verbatim_string.string)}",
  'setresp(3): nil and false': 'redis.setresp(3) return {true, false, 1, nil, 2}',
  'setresp(3): true': 'redis.setresp(3) return true',
  'setresp(3): false': 'redis.setresp(3) return false',
  'setresp(3): errors': "redis.setresp(3) return redis.pcall('INCR', 'str')",
  'setresp(2) after setresp(3)':
    "redis.setresp(3) redis.setresp(2) return {redis.call('HGETALL', 'hash'), redis.call('GET', 'none')}",
  'the next script begins with RESP2': "return type(redis.call('GET', 'none'))",
  'setresp(4)': 'redis.setresp(4)',
  'setresp of text': "redis.setresp('x')",
  'setresp without an argument': 'redis.setresp()',
  'setresp with two arguments': 'redis.setresp(2, 3)',

  'a double': 'return {double = 3.25}',
  'doubles of every size':
    'return {{double = 5}, {double = 0.1}, {double = 1/3}, {double = 1e20}, {double = -1e-7}, {double = 2^53}}',
  'doubles that are none': 'return {{double = 1/0}, {double = -1/0}}',
  'a double that is text': "return {double = 'x'}",
  'a map': "return {map = {field = 'value'}}",
  'a map of numbers': 'return {map = {10, 20}}',
  'an empty map': 'return {map = {}}',
  'a map that is none': 'return {map = 5}',
  'a map in a list in a map': 'return {map = {list = {1, {map = {x = {double = 1.5}}}}}}',
  'a set': 'return {set = {member = true}}',
  'an empty set': 'return {set = {}}',
  'a set that is a list': "return {set = {'a', 'b'}}",
  'a big number': "return {big_number = '123456789012345678901234567890'}",
  'a big number that is a number': 'return {big_number = 5}',
  'verbatim text': "return {verbatim_string = {format = 'txt', string = 'hello'}}",
  'verbatim text of markdown': String.raw`return {verbatim_string = {format = 'mkd', string = '# a\r\nb'}}`,
  'verbatim text without a format': "return {verbatim_string = {string = 'hello'}}",
  'verbatim text that is text': "return {verbatim_string = 'hello'}",
  'an attribute is not made': "return {attribute = {a = 1}, 'value'}",
  'a status within a map': "return {map = {k = {ok = 'FINE'}}}",
  'an error within a map': "return {map = {k = {err = 'MY own'}}}",
};
