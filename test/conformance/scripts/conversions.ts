/** What a script returns, and what the client gets for it. */
import type { Snippets } from './snippet.js';

export const conversions: Snippets = {
  'nothing is returned': '',
  nil: 'return nil',
  true: 'return true',
  false: 'return false',
  'an empty string': "return ''",
  'a string with every kind of byte': String.raw`return 'a\0b\r\nc\255\128'`,
  'a long string': "return string.rep('x', 70000)",
  'only the first of several values': 'return 1, 2, 3',
  'a function': 'return function() end',
  'a coroutine': 'return coroutine.create(function() end)',
  'a script that is only a comment': '-- nothing to do',

  'an empty table': 'return {}',
  'a list of every type': "return {1, 'two', true, false, 3.9, {}}",
  'a hole ends a list': 'return {1, 2, nil, 4}',
  'a list that begins with nil': 'return {nil, 1}',
  'false is no hole': 'return {1, false, 3}',
  'a table without a list': "return {name = 'x', size = 2}",
  'a list with fields': 'return {1, 2, three = 3}',
  'index 0 is not in the list': 'return {[0] = 0, 1, 2}',
  'a list made from behind': 'local t = {} t[2] = 2 t[1] = 1 return t',
  'keys that are numbers in strings': "return {['1'] = 'a', ['2'] = 'b'}",
  'nested lists': 'return {1, {2, {3, {4, {}}}}, 5}',
  'a list of a thousand': 'local t = {} for i = 1, 1000 do t[i] = i end return t',
  'a list nested a thousand deep': 'local t = {} for i = 1, 1000 do t = {t} end return t',
  'a list nested too deep to be sent': 'local t = {} for i = 1, 10000 do t = {t} end return t',
  'a list whose values come from a metatable':
    'return setmetatable({1}, {__index = function(_, i) if i < 4 then return i * 10 end end})',

  'a status': "return {ok = 'FINE'}",
  'a status of its maker': "return redis.status_reply('FINE')",
  'an empty status': "return {ok = ''}",
  'a status of two lines': String.raw`return {ok = 'one\r\ntwo'}`,
  'a status that is a number': 'return {ok = 5}',
  'a status that is a table': 'return {ok = {1}}',
  'status and error in one table': "return {ok = 'FINE', err = 'ERR bad'}",
  'statuses in a list': "return {{ok = 'A'}, redis.status_reply('B'), 'C'}",
  'a map beside a status': "return {ok = 'FINE', map = {a = 1}}",
};
