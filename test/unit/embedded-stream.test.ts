/** One stream on the engine's side: how much is read and written at a time, and what an abandoned stream does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EngineStream, OUTPUT_WINDOW_BYTES } from '../../src/embedded/engine-stream.js';

const MEGABYTE = 1024 * 1024;

/** What one read of up to 16 KiB takes. */
function readSize(stream: EngineStream): number {
  return stream.read(new Uint8Array(16 * 1024));
}

describe('a stream on the engine side', () => {
  test('hands out its input across chunks, then nothing, then the end', () => {
    const stream = new EngineStream(1);
    for (const text of ['ab', 'c', 'defg']) stream.push(Buffer.from(text));
    const first = new Uint8Array(5);
    assert.equal(stream.read(first), 5);
    assert.equal(Buffer.from(first).toString(), 'abcde');
    assert.equal(stream.read(new Uint8Array(9)), 2);
    assert.equal(stream.read(new Uint8Array(9)), -1);
    assert.equal(stream.isReadable, false);
    stream.end();
    assert.equal(stream.isReadable, true);
    assert.equal(stream.read(new Uint8Array(9)), 0);
  });

  test('reads less at a time while replies are large, and more again when they are not', () => {
    const stream = new EngineStream(1);
    stream.push(Buffer.alloc(MEGABYTE));
    const ordinary = readSize(stream);
    stream.noteWritten(100 * MEGABYTE);
    stream.noteIdle();
    const cautious = readSize(stream);
    assert.ok(cautious <= ordinary / 8, `${cautious} after ${ordinary}`);
    for (let i = 0; i < 8; i += 1) {
      stream.noteWritten(10);
      stream.noteIdle();
      readSize(stream);
    }
    stream.noteWritten(10);
    stream.noteIdle();
    assert.equal(readSize(stream), ordinary);
  });

  test('reads ever more while no reply comes: that is a large argument', () => {
    const stream = new EngineStream(1);
    stream.push(Buffer.alloc(8 * MEGABYTE));
    const target = new Uint8Array(8 * MEGABYTE);
    let reads = 0;
    for (; stream.isReadable; reads += 1) {
      stream.read(target);
      stream.noteIdle();
    }
    assert.ok(reads < 25, `${reads} reads`);
  });

  test('takes output up to a window, and more when the receiver has confirmed it', () => {
    const stream = new EngineStream(1);
    stream.noteWritten(OUTPUT_WINDOW_BYTES);
    assert.equal(stream.writableBytes, 0);
    stream.confirm(100);
    assert.equal(stream.writableBytes, 100);
  });

  test('shows the end at once when it is abandoned, and swallows all output', () => {
    const stream = new EngineStream(1);
    stream.push(Buffer.from('SET a 1\r\n'));
    stream.abandon();
    assert.equal(stream.read(new Uint8Array(9)), 0);
    assert.equal(stream.writableBytes, Infinity);
  });
});
