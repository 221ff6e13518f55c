import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authOptionAt, credentialsIn, isAuth } from '../../src/proxy/credentials.js';
import { commandsIn } from '../helpers/fake-transport.js';

function argsOf(command: string): Buffer[] {
  return command.split(' ').map((word) => Buffer.from(word, 'latin1'));
}

/** `[user, password, the rest]`, or null. */
function credentials(command: string): [string | null, string, string | null] | null {
  const found = credentialsIn(argsOf(command));
  if (found === null) return null;
  const { user, password, rest } = found;
  return [user, password, rest === null ? null : commandsIn(rest)[0]!];
}

test('AUTH carries credentials and nothing else', () => {
  assert.deepEqual(credentials('AUTH pw'), [null, 'pw', null]);
  assert.deepEqual(credentials('auth ann pw'), ['ann', 'pw', null]);
  assert.equal(credentials('AUTH'), null);
  assert.equal(credentials('AUTH a b c'), null);
});

test('HELLO may carry some, among what else it says', () => {
  assert.deepEqual(credentials('HELLO 3 AUTH ann pw'), ['ann', 'pw', 'HELLO 3']);
  assert.deepEqual(credentials('hello 3 setname me auth ann pw'), [
    ...['ann', 'pw', 'hello 3 setname me'],
  ]);
  assert.deepEqual(credentials('HELLO 3 AUTH ann pw SETNAME me'), [
    ...['ann', 'pw', 'HELLO 3 SETNAME me'],
  ]);
  for (const none of ['HELLO', 'HELLO 3', 'HELLO AUTH a b', 'HELLO 3 AUTH ann', 'HELLO 3 AUTH'])
    assert.equal(credentials(none), null, none);
});

test('any byte survives in a password', () => {
  assert.deepEqual(credentials('AUTH \xff\x00\xe9'), [null, '\xff\x00\xe9', null]);
});

test('what is AUTH and where it stands is told whatever the case', () => {
  assert.ok(isAuth(argsOf('aUtH x')) && !isAuth(argsOf('HELLO 3 AUTH a b')));
  assert.equal(authOptionAt(argsOf('HELLO 3 SETNAME x aUtH a b')), 4);
  assert.equal(authOptionAt(argsOf('HELLO AUTH')), -1);
});
