import assert from 'node:assert/strict';
import {
  byteByByte,
  chooseFrom,
  cutAtRandom,
  everySplit,
  integerBelow,
  mutated,
  property,
  randomBytes,
  randomTokens,
  type Random,
} from '../helpers/fuzz.js';
import { randomReply, REPLIES } from '../helpers/reply-corpus.js';
import { countReplies, readFrames } from '../helpers/reply-reader.js';
import { ReplyScanner } from '../helpers/reply-scanner.js';

property('random replies end where they were made to end, in any chunks', 1500, (random) => {
  const replies = Array.from({ length: 1 + integerBelow(random, 5) }, () => randomReply(random, 5));
  const bytes = Buffer.from(replies.join(''), 'latin1');
  let end = 0;
  const ends = replies.map((reply) => (end += reply.length));
  for (const chunks of [[bytes], byteByByte(bytes), cutAtRandom(random, bytes)]) {
    assert.deepEqual(readFrames(chunks).ends, ends);
    assert.equal(countReplies(chunks, chooseFrom(random, [1, 2, 100])).replies, replies.length);
  }
});

/** Whatever it is, it is the same wherever it is cut, and an error comes at the same byte. */
function readsAlike(random: Random, bytes: Buffer, splits: Iterable<Buffer[]>): void {
  const context = JSON.stringify(bytes.toString('latin1'));
  const expected = readFrames(byteByByte(bytes));
  const limit = chooseFrom(random, [1, 2, 100]);
  for (const chunks of splits) {
    const { ends, types, error, isInFrame } = readFrames(chunks);
    assert.deepEqual(
      { ends, types, error, isInFrame },
      {
        ends: expected.ends,
        types: expected.types,
        error: expected.error,
        isInFrame: expected.isInFrame,
      },
      context,
    );
    assert.equal(countReplies(chunks, limit).error, expected.error, context);
  }
  if (expected.error === null) return;
  assert.equal(readFrames([bytes.subarray(0, expected.errorAt)]).error, expected.error, context);
  assert.equal(readFrames([bytes.subarray(0, expected.errorAt - 1)]).error, null, context);
}

property('mutated replies are read alike at every split', 150, (random) => {
  const bytes = mutated(
    random,
    Buffer.from(chooseFrom(random, REPLIES) + randomReply(random, 3), 'latin1'),
  );
  readsAlike(random, bytes, everySplit(bytes));
});

property('mutated replies are read alike in many chunks', 3000, (random) => {
  const replies = Array.from({ length: 4 }, () => randomReply(random, 3)).join('');
  const bytes = mutated(random, Buffer.from(replies, 'latin1'));
  readsAlike(random, bytes, [[bytes], cutAtRandom(random, bytes)]);
});

property(
  'the parts of the protocol in random order are read alike in any chunks',
  3000,
  (random) => {
    const bytes = randomTokens(random, 1 + integerBelow(random, 30));
    readsAlike(random, bytes, [[bytes], cutAtRandom(random, bytes)]);
  },
);

property('random bytes are read alike in any chunks', 2000, (random) => {
  const bytes = Buffer.concat([
    Buffer.from(chooseFrom(random, ['*3\r\n', '$5\r\n', '+', '%2\r\n:1\r\n', ''])),
    randomBytes(random, integerBelow(random, 200)),
  ]);
  readsAlike(random, bytes, [[bytes], cutAtRandom(random, bytes)]);
});

property(
  'where the strict judge of the tests finds frames, the framer finds the same',
  3000,
  (random) => {
    const replies = Array.from({ length: 3 }, () => randomReply(random, 3)).join('');
    const bytes = mutated(random, Buffer.from(replies, 'latin1'));
    const scanner = new ReplyScanner();
    const ends: number[] = [];
    let end = 0;
    try {
      scanner.push(bytes);
      for (let frame = scanner.next(); frame !== null; frame = scanner.next()) {
        end += frame.length;
        ends.push(end);
      }
    } catch {
      // What no server sends is the framer's to bear; it need only agree before that.
    }
    assert.deepEqual(readFrames([bytes]).ends.slice(0, ends.length), ends);
  },
);
