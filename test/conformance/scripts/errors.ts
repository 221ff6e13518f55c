/** Errors of the script itself: their text, with the line it happened in, and how they are thrown. */
import type { Snippets } from './snippet.js';

export const errors: Snippets = {
  'a script that does not compile': 'return return',
  'a script that does not compile in its third line': 'local a = 1\nlocal b = 2\nif a then b = ',
  'an unfinished string': "return 'abc",
  'goto is not in this Lua': 'goto done ::done:: return 1',
  'integer division is not in this Lua': 'return 7 // 2',
  'a chunk of bytecode': String.raw`return select(2, loadstring('\27Lua'))`,
  'too many local variables': Array.from({ length: 201 }, (_, n) => `local v${n} = ${n}`).join(
    '\n',
  ),

  'a field of nil': 'local t = nil\nreturn t.field',
  'a call of nil': 'local f\nf()',
  'arithmetic with nil': 'return 1 + nil',
  'arithmetic with a field': 'local t = {}\nreturn t.count + 1',
  'a comparison of two types': "return 1 < 'x'",
  'a boolean joined to text': "return 'x' .. true",
  'the length of a number': 'return #5',
  'nil as an index': 'local t = {}\nt[nil] = 1',
  'a function that never ends calling itself': 'local function f() return 1 + f() end\nreturn f()',
  'a bad argument to a function of the library': 'return string.rep()',
  'a bad argument to a method': "return ('x'):rep({})",

  'error with text': "error('it broke')",
  'error in the second line': "local a = 1\nerror('it broke')",
  'error without a place': "error('it broke', 0)",
  "error at the caller's place": "local function check()\n  error('bad call', 2)\nend\n\ncheck()",
  'error with a code': "error('MYCODE it broke')",
  'error with a table': "error({err = 'MY own error'})",
  'error with a number': 'error(42)',
  'error with nil': 'error(nil)',
  'error with a boolean': 'error(true)',
  'error with error_reply': "error(redis.error_reply('MY own error'))",
  'error of two lines': String.raw`error('one\ntwo')`,
  'error with a percent sign': "error('100% %s %d broken')",
  'a very long error': "error(string.rep('long ', 500))",
  assert: "assert(false, 'it is not so')",
  'assert without a message': 'assert(nil)',
  'assert with a table': "assert(false, {err = 'MY own'})",
  'assert that holds returns its values': "return {assert(1, 'x')}",
  'pcall catches every kind':
    "local t = {} for i, f in ipairs({function() error('a', 0) end, function() error({1}) end, function() local x = nil + 1 end}) do local ok, e = pcall(f) t[i] = ok == false and type(e) end return t",
  'pcall shows the place': "local ok, e = pcall(function()\n  error('here')\nend)\nreturn e",
  'pcall of a field of nil': 'return select(2, pcall(function() local t return t.x end))',
  'an error in a coroutine':
    "local c = coroutine.create(function() error('inside') end)\nreturn {coroutine.resume(c)}",
  'an error in a comparator':
    'local t = {2, 1}\ntable.sort(t, function(a, b) return a.x < b.x end)',
  loadstring:
    "return {loadstring('return 1 + 1')(), (select(2, loadstring('return +'))), (select(2, loadstring('x = = 1', 'name')))}",
  'an error in what was loaded': "loadstring('local a\\nerror(a.b)', 'chunk')()",
};
