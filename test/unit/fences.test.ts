import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FenceRegister, type FenceTarget } from '../../src/upstream/fences.js';
import { commandsIn } from '../helpers/fake-transport.js';

const SEVEN: FenceTarget = { id: '7', addr: '10.0.0.9:51234' };
const EIGHT: FenceTarget = { id: '8', addr: '10.0.0.9:51235' };

/** A register, what its tasks saw, and how often it asked for work. */
class TestFences {
  asked = 0;
  readonly seen: string[] = [];
  readonly fences = new FenceRegister(() => (this.asked += 1));

  readonly wait = (name: string): void =>
    this.fences.whenClear(() =>
      this.seen.push(this.fences.isForbidden ? `${name} forbidden` : name),
    );

  readonly answer = (...replies: string[]): boolean =>
    this.fences.confirm(
      this.fences.killCommands()!,
      Buffer.from(replies.map((reply) => `${reply}\r\n`).join('')),
    );
}

test('while nothing is pending nobody waits', () => {
  const { fences, wait, seen } = new TestFences();
  wait('a');
  assert.deepEqual([seen, fences.killCommands()], [['a'], null]);
});

test('a connection is killed by its id and its address; who waits goes on when it is, or is gone', () => {
  for (const reply of [':1', ':0', '-ERR No such client']) {
    const test = new TestFences();
    test.fences.add(SEVEN);
    test.fences.add(EIGHT);
    assert.equal(test.asked, 2);
    test.wait('a');
    assert.deepEqual(commandsIn(test.fences.killCommands()!.bytes), [
      'CLIENT KILL ID 7 ADDR 10.0.0.9:51234',
      'CLIENT KILL ID 8 ADDR 10.0.0.9:51235',
    ]);
    assert.deepEqual(test.seen, []);
    assert.ok(test.answer(reply, reply));
    assert.deepEqual([test.seen, test.fences.pending], [['a'], []]);
  }
});

test('what came in while the round was out has one of its own', () => {
  const test = new TestFences();
  test.fences.add(SEVEN);
  const round = test.fences.killCommands()!;
  test.fences.add(EIGHT);
  test.wait('a');
  assert.equal(test.fences.confirm(round, Buffer.from(':1\r\n')), false);
  assert.deepEqual([test.fences.pending, test.seen], [[EIGHT], []]);
  test.answer(':0');
  assert.deepEqual(test.seen, ['a']);
});

test('two rounds of the same connection do no harm', () => {
  const test = new TestFences();
  test.fences.add(SEVEN);
  const rounds = [test.fences.killCommands()!, test.fences.killCommands()!];
  for (const round of rounds) assert.ok(test.fences.confirm(round, Buffer.from(':1\r\n')));
});

test('a server that cannot answer yet is asked again', () => {
  const test = new TestFences();
  test.fences.add(SEVEN);
  test.wait('a');
  assert.equal(test.answer('-BUSY Redis is busy running a script.'), false);
  assert.deepEqual([test.fences.pending, test.fences.isForbidden, test.seen], [[SEVEN], false, []]);
});

test('where it is forbidden everybody who waits sees so, and nothing stays pending', () => {
  const refusals = [
    "-NOPERM this user has no permissions to run the 'client|kill' command",
    "-ERR unknown command 'CLIENT'",
    '-NOAUTH Authentication required.',
  ];
  for (const reply of refusals) {
    const test = new TestFences();
    test.fences.add(SEVEN);
    test.wait('a');
    assert.equal(test.answer(reply), false);
    assert.deepEqual(test.seen, ['a forbidden']);
    test.wait('b');
    assert.deepEqual([test.fences.pending, test.seen], [[], ['a forbidden', 'b forbidden']]);
    // The rights were given meanwhile: whoever is concerned by the next loss may rely on it, once the round has shown it.
    test.fences.add(EIGHT);
    test.answer(':1');
    test.wait('c');
    assert.equal(test.seen.at(-1), 'c');
  }
});

test('a connection without an id cannot be killed: those who wait for others see it too', () => {
  const test = new TestFences();
  test.fences.add(SEVEN);
  test.fences.add(null);
  test.wait('a');
  test.answer(':1');
  test.wait('b');
  assert.deepEqual(test.seen, ['a forbidden', 'b']);
});

test('nobody waits for a suspended upstream, and no fence is lost by it', () => {
  const test = new TestFences();
  test.fences.add(SEVEN);
  test.wait('a');
  test.fences.suspend();
  test.wait('b');
  assert.deepEqual([test.seen, test.fences.pending], [['a', 'b'], [SEVEN]]);
  test.asked = 0;
  test.fences.resume();
  test.wait('c');
  assert.deepEqual([test.asked, test.seen], [1, ['a', 'b']]);
  test.answer(':1');
  assert.deepEqual(test.seen, ['a', 'b', 'c']);
});

test('I6: more than can be remembered are forbidden rather than forgotten', () => {
  const test = new TestFences();
  for (let id = 0; id < 5000; id += 1) test.fences.add({ id: String(id), addr: 'a:1' });
  assert.equal(test.fences.pending.length, 4096);
  assert.ok(test.fences.isForbidden);
  assert.equal(test.fences.killCommands()!.count, 256);
});
