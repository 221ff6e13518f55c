/** Numbers: Lua has doubles only, the protocol has integers, and commands take text. */
import type { Snippets } from './snippet.js';

export const numbers: Snippets = {
  '5 and 5.0 are one number': 'return {5, 5.0, tostring(5), tostring(5.0)}',
  'a fraction is cut off': 'return {5.9, -5.9, 0.999999, -0.5}',
  'minus zero': 'return {-0, 0 * -1, tostring(0 * -1)}',
  'integers around 2^53': 'return {2^53 - 1, 2^53, 2^53 + 1, -2^53}',
  'integers around 2^31': 'return {2^31 - 1, 2^31, -2^31, 2^32}',
  'the largest 64-bit integers': 'return {2^62, -2^63, 2^63 - 1024}',
  'more than 64 bits': 'return 2^63',
  'far more than 64 bits': 'return {1e300, 2^64}',
  infinity: 'return 1/0',
  'minus infinity': 'return -1/0',
  'not a number': 'return 0/0',

  tostring: `local t = {}
        for i, n in ipairs({0.1, 1/3, 1e14, 1e15, 1e16, 123456789012345, 2^53, 2^63, 1e100, -1e-10, 100000000000000}) do
          t[i] = tostring(n)
        end
        return t`,
  'tostring of what is no number':
    'return {tostring(1/0), tostring(-1/0), tostring(true), tostring(nil)}',
  tonumber: `local t = {}
        for i, s in ipairs({'10', ' 5 ', '0x10', '1e2', '5x', '', '-3', '+3', '1 2', '.5', '5.'}) do
          t[i] = tostring(tonumber(s))
        end
        return t`,
  'tonumber with a base':
    "return {tonumber('ff', 16), tonumber('z', 36), tonumber('101', 2), tostring(tonumber('9', 8))}",
  'tonumber with an impossible base': "return tonumber('1', 99)",
  'text counts as a number in arithmetic': "return {'10' + 5, '3' * '4', 10 .. ''}",
  'numbers joined to text': "return 1 .. ',' .. 1.5 .. ',' .. 1e20 .. ',' .. -0.1",
  'division and remainder': 'return {7 / 2 * 10, 7 % 3, -7 % 3, 7 % -3, 5.5 % 2 * 10}',
  'a remainder of zero': 'return tostring(1 % 0) == tostring(0/0)',
  'powers and comparisons': 'return {2 ^ 10, 2 ^ -1 * 100, 1 == 1.0, 0.1 + 0.2 == 0.3}',
  'hexadecimal and exponents in the source': 'return {0xff, 1e3, 3e-1 * 10, 0x7fffffff}',

  'string.format of integers':
    "return string.format('%d %5d %-5d| %05d %+d %i %x %X %o %u %c', 3.7, 42, 42, 42, 42, -7, 255, 255, 8, 9, 65)",
  'string.format of fractions':
    "return string.format('%f %.2f %e %.3e %g %g %g %.14g %.17g', 1/3, 2.345, 12345.678, 0.00012, 1e20, 0.1, 100000, 0.1, 0.1)",
  'string.format of text': String.raw`return string.format('%s|%10s|%-10s|%.2s|%q|%%', 'a', 'b', 'c', 'def', 'q"\n\0\\')`,
  'string.format of a large integer': "return string.format('%d', 2^53)",
  'string.format without its value': "return string.format('%d')",
  'string.format of text as a number': "return string.format('%d', 'x')",
  'string.format with an unknown option': "return string.format('%y', 1)",

  'math functions': `return {math.floor(-1.5), math.ceil(-1.5), math.abs(-3), math.max(1, 5, 3), math.min(4, 2, 9),
        math.fmod(-7, 3), math.sqrt(49), math.pow(2, 8), math.log10(1000), math.huge == 1/0, math.floor(math.pi * 1000)}`,
  'math functions with fractions': `local t = {}
        for i, n in ipairs({math.sin(1), math.cos(1), math.tan(1), math.exp(1), math.log(10), math.atan2(1, 2), math.rad(90), math.deg(1), math.cosh(1)}) do
          t[i] = string.format('%.10f', n)
        end
        return t`,
  'math.modf, frexp and ldexp':
    'local a, b = math.modf(-3.25) local m, e = math.frexp(10) return {a, b * 100, m * 1000, e, math.ldexp(0.5, 4)}',
  'chance with a seed':
    'math.randomseed(42) return {math.random(1000), math.random(1000), math.random(5, 10), math.floor(math.random() * 1000000)}',
  'chance from an empty interval': 'return math.random(0)',

  'numbers given to a command': `local t = {}
        for i, n in ipairs({3.0, 0.1, 1/3, 1e15, 1e17, 1e20, -5, 2^53, 2^63, 100000000000000000000, 1e-7, 3.14159265358979}) do
          redis.call('SET', 'out', n)
          t[i] = redis.call('GET', 'out')
        end
        return t`,
  'infinity and not a number given to a command':
    "redis.call('RPUSH', 'out', 1/0, -1/0) return redis.call('LRANGE', 'out', 0, -1)",
  'a number given as a score': {
    source: "redis.call('ZADD', KEYS[1], 0.1, 'm') return redis.call('ZSCORE', KEYS[1], 'm')",
    keys: ['out'],
  },
  'an integer reply above 2^53':
    "redis.call('SET', 'out', '9007199254740993') return redis.call('INCRBY', 'out', 0)",
  'an integer reply of 64 bits':
    "redis.call('SET', 'out', '9223372036854775807') return tostring(redis.call('INCRBY', 'out', 0))",
  INCRBYFLOAT: "redis.call('SET', 'out', 0.1) return redis.call('INCRBYFLOAT', 'out', 0.2)",
};
