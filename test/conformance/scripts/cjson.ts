/** cjson: what is encoded how, and what it refuses. */
import type { Snippets } from './snippet.js';

export const cjson: Snippets = {
  'cjson: an empty table is an object':
    'return {cjson.encode({}), cjson.encode({{}}), cjson.encode({a = {}})}',
  'cjson: an empty array comes back as an object':
    'return cjson.encode(cjson.decode(\'{"a":[],"b":[1]}\').a)',
  'cjson: lists and objects':
    "return {cjson.encode({1, 'two', true, cjson.null}), cjson.encode({key = 'value'}), cjson.encode('text'), cjson.encode(nil)}",
  'cjson: an object of several keys has one order':
    'return cjson.encode({a = 1, b = 2, c = 3, d = 4, e = 5})',
  'cjson: a list with a hole': 'return cjson.encode({1, 2, nil, 4})',
  'cjson: a list with fields is an object': "return cjson.encode({'a', x = 1})",
  'cjson: numbers as keys': "return cjson.encode({[1.5] = 'a'})",
  'cjson: a key that is a boolean': 'return cjson.encode({[true] = 1})',
  'cjson: an excessively sparse list': 'return cjson.encode({[1] = 1, [1000] = 2})',
  'cjson: sparse lists as objects':
    'cjson.encode_sparse_array(true) local s = cjson.encode({[1000] = 2}) cjson.encode_sparse_array(false) return s',
  'cjson: numbers are encoded with 14 digits':
    'return {cjson.encode({5, 5.0, 5.5, 0.1, 1/3, -0.0, 1e15, 1e20, 1e-7, 2^53, 123456789012345678})}',
  'cjson: precision':
    'cjson.encode_number_precision(3) local s = cjson.encode({1/3, 12345.678}) cjson.encode_number_precision(14) return s',
  'cjson: impossible precision': 'return cjson.encode_number_precision(99)',
  'cjson: not a number': 'return cjson.encode(0/0)',
  'cjson: infinity': 'return cjson.encode({1/0})',
  'cjson: infinity when allowed':
    "cjson.encode_invalid_numbers('null') local s = cjson.encode({1/0, 0/0}) cjson.encode_invalid_numbers(false) return s",
  'cjson: functions are not encoded': 'return cjson.encode({f = pcall})',
  'cjson: escapes are written': String.raw`return cjson.encode('"\\/\b\f\n\r\t\0\1\127é€')`,
  'cjson: escapes are read': String.raw`return cjson.decode('"\\u00e9 \\u20ac \\ud83d\\ude00 \\n\\t\\/ \\u0000"')`,
  'cjson: half a surrogate pair': String.raw`return cjson.decode('"\\ud83d"')`,
  'cjson: bytes that are no UTF-8': String.raw`return cjson.encode('\255\254')`,
  'cjson: every type is decoded': `local t = cjson.decode('{"s":"x","n":1.5,"b":true,"z":null,"a":[1,2],"o":{"k":"v"}}') return {t.s, t.n * 10, t.b, t.z == cjson.null, t.a, t.o.k}`,
  'cjson: numbers are decoded':
    "local t = cjson.decode('[1, -1, 1.0, 1e3, 0.1, 9007199254740993, 1E-2, 12345678901234567890]') for i, n in ipairs(t) do t[i] = tostring(n) end return t",
  'cjson: numbers that JSON does not know':
    "return {tostring(cjson.decode('[0x10]')[1]), tostring(cjson.decode('[NaN]')[1] ~= nil), tostring(cjson.decode('[Infinity]')[1])}",
  'cjson: such numbers when forbidden':
    "cjson.decode_invalid_numbers(false) local ok, e = pcall(cjson.decode, '[0x10]') cjson.decode_invalid_numbers(true) return {ok, e}",
  'cjson: null is not nil':
    "local v = cjson.decode('[null]')[1] return {v == nil, v == cjson.null, type(v), tostring(v):sub(1, 8)}",
  'cjson: null is returned to the client': 'return {1, cjson.null, 2}',
  'cjson: invalid input': 'return cjson.decode(\'{"a":}\')',
  'cjson: an unfinished list': "return cjson.decode('[1, 2')",
  'cjson: something behind the end': "return cjson.decode('{} x')",
  'cjson: empty input': "return cjson.decode('')",
  'cjson: no input': 'return cjson.decode()',
  'cjson: a table as input': 'return cjson.decode({})',
  'cjson: a bad escape': String.raw`return cjson.decode('"\\x"')`,
  'cjson: trailing commas':
    "return {select(2, pcall(cjson.decode, '[1,]')), select(2, pcall(cjson.decode, '{\"a\":1,}'))}",
  'cjson: nested a thousand deep':
    'local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)',
  'cjson: nested too deep to be encoded':
    'local t = {} for i = 1, 1001 do t = {t} end return cjson.encode(t)',
  'cjson: nested too deep to be decoded':
    "return cjson.decode(string.rep('[', 1001) .. string.rep(']', 1001))",
  'cjson: another depth':
    'cjson.encode_max_depth(2) local ok, e = pcall(cjson.encode, {{{1}}}) cjson.encode_max_depth(1000) return {ok, e}',
  'cjson: a table that contains itself': 'local t = {} t.t = t return cjson.encode(t)',
  'cjson: the buffer is kept or not':
    'local a = cjson.encode_keep_buffer(false) local s = cjson.encode({1}) local b = cjson.encode_keep_buffer(true) return {a, s, b, cjson.encode({2})}',
  'cjson: a second one with settings of its own':
    'local mine = cjson.new() mine.encode_number_precision(2) return {mine.encode(1/3), cjson.encode(1/3)}',
  'cjson: what it says of itself':
    'local t = {} for k in pairs(cjson) do t[#t + 1] = k end table.sort(t) return {cjson._NAME, cjson._VERSION, t}',
  'cjson: arrays that know that they are':
    'return {type(cjson.array_mt), type(cjson.empty_array), type(cjson.decode_array_with_array_mt)}',
  'cjson: a large document there and back':
    "local t = {} for i = 1, 500 do t[i] = {id = i, name = 'item ' .. i, tags = {'a', 'b'}} end local s = cjson.encode(t) local u = cjson.decode(s) return {#u, u[250].name, u[500].tags[2], redis.sha1hex(s)}",
};
