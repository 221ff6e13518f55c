/** The event loop's end of an engine thread: one message per tick, truthful back-pressure, one end. No thread here. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteStreamHandlers } from '../../src/base/byte-stream.js';
import type { Clock } from '../../src/base/clock.js';
import { EngineLink } from '../../src/embedded/engine-link.js';
import { readRecords, recordBytes, RecordKind, RecordWriter } from '../../src/embedded/messages.js';

interface Sent {
  kind: RecordKind;
  stream: number;
  value: number;
  text: string;
}

/** A link whose ticks and thread are the test. */
function linkWithoutThread() {
  const tasks: (() => void)[] = [];
  const messages: Sent[][] = [];
  const clock = { endOfTick: (task: () => void) => tasks.push(task) } as unknown as Clock;
  const port = {
    postMessage(batch: ArrayBuffer) {
      const records: Sent[] = [];
      readRecords(batch, (kind, stream, value, bytes) =>
        records.push({ kind, stream, value, text: Buffer.from(bytes).toString() }),
      );
      messages.push(records);
    },
  };
  const link = new EngineLink(port, clock);
  const endTick = (): void => {
    for (const task of tasks.splice(0)) task();
  };
  const engineSays = (kind: RecordKind, stream: number, value = 0, text = ''): void => {
    const batch = new ArrayBuffer(recordBytes(text.length));
    new RecordWriter(batch).add(kind, stream, value, Buffer.from(text));
    link.receive(batch);
  };
  return { link, messages, endTick, engineSays };
}

function recorded(): ByteStreamHandlers & { events: string[] } {
  const events: string[] = [];
  return {
    events,
    onOpen: () => events.push('open'),
    onData: (chunk) => {
      events.push(`data ${chunk.length > 20 ? chunk.length : chunk.toString()}`);
    },
    onDrain: () => events.push('drain'),
    onClose: (cause) => events.push(`close ${cause === null ? 'null' : cause.message}`),
  };
}

describe('the link to an engine thread', () => {
  test('sends what all streams wrote in a tick as one message, in order', () => {
    const { link, messages, endTick } = linkWithoutThread();
    const [a, b] = [link.open(recorded()), link.open(recorded())];
    a.write(Buffer.from('one'));
    b.write(Buffer.from('two'));
    a.write(Buffer.from('three'));
    a.end();
    assert.equal(messages.length, 0);
    endTick();
    assert.deepEqual(
      messages.map((records) => records.map(({ kind, stream, text }) => [kind, stream, text])),
      [
        [
          [RecordKind.open, 1, ''],
          [RecordKind.open, 2, ''],
          [RecordKind.data, 1, 'one'],
          [RecordKind.data, 2, 'two'],
          [RecordKind.data, 1, 'three'],
          [RecordKind.end, 1, ''],
        ],
      ],
    );
  });

  test('counts as pending what the engine has not read, and drains once at zero', () => {
    const { link, engineSays } = linkWithoutThread();
    const handlers = recorded();
    const stream = link.open(handlers);
    assert.equal(stream.write(Buffer.alloc(1024 * 1024)), true);
    assert.equal(stream.write(Buffer.alloc(1)), false);
    assert.equal(stream.pendingBytes, 1024 * 1024 + 1);
    engineSays(RecordKind.taken, 1, 1024 * 1024);
    assert.equal(stream.pendingBytes, 1);
    assert.deepEqual(handlers.events, []);
    engineSays(RecordKind.taken, 1, 1);
    assert.deepEqual(handlers.events, ['drain']);
    assert.equal(stream.write(Buffer.alloc(1)), true);
  });

  test('holds what arrives during a pause, confirms none of it, and delivers it in order', () => {
    const { link, messages, endTick, engineSays } = linkWithoutThread();
    const handlers = recorded();
    const stream = link.open(handlers);
    endTick();
    stream.pause();
    engineSays(RecordKind.data, 1, 0, 'x'.repeat(400_000));
    engineSays(RecordKind.data, 1, 0, 'later');
    engineSays(RecordKind.closed, 1);
    endTick();
    assert.deepEqual(handlers.events, []);
    assert.equal(messages.length, 1);
    stream.resume();
    assert.deepEqual(handlers.events, [], 'not from inside a method call');
    endTick();
    assert.deepEqual(handlers.events, ['data 400000', 'data later', 'close null']);
  });

  test('confirms what was delivered once it is a quarter of the window', () => {
    const { link, messages, endTick, engineSays } = linkWithoutThread();
    link.open(recorded());
    endTick();
    engineSays(RecordKind.data, 1, 0, 'x'.repeat(200_000));
    endTick();
    assert.equal(messages.length, 1);
    engineSays(RecordKind.data, 1, 0, 'x'.repeat(100_000));
    endTick();
    assert.deepEqual(messages[1], [
      { kind: RecordKind.taken, stream: 1, value: 300_000, text: '' },
    ]);
  });

  test('reset drops what was not sent yet and closes once, later, whatever comes', () => {
    const { link, messages, endTick, engineSays } = linkWithoutThread();
    const handlers = recorded();
    const stream = link.open(handlers);
    endTick();
    stream.write(Buffer.from('never'));
    stream.reset();
    stream.reset();
    assert.deepEqual(handlers.events, []);
    engineSays(RecordKind.data, 1, 0, 'late');
    endTick();
    engineSays(RecordKind.closed, 1);
    link.fail(new Error('too late'));
    assert.deepEqual(handlers.events, ['close null']);
    assert.deepEqual(messages[1], [{ kind: RecordKind.reset, stream: 1, value: 0, text: '' }]);
    assert.equal(stream.write(Buffer.from('x')), true);
    endTick();
    assert.equal(messages.length, 2);
  });

  test('ends every stream with the cause when the engine dies', () => {
    const { link } = linkWithoutThread();
    const [a, b] = [recorded(), recorded()];
    link.open(a);
    link.open(b).pause();
    link.fail(new Error('trap'));
    assert.deepEqual([a.events, b.events], [['close trap'], ['close trap']]);
  });
});
