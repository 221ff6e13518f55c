/** A client that keeps its upstream connection: what passes, what is counted, and what becomes of it when it is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRESH_STATE, IdentityRegister } from '../../src/command/connection-state.js';
import type { SessionEffect } from '../../src/command/table.js';
import { KeptConnection } from '../../src/proxy/kept-connection.js';
import { Session } from '../../src/session/session.js';
import { BLOCKING, PROMPT, SLOW } from '../../src/upstream/in-flight.js';
import { everySplit } from '../helpers/fuzz.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { TestClient, turn } from '../helpers/test-client.js';
import { TestConnection } from '../helpers/test-connection.js';

const TIMEOUT_MS = 2000;

/** A message, and the confirmation of a subscription, in both protocols. */
function message(type: '*' | '>', channel: string, text: string): string {
  return `${type}3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$${text.length}\r\n${text}\r\n`;
}
function confirmation(type: '*' | '>', channel: string, count: number): string {
  return `${type}3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:${count}\r\n`;
}

class TestKept {
  readonly client = new TestClient({ outputLimitBytes: 64 * 1024 * 1024 }).reading();
  readonly first: TestConnection;
  readonly kept: KeptConnection;
  readonly events: string[] = [];

  constructor() {
    this.first = new TestConnection({ clock: this.client.clock }).opened();
    const identities = new IdentityRegister();
    this.kept = new KeptConnection(
      this.first.connection,
      this.client.connection,
      new Session(identities.identityOf(null), FRESH_STATE, identities),
      {
        clock: this.client.clock,
        timeoutMs: TIMEOUT_MS,
        lost: () => this.events.push('lost'),
        detached: () => this.events.push('detached'),
      },
    );
  }

  readonly say = (effect: SessionEffect, command: string): void => {
    const args = command.split(' ').map((word) => Buffer.from(word));
    const patience = effect === 'blocking' ? BLOCKING : PROMPT;
    this.kept.sendSpecial(effect, encodeCommand(...args), args, patience);
  };

  /** Everything the client has been sent. */
  async received(): Promise<string> {
    this.client.outbox.flush();
    await turn();
    return this.client.chunks.join('');
  }

  /** The connection dies and is replaced. */
  readonly replaced = (): TestConnection => {
    this.first.connection.fail(new Error('gone'));
    const next = new TestConnection({ clock: this.client.clock }).opened();
    this.kept.continueOn(next.connection);
    this.client.clock.endTick();
    return next;
  };
}

test('bytes pass both ways as they come', async () => {
  const kept = new TestKept();
  const { say, first, client } = kept;
  say('subscribe', 'SUBSCRIBE c');
  say('none', 'PING');
  client.clock.endTick();
  assert.deepEqual(first.stream.sentCommands(), ['SUBSCRIBE c', 'PING']);
  const bytes = `${confirmation('*', 'c', 1)}+PONG\r\n${message('*', 'c', 'hello')}`;
  for (const chunk of [bytes.slice(0, 10), bytes.slice(10, 50), bytes.slice(50)])
    first.stream.say(chunk);
  assert.equal(await kept.received(), bytes);
});

test('a lost subscription is made again, and the client sees nothing of it, however it is cut', async () => {
  for (const type of ['*', '>'] as const) {
    const repeated = confirmation(type, 'channel-a', 1) + confirmation(type, 'b', 2);
    const published = message(type, 'b', 'x'.repeat(50));
    const bytes = Buffer.from(
      confirmation(type, 'channel-a', 1) + published + confirmation(type, 'b', 2) + published,
    );
    for (const chunks of everySplit(bytes)) {
      const kept = new TestKept();
      kept.say('subscribe', 'SUBSCRIBE channel-a b');
      kept.first.stream.say(repeated);
      await kept.received();
      kept.client.chunks.length = 0;
      const next = kept.replaced();
      assert.deepEqual(kept.events, ['lost']);
      assert.deepEqual(next.stream.sentCommands(), ['subscribe channel-a b']);
      for (const chunk of chunks) next.stream.say(chunk.toString());
      assert.equal(await kept.received(), published + published);
    }
  }
});

