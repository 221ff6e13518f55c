/** Tables, iteration and text: the parts of Lua's library that scripts are made of. */
import type { Snippets } from './snippet.js';

export const tables: Snippets = {
  'pairs goes through a list in order':
    'local t = {} for k, v in pairs({10, 20, 30}) do t[#t + 1] = k .. v end return t',
  'pairs goes through a list and then its fields':
    "local t = {} for k, v in pairs({'a', 'b', x = 'c'}) do t[#t + 1] = k .. '=' .. v end return t",
  'pairs goes through fields in one order':
    'local t = {} for k in pairs({one = 1, two = 2, three = 3, four = 4, five = 5, six = 6}) do t[#t + 1] = k end return t',
  'pairs goes through scattered numbers in one order':
    'local t = {} for k in pairs({[100] = 1, [3] = 1, [7.5] = 1, [-1] = 1}) do t[#t + 1] = tostring(k) end return t',
  'ipairs ends at a hole': 'local n = 0 for _ in ipairs({1, 2, nil, 4}) do n = n + 1 end return n',
  'the length of tables with holes':
    'return {#{1, 2, nil, 4}, #{nil, nil, 3}, #{n = 1}, #{1, 2, nil}}',
  'table.insert and remove':
    "local t = {'a', 'c'} table.insert(t, 2, 'b') table.insert(t, 'd') local r = table.remove(t, 1) table.remove(t) return {r, unpack(t)}",
  'table.concat':
    "return {table.concat({1, 'b', 2.5}, '-'), table.concat({1, 2, 3, 4}, ',', 2, 3), table.concat({})}",
  'table.concat of a table': "return table.concat({1, {}, 3}, ',')",
  'table.sort':
    "local t = {3, 1, 2} table.sort(t) local u = {'b', 'a', 'C'} table.sort(u, function(x, y) return x:lower() < y:lower() end) return {t, u}",
  'table.sort of mixed types': "local t = {3, 'x', 1} table.sort(t) return t",
  'table.sort with a comparator that is no order':
    'local t = {} for i = 1, 50 do t[i] = i % 7 end table.sort(t, function() return true end) return #t',
  'table.maxn, getn and foreach':
    'local n = 0 if table.foreach then table.foreach({1, 2, 3}, function(_, v) n = n + v end) end return {table.maxn({[10] = 1}), table.getn and table.getn({1, 2}) or -1, n}',
  'unpack and select':
    "local a, b = unpack({1, 2, 3}, 2) return {a, b, select('#', nil, nil), (select(2, 'x', 'y')), (select(-1, 'x', 'y'))}",
  'unpack of too many': 'return {unpack({}, 1, 1e7)}',
  next: "return {next({}) == nil, (next({'a'})), type(next)}",
  metatables:
    'local t = setmetatable({}, {__index = {x = 1}, __call = function(_, a) return a * 2 end, __len = function() return 9 end, __add = function() return 7 end}) return {t.x, t(4), #t, t + t}',
  'a metatable that says what it is in text':
    "return tostring(setmetatable({}, {__tostring = function() return 'me' end}))",
  'rawget, rawset and rawequal':
    "local t = setmetatable({}, {__index = function() return 'meta' end}) rawset(t, 'a', 1) return {t.b, rawget(t, 'b') == nil, t.a, rawequal(t, t)}",
  'a long table': 'local t = {} for i = 1, 100000 do t[i] = i end return #t',
  coroutines:
    'local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {f(), f(), f(), coroutine.status(coroutine.create(function() end))}',
  'a command within a coroutine':
    "return coroutine.wrap(function() return redis.call('GET', 'str') end)()",
  'closures keep their variables':
    'local function counter() local n = 0 return function() n = n + 1 return n end end local a, b = counter(), counter() return {a(), a(), b()}',
  'loops of every kind':
    'local t = {} for i = 10, 1, -3 do t[#t + 1] = i end local n = 0 repeat n = n + 1 until n == 3 while true do n = n + 1 if n > 5 then break end end t[#t + 1] = n return t',
};

export const text: Snippets = {
  'string.find and match':
    "return {string.find('hello world', 'o w'), string.find('a.b', '.', 1, true), string.match('key=val', '(%w+)=(%w+)'), string.match('x', 'y') == nil}",
  captures:
    "local a, b, c = string.match('2024-05-06', '(%d+)-(%d+)-(%d+)') return {a, b, c, (string.match('hello', '()ll()'))}",
  gmatch:
    "local t = {} for k, v in string.gmatch('a=1, b=2', '(%w+)=(%w+)') do t[#t + 1] = k .. v end return t",
  'gsub with text, table and function':
    "return {string.gsub('hello', 'l', 'L'), (string.gsub('$a $b', '%$(%w)', {a = 'x'})), (string.gsub('abc', '%w', function(c) return c:upper() end)), (string.gsub('abc', '', '-'))}",
  'character classes, sets and frontiers':
    "return {string.match('a1_ b', '[%w_]+'), string.match('x{[y]}', '%b[]'), (string.gsub('THE (quick) fox', '%f[%a]%a+', 'W')), string.match('abc', '^[^b]'), string.match('  x ', '^%s*(.-)%s*$')}",
  'a malformed pattern': "return string.find('a', '[a')",
  'a pattern that ends in a percent sign': "return string.find('a', '%')",
  'an invalid capture in a replacement': "return string.gsub('abc', 'b', '%9')",
  'bytes and characters': String.raw`return {string.byte('AZ', 1, 2), string.char(72, 105, 0, 255), #'a\0b', ('x'):rep(3), ('abc'):reverse(), ('aBÄ'):upper(), ('ÀB'):lower()}`,
  'string.char of too large a number': 'return string.char(256)',
  'substrings from both ends':
    "return {('hello'):sub(2, 3), ('hello'):sub(-3), ('hello'):sub(-3, -2), ('hello'):sub(10), ('hello'):sub(0)}",
  'text is compared by its bytes': String.raw`return {'a' < 'b', 'B' < 'a', 'a' < 'a\0', 'ä' > 'z', '10' < '9'}`,
  'long strings and escapes': String.raw`return {[[a\n]], [==[x]]y]==], '\65\066\x', "it's", 'tab\t'}`,
  'string.rep of nothing and less':
    "return {string.rep('a', 0), string.rep('a', -1), string.rep('', 100)}",
  'a method that strings do not have': "return ('x'):nosuch()",
};
