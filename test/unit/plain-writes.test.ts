/** Plain writes: what the table says of them must be so whatever their arguments are, for nobody looks at those. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectOf } from '../../src/command/effect.js';
import { journalForm } from '../../src/command/journal-form.js';
import { keysOf } from '../../src/command/keys.js';
import { outageClassOf } from '../../src/command/outage-class.js';
import { PLAIN_WRITE_ARGUMENTS } from '../../src/command/plain-writes.js';
import { COMMAND_NAMES, COMMANDS } from '../../src/command/table.js';
import { WriteRun } from '../../src/proxy/write-run.js';
import { chooseFrom, integerBelow, property, randomBytes, type Random } from '../helpers/fuzz.js';
import { encodeCommand } from '../helpers/raw-client.js';

const OPTIONS = ['NX', 'XX', 'GT', 'GET', 'EX', 'PX', 'KEEPTTL', 'COUNT', 'LIMIT', 'FIELDS'];
const OTHERS = ['', '*', '~', '=', '1', '-1', '0-1', 'MAXLEN', 'BLOCK', 'STORE', '\r\n', '$3\r\n'];
const MOST_ARGUMENTS = 8;

function argument(random: Random): Buffer {
  if (random() < 0.3) return randomBytes(random, integerBelow(random, 20));
  return Buffer.from(chooseFrom(random, [...OPTIONS, ...OTHERS]));
}

/** The command `id` with anything behind its name. */
function anyForm(random: Random, id: number, argumentCount: number): Buffer[] {
  const { name } = COMMANDS[id]!;
  const words = Array.from({ length: argumentCount - 1 }, () => argument(random));
  return [Buffer.from(random() < 0.5 ? name : name.toUpperCase()), ...words];
}

function mostOf(name: string): number {
  return PLAIN_WRITE_ARGUMENTS[COMMAND_NAMES.indexOf(name)]!;
}

property('a plain write is buffered, journaled as it came and of one key', 100, (random) => {
  PLAIN_WRITE_ARGUMENTS.forEach((most, id) => {
    if (most === 0) return;
    // With fewer it is the store that refuses it.
    const fewest = Math.min(most, 3);
    const more = integerBelow(random, Math.min(most, MOST_ARGUMENTS) - fewest + 1);
    const args = anyForm(random, id, fewest + more);
    const frame = encodeCommand(...args);
    assert.equal(effectOf(id, args), 'none', COMMAND_NAMES[id]);
    assert.equal(outageClassOf(id, args), 'buffer', COMMAND_NAMES[id]);
    assert.equal(journalForm(id, frame, args, Buffer.from(':1\r\n'), 0), frame, COMMAND_NAMES[id]);
    assert.deepEqual(keysOf(id, args), [args[1]], COMMAND_NAMES[id]);
  });
});

test('which they are', () => {
  assert.equal(mostOf('set'), 3);
  assert.equal(mostOf('del'), 2);
  for (const name of ['append', 'hset', 'lpush', 'rpush', 'sadd', 'zrem'])
    assert.ok(mostOf(name) > 8);
  for (const name of ['get', 'mset', 'setex', 'expire', 'xadd', 'zadd', 'incr', 'multi', 'eval'])
    assert.equal(mostOf(name), 0, name);
});

property('a run is cut into its commands again, and its writes have their keys', 300, (random) => {
  const commands = Array.from({ length: 1 + integerBelow(random, 12) }, () => {
    const name = chooseFrom(random, ['SET', 'rpush', 'Del', 'GET', 'PING', 'exists']);
    const key = randomBytes(random, integerBelow(random, 30));
    return name === 'PING' ? [Buffer.from(name)] : [Buffer.from(name), key, argument(random)];
  });
  const before = randomBytes(random, integerBelow(random, 50));
  const run = new WriteRun(
    3,
    Buffer.concat([before, ...commands.map((one) => encodeCommand(...one))]),
    before.length,
  );
  for (const args of commands) {
    const isWrite = run.next();
    const { bytes, start, end, keyStart, keyEnd } = run;
    assert.deepEqual(bytes.subarray(start, end), encodeCommand(...args));
    assert.equal(isWrite, ['SET', 'rpush', 'Del'].includes(args[0]!.toString()));
    if (isWrite) assert.deepEqual(bytes.subarray(keyStart, keyEnd), args[1]);
  }
});