test('thousands of channels are made again across many chunks', async () => {
  const kept = new TestKept();
  const names = Array.from({ length: 5000 }, (_, index) => `channel-${index}`);
  const all = names.map((name, index) => confirmation('*', name, index + 1)).join('');
  kept.say('subscribe', `SUBSCRIBE ${names.join(' ')}`);
  kept.first.stream.say(all);
  await kept.received();
  kept.client.chunks.length = 0;
  const next = kept.replaced();
  for (let at = 0; at < all.length; at += 65_536) next.stream.say(all.slice(at, at + 65_536));
  next.stream.say(message('*', 'channel-1', 'after'));
  assert.equal(await kept.received(), message('*', 'channel-1', 'after'));
});

test('a subscription that was not confirmed ends the client with its connection', async () => {
  for (const [command, said] of [
    ['SUBSCRIBE a b', confirmation('*', 'a', 1)],
    ['UNSUBSCRIBE', ''],
    ['PUNSUBSCRIBE x', ''],
  ] as const) {
    const kept = new TestKept();
    kept.say('subscribe', 'SUBSCRIBE c');
    kept.first.stream.say(confirmation('*', 'c', 1));
    kept.say('subscribe', command);
    if (said !== '') kept.first.stream.say(said);
    kept.first.connection.fail(new Error('gone'));
    await turn();
    assert.deepEqual([kept.events, kept.client.sawEnd], [[], true], command);
  }
});

test('a subscription that was refused is no reason to end the client', () => {
  const kept = new TestKept();
  kept.say('subscribe', 'SUBSCRIBE a b c');
  kept.first.stream.say('-NOPERM no permissions to access a channel\r\n');
  kept.first.connection.fail(new Error('gone'));
  assert.deepEqual(kept.events, ['lost']);
});

test('who leaves all channels is told so for each, or once', () => {
  const kept = new TestKept();
  kept.say('subscribe', 'SUBSCRIBE a b');
  kept.say('subscribe', 'UNSUBSCRIBE');
  kept.say('subscribe', 'UNSUBSCRIBE');
  const left = (channel: string): string => `*3\r\n$11\r\nunsubscribe\r\n${channel}\r\n:0\r\n`;
  const confirmed = confirmation('*', 'a', 1) + confirmation('*', 'b', 2);
  kept.first.stream.say(`${confirmed}${left('$1\r\na')}${left('$1\r\nb')}${left('$-1')}`);
  kept.first.connection.fail(new Error('gone'));
  assert.deepEqual(kept.events, ['lost']);
});

test('MONITOR is made again as well, and its confirmation swallowed', async () => {
  const kept = new TestKept();
  kept.say('monitor', 'MONITOR');
  kept.first.stream.say('+OK\r\n');
  const next = kept.replaced();
  assert.deepEqual(next.stream.sentCommands(), ['MONITOR']);
  const line = '+1795244277.360711 [0 127.0.0.1:1] "GET" "k"\r\n';
  for (const chunk of ['+O', 'K\r\n', line.slice(0, 9), line.slice(9)]) next.stream.say(chunk);
  assert.equal(await kept.received(), `+OK\r\n${line}`);
});

test('a reply that is owed when the connection is lost ends the client, as when Redis dies', async () => {
  for (const cut of [1, 5, 20, 45, 60]) {
    const kept = new TestKept();
    kept.say('subscribe', 'SUBSCRIBE c');
    kept.first.stream.say(confirmation('*', 'c', 1));
    kept.say('none', 'PING');
    const published = message('*', 'c', 'y'.repeat(40));
    kept.first.stream.say(published.slice(0, cut));
    kept.first.stream.say(published.slice(cut));
    kept.first.connection.fail(new Error('gone'));
    await turn();
    assert.deepEqual([kept.events, kept.client.sawEnd], [[], true], `cut at ${cut}`);
  }
});

test('state that cannot be had again ends the client with its connection', async () => {
  const kept = new TestKept();
  kept.say('sticky', 'CLIENT TRACKING on');
  kept.first.stream.say('+OK\r\n');
  kept.first.connection.fail(new Error('gone'));
  await turn();
  assert.deepEqual([kept.events, kept.client.sawEnd], [[], true]);
});

test('QUIT waits for the upstream to hang up, and the last words come with our goodbye', async () => {
  const kept = new TestKept();
  kept.say('subscribe', 'SUBSCRIBE c');
  kept.kept.leave(encodeCommand('QUIT'), 'quit');
  kept.client.clock.endTick();
  kept.first.stream.say('+OK\r\n');
  assert.equal(await kept.received(), '');
  kept.first.stream.close();
  assert.equal(await kept.received(), '+OK\r\n');
  assert.ok(kept.client.sawEnd);
});

