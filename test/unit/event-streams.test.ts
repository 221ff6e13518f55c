import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { EventStreams } from '../../src/metrics/event-streams.js';
import { FakeClock } from '../helpers/fake-clock.js';

/** The far end of a stream: what it was sent, and how much of it is not read. */
class Reader extends EventEmitter {
  text = '';
  writableLength = 0;
  isGone = false;
  writeHead(): this {
    return this;
  }
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  end(): void {
    this.leave();
  }
  destroy(): void {
    this.leave();
  }
  leave(): void {
    this.isGone = true;
    this.emit('close');
  }
  /** What has come since the last call. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }
}

/** Streams of one kind of event, how often it was read, and a way to open one. */
function streams(): {
  events: EventStreams;
  clock: FakeClock;
  news: { text: string; reads: number };
  open: () => Reader;
} {
  const clock = new FakeClock();
  const news = { text: '"a"', reads: 0 };
  const read = (): string => {
    news.reads += 1;
    return news.text;
  };
  const events = new EventStreams(clock, [{ event: 'now', read }]);
  const open = (): Reader => {
    const reader = new Reader();
    if (!events.open(reader as unknown as ServerResponse)) reader.isGone = true;
    return reader;
  };
  return { events, clock, news, open };
}

test('a stream begins with what is, and goes on with what changes, or with a sign of life', () => {
  const { clock, news, open } = streams();
  const reader = open();
  assert.equal(reader.take(), 'retry: 1500\n\nevent: now\ndata: "a"\n\n');
  clock.advance(1000);
  reader.take();
  clock.advance(1000);
  assert.equal(reader.take(), 'event: beat\ndata:\n\n');
  news.text = '"b"';
  clock.advance(1000);
  assert.equal(reader.take(), 'event: now\ndata: "b"\n\n');
});

test('what is new is made into text once for all, and not at all while nobody looks', () => {
  const { events, clock, news, open } = streams();
  assert.equal(clock.timerCount, 0);
  const readers = [open(), open(), open()];
  news.reads = 0;
  clock.advance(1000);
  assert.equal(news.reads, 1);
  readers.forEach((reader) => reader.leave());
  assert.deepEqual([events.count, clock.timerCount], [0, 0]);
  open();
  clock.advance(1000);
  assert.equal(news.reads, 3, 'somebody looks again');
});

test('I6: there are so many streams and no more; whoever does not read is let go', () => {
  const { events, clock, open } = streams();
  const readers = Array.from({ length: 20 }, open);
  assert.equal(readers.filter(({ isGone }) => !isGone).length, 16);
  readers[0]!.writableLength = 1024 * 1024;
  clock.advance(1000);
  assert.ok(readers[0]!.isGone);
  assert.equal(events.count, 15);
  assert.ok(!open().isGone, 'its place is free');
});

test('when the server stops, all streams end', () => {
  const { events, clock, open } = streams();
  const readers = [open(), open()];
  events.close();
  assert.ok(readers.every(({ isGone }) => isGone));
  assert.equal(clock.timerCount, 0);
});
