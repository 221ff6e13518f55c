import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  authCommand,
  commandsBetween,
  FRESH_STATE,
  IdentityRegister,
  type ConnectionState,
} from '../../src/command/connection-state.js';
import { decodeArguments } from '../../src/resp/decoder.js';

function between(from: Partial<ConnectionState>, to: Partial<ConnectionState>): string[] {
  const commands = commandsBetween({ ...FRESH_STATE, ...from }, { ...FRESH_STATE, ...to });
  return commands.map((command) => decodeArguments(command).join(' '));
}

test('equal states need no commands', () => {
  assert.deepEqual(between({}, {}), []);
  assert.deepEqual(between({ db: 3, name: 'x' }, { db: 3, name: 'x' }), []);
});

test('each difference has its command, the protocol first and the database last', () => {
  const all = { db: 3, resp: 3, name: 'n', libraryName: 'l', libraryVersion: 'v' } as const;
  assert.deepEqual(between({}, all), [
    'HELLO 3',
    'CLIENT SETNAME n',
    'CLIENT SETINFO LIB-NAME l',
    'CLIENT SETINFO LIB-VER v',
    'SELECT 3',
  ]);
  assert.deepEqual(between(all, {}), [
    'HELLO 2',
    'CLIENT SETNAME ',
    'CLIENT SETINFO LIB-NAME ',
    'CLIENT SETINFO LIB-VER ',
    'SELECT 0',
  ]);
});

test('names keep their bytes', () => {
  const [command] = commandsBetween(FRESH_STATE, { ...FRESH_STATE, name: '\xff\xe9' });
  assert.deepEqual(decodeArguments(command!)[2], Buffer.from([0xff, 0xe9]));
});

test('AUTH carries a user only when there is one', () => {
  const register = new IdentityRegister();
  const auth = (user: string | null, password: string): string[] =>
    decodeArguments(authCommand(register.identityOf({ user, password }))!).map(String);
  assert.deepEqual(auth(null, 'p'), ['AUTH', 'p']);
  assert.deepEqual(auth('u', 'p'), ['AUTH', 'u', 'p']);
  assert.equal(authCommand(register.identityOf(null)), null);
});

test('equal credentials are one identity, different ones are never mixed up', () => {
  const register = new IdentityRegister();
  const credentials = [
    null,
    { user: null, password: 'p' },
    { user: 'p', password: '' },
    { user: '', password: 'p' },
    { user: 'null', password: 'p' },
    { user: 'a","b', password: 'c' },
    { user: 'a', password: 'b","c' },
  ];
  const identities = credentials.map((one) => register.identityOf(one));
  assert.equal(new Set(identities).size, credentials.length);
  assert.equal(new Set(identities.map(({ id }) => id)).size, credentials.length);
  credentials.forEach((one, index) => {
    assert.equal(register.identityOf(one === null ? null : { ...one }), identities[index]);
  });
});
