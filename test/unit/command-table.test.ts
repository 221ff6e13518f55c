import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import { COMMAND_NAMES, COMMANDS, OTHER_COMMAND } from '../../src/command/table.js';
import { chooseFrom, integerBelow, property, randomBytes } from '../helpers/fuzz.js';

function idOf(name: string): number {
  const bytes = Buffer.from(name, 'latin1');
  return classify(bytes, 0, bytes.length);
}

test('each name stands once in the table, in lower case, and id 0 is nobody', () => {
  assert.equal(new Set(COMMAND_NAMES).size, COMMAND_NAMES.length);
  for (const name of COMMAND_NAMES) assert.equal(name, name.toLowerCase());
  assert.equal(COMMAND_NAMES[OTHER_COMMAND], 'other');
});

test('a command nobody knows is kept apart and may take long', () => {
  const { effect, pace } = COMMANDS[OTHER_COMMAND]!;
  assert.deepEqual([effect, pace], ['apart', 'slow']);
});

test('what runs apart may take its time; a setting is answered at once', () => {
  for (const { name, effect, pace } of COMMANDS) {
    if (effect === 'apart') assert.equal(pace, 'slow', name);
    else if (effect !== 'none') assert.equal(pace, 'quick', name);
  }
});

test('every name of the table is found, in any case', () => {
  COMMAND_NAMES.forEach((name, id) => {
    if (id === OTHER_COMMAND) return;
    const mixed = [...name].map((letter, at) => (at % 2 === 0 ? letter.toUpperCase() : letter));
    for (const spelling of [name, name.toUpperCase(), mixed.join('')]) {
      assert.equal(idOf(spelling), id, spelling);
    }
  });
});

test('a name is found where it stands in a longer buffer', () => {
  const bytes = Buffer.from('*1\r\n$4\r\nPING\r\n');
  assert.equal(COMMAND_NAMES[classify(bytes, 8, 4)], 'ping');
});

test('names that only look alike are not found', () => {
  const strangers = ['', 'g', 'gets', 'ge', 'get ', ' get', 'get\0', 'other', 'x'.repeat(100_000)];
  // Folding sets one bit: these differ from a name in nothing else.
  const folded = ['\x47ET\x00'.slice(0, 3) + '!', 'GE\x14', 'hello\x1f', 'hos\x54\x1a', 'HOST\x1a'];
  for (const name of [...strangers, ...folded]) {
    assert.equal(idOf(name), OTHER_COMMAND, JSON.stringify(name.slice(0, 20)));
  }
});

property('one changed byte makes another name or none', 2000, (random) => {
  const name = chooseFrom(random, COMMAND_NAMES.slice(1));
  const bytes = Buffer.from(name);
  bytes[integerBelow(random, bytes.length)] = integerBelow(random, 256);
  const expected = COMMAND_NAMES.indexOf(bytes.toString('latin1').toLowerCase(), 1);
  assert.equal(idOf(bytes.toString('latin1')), Math.max(expected, OTHER_COMMAND), name);
});

property('random bytes name nothing', 2000, (random) => {
  const bytes = randomBytes(random, integerBelow(random, 24));
  const expected = COMMAND_NAMES.indexOf(bytes.toString('latin1').toLowerCase(), 1);
  assert.equal(classify(bytes, 0, bytes.length), Math.max(expected, OTHER_COMMAND));
});
