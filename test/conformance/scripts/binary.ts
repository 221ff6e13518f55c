/** cmsgpack, struct and bit: the libraries for bytes. */
import type { Snippets } from './snippet.js';

/** Lua's own way to show bytes, for what would be hard to read. */
const HEX =
  "local function hex(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end ";

export const cmsgpack: Snippets = {
  'cmsgpack: integers of every size': `${HEX} local t = {} for i, n in ipairs({0, 127, 128, 255, 256, 65535, 65536, 2^32 - 1, 2^32, 2^53, -1, -32, -33, -128, -129, -32768, -32769, -2^31, -2^31 - 1}) do t[i] = hex(cmsgpack.pack(n)) end return t`,
  'cmsgpack: fractions': `${HEX} return {hex(cmsgpack.pack(0.5)), hex(cmsgpack.pack(0.1)), hex(cmsgpack.pack(1e18 + 0.5)), hex(cmsgpack.pack(1/0))}`,
  'cmsgpack: whole numbers of more than 64 bits': `${HEX} return {hex(cmsgpack.pack(2^63)), hex(cmsgpack.pack(-1e300))}`,
  'cmsgpack: text of every size': `${HEX} local t = {} for i, n in ipairs({0, 1, 31, 32, 255, 256, 65536}) do local s = cmsgpack.pack(('x'):rep(n)) t[i] = hex(s:sub(1, 6)) .. ' ' .. #s end return t`,
  'cmsgpack: lists, maps, nil and booleans': `${HEX} return {hex(cmsgpack.pack({})), hex(cmsgpack.pack({1, 2})), hex(cmsgpack.pack({a = 1})), hex(cmsgpack.pack({1, 2, x = 3})), hex(cmsgpack.pack(nil)), hex(cmsgpack.pack(true, false))}`,
  'cmsgpack: a list with a hole is a map': `${HEX} return hex(cmsgpack.pack({1, nil, 3}))`,
  'cmsgpack: there and back':
    "local v = cmsgpack.unpack(cmsgpack.pack({1, 'two', {3, {x = 'y'}}, true, 2.5})) return {v[1], v[2], v[3][1], v[3][2].x, v[4], v[5] * 10}",
  'cmsgpack: several values':
    "local a, b, c = cmsgpack.unpack(cmsgpack.pack(1, 'x', {2})) return {a, b, c}",
  'cmsgpack: one value at a time':
    "local s = cmsgpack.pack(1, 'two', 3) local o1, a = cmsgpack.unpack_one(s) local o2, b = cmsgpack.unpack_one(s, o1) local o3, c = cmsgpack.unpack_one(s, o2) return {o1, a, o2, b, o3, c}",
  'cmsgpack: at most so many values':
    'local o, a, b = cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2) return {o, a, b}',
  'cmsgpack: nothing to pack': 'return cmsgpack.pack()',
  'cmsgpack: a function is packed as nil': `${HEX} return hex(cmsgpack.pack(function() end))`,
  'cmsgpack: cut off': "return cmsgpack.unpack(cmsgpack.pack('hello'):sub(1, 3))",
  'cmsgpack: bytes that mean nothing': String.raw`return cmsgpack.unpack('\193')`,
  'cmsgpack: empty input': "return {cmsgpack.unpack('')}",
  'cmsgpack: an offset behind the end': "return cmsgpack.unpack_one('a', 5)",
  'cmsgpack: a negative limit': "return cmsgpack.unpack_limit('a', -1)",
  'cmsgpack: nested deeper than it goes': `${HEX} local t = {} for i = 1, 20 do t = {t} end return hex(cmsgpack.pack(t))`,
  'cmsgpack: a list that promises more than there is': String.raw`return cmsgpack.unpack('\221\255\255\255\255')`,
  'cmsgpack: what other encoders write': String.raw`local a, b, c = cmsgpack.unpack('\202\063\128\000\000\205\001\000\208\255') return {a * 10, b, c}`,
  'cmsgpack: a type that it does not know': String.raw`return cmsgpack.unpack('\196\002hi')`,
};

export const struct: Snippets = {
  'struct: integers of both orders': `${HEX} return {hex(struct.pack('>I2', 258)), hex(struct.pack('<I4', 258)), hex(struct.pack('>i8', 2)), hex(struct.pack('bBhH', -1, 255, -2, 65535))}`,
  'struct: a negative integer of 8 bytes': `${HEX} return hex(struct.pack('>i8', -2))`,
  'struct: fractions and text': `${HEX} return {hex(struct.pack('>d', 0.1)), hex(struct.pack('>f', 0.5)), hex(struct.pack('s', 'hi')), hex(struct.pack('c3', 'abcdef')), hex(struct.pack('>I2c0', 2, 'xy'))}`,
  'struct: unpack returns values and the next position': String.raw`return {struct.unpack('>I2I2', '\0\1\0\2'), struct.unpack('s', 'hello\0rest')}`,
  'struct: unpack from a position': String.raw`local a, nxt = struct.unpack('>I2', '\9\9\1\0', 3) return {a, nxt}`,
  'struct: text with its length before it': `local s = struct.pack('>I2c0', 5, 'hello') return {struct.unpack('>I2c0', s)}`,
  'struct: alignment and padding': `${HEX} return {hex(struct.pack('!4 b i4', 1, 2)), hex(struct.pack('b x b', 1, 2)), struct.size('!8 b d'), struct.size('bhi4')}`,
  'struct: sizes of types':
    "return {struct.size('b'), struct.size('h'), struct.size('i'), struct.size('f'), struct.size('d')}",
  'struct: sizes that depend on the machine': "return {struct.size('l'), struct.size('T')}",
  'struct: an unknown type': "return struct.pack('y', 1)",
  'struct: too little input': "return struct.unpack('>I4', 'ab')",
  'struct: too large an integer type': "return struct.pack('I99', 1)",
  'struct: no value': "return struct.pack('I4')",
  'struct: a size of variable length': "return struct.size('s')",
  'struct: a position before the beginning': "return struct.unpack('b', 'abc', -5)",
  'struct: text that does not end': "return struct.unpack('s', 'endless')",
};

export const bit: Snippets = {
  'bit: and, or, xor, not':
    'return {bit.band(12, 10), bit.bor(12, 10), bit.bxor(12, 10), bit.bnot(0), bit.band(7, 3, 1)}',
  'bit: shifts':
    'return {bit.lshift(1, 4), bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-16, 2), bit.lshift(1, 32)}',
  'bit: rotations and byte order':
    'return {bit.rol(0x12345678, 8), bit.ror(1, 1), bit.bswap(0x12345678)}',
  'bit: hexadecimal':
    'return {bit.tohex(255), bit.tohex(-1, -4), bit.tohex(0xabc, 3), bit.tohex(0xABC, -8)}',
  'bit: numbers of more than 32 bits':
    'return {bit.tobit(2^31), bit.tobit(2^32 + 5), bit.tobit(-2^31 - 1), bit.band(2^40 + 1, 255), bit.tobit(1.5), bit.tobit(2.5)}',
  'bit: text': "return {bit.band('12', 8), bit.bor('x', 1)}",
  'bit: no argument': 'return bit.bnot()',
};