test('after RESET the client is let go, once its reply has passed, however it is cut', async () => {
  const bytes = Buffer.from(`${message('*', 'c', '+RESET')}+RESET\r\n`);
  for (const chunks of everySplit(bytes)) {
    const kept = new TestKept();
    kept.say('subscribe', 'SUBSCRIBE c');
    kept.kept.leave(encodeCommand('RESET'), 'reset');
    for (const chunk of chunks) {
      assert.deepEqual(kept.events, []);
      kept.first.stream.say(chunk.toString());
    }
    assert.deepEqual(kept.events, ['detached']);
    assert.equal(await kept.received(), bytes.toString());
  }
});

test('an upstream that owes a reply and is silent is gone; one that owes nothing is not', () => {
  const quiet = new TestKept();
  quiet.say('subscribe', 'SUBSCRIBE c');
  quiet.client.clock.advance(100_000);
  assert.ok(!quiet.first.connection.isLost);
  quiet.say('none', 'PING');
  quiet.client.clock.advance(TIMEOUT_MS + 500);
  assert.ok(quiet.first.connection.isLost);
});

test('a command that waits may be silent', () => {
  const kept = new TestKept();
  kept.say('sticky', 'CLIENT NO-EVICT on');
  kept.first.stream.say('+OK\r\n');
  kept.say('blocking', 'BLPOP k 0');
  kept.client.clock.advance(100_000);
  assert.ok(!kept.first.connection.isLost);
  kept.first.stream.say('*-1\r\n');
  kept.say('none', 'PING');
  kept.client.clock.advance(TIMEOUT_MS + 500);
  assert.ok(kept.first.connection.isLost);
});

test('after CLIENT REPLY nobody knows what is owed: silence is no failure', () => {
  const kept = new TestKept();
  kept.say('sticky', 'CLIENT REPLY OFF');
  kept.say('none', 'SET k v');
  kept.client.clock.advance(100_000);
  assert.ok(!kept.first.connection.isLost);
});

test('a slow command explains silence, to this client and to all others, until it is answered', () => {
  const kept = new TestKept();
  const { silence, stream, connection } = kept.first;
  const frame = encodeCommand('EVAL', 'return 1', '0');
  kept.kept.send(frame, 0, frame.length, 1, SLOW);
  kept.client.clock.advance(10 * TIMEOUT_MS);
  assert.ok(!connection.isLost);
  assert.ok(silence.isExplained);
  stream.say(':1\r\n');
  assert.ok(!silence.isExplained);
  kept.kept.send(frame, 0, frame.length, 1, SLOW);
  connection.fail(new Error('gone'));
  assert.ok(!silence.isExplained);
});

test('who sends no more gets what was asked for and is hung up on then', async () => {
  const kept = new TestKept();
  kept.say('sticky', 'CLIENT ID');
  kept.kept.inputEnded();
  assert.equal(await kept.received(), '');
  kept.first.stream.say(':7\r\n');
  assert.equal(await kept.received(), ':7\r\n');
  assert.ok(kept.client.sawEnd);
});

test('it is busy while a reply is owed that will come', () => {
  const kept = new TestKept();
  const busy = (): boolean => kept.kept.isBusy;
  assert.equal(busy(), false);
  kept.say('none', 'INCR a');
  kept.first.clock.endTick();
  assert.equal(busy(), true);
  kept.first.stream.say(':1');
  assert.equal(busy(), true);
  kept.first.stream.say('\r\n');
  assert.equal(busy(), false);
  kept.say('blocking', 'BLPOP a 0');
  assert.equal(busy(), false);
});

test('what is not RESP passes untouched', async () => {
  const kept = new TestKept();
  kept.say('replicate', 'PSYNC ? -1');
  const bytes = '+FULLRESYNC 0 0\r\n$3\r\nRDBnot resp at all\x00\xff';
  for (const chunk of [bytes.slice(0, 5), bytes.slice(5, 30), bytes.slice(30)])
    kept.first.stream.say(chunk);
  assert.equal(await kept.received(), bytes);
  const strange = new TestKept();
  strange.say('sticky', 'SHUTDOWN');
  strange.first.stream.say('ga');
  strange.first.stream.say('rbage');
  assert.equal(await strange.received(), 'garbage');
});
