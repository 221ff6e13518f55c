import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InfoReceiver, withSection } from '../../src/proxy/section-receiver.js';
import { infoRequestOf, respoolSection } from '../../src/proxy/status-section.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

const SECTION = '# Respool\r\ncondition:healthy\r\n';
const INFO = '# Server\r\nredis_version:7.0.15\r\n';
const BOTH = `${INFO}\r\n${SECTION}`;

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
function verbatim(text: string): string {
  return `=${text.length + 4}\r\ntxt:${text}\r\n`;
}

/** Replies of an upstream, and what a client of the sidecar gets. */
const REPLIES: readonly [name: string, reply: string, expected: string][] = [
  ['RESP2', bulk(INFO), bulk(BOTH)],
  ['RESP3', verbatim(INFO), verbatim(BOTH)],
  ['RESP2, empty', bulk(''), bulk(SECTION)],
  ['RESP3, empty', verbatim(''), verbatim(SECTION)],
  ['in a transaction', '+QUEUED\r\n', '+QUEUED\r\n'],
  ['an error', '-NOPERM no\r\n', '-NOPERM no\r\n'],
  ['null', '$-1\r\n', '$-1\r\n'],
  ['RESP3 null', '_\r\n', '_\r\n'],
  ['something else', '*1\r\n$1\r\na\r\n', '*1\r\n$1\r\na\r\n'],
];

test('the section has a heading and a line per value that there is, as in INFO', () => {
  const lines = respoolSection(STATUS_IN_OUTAGE).split('\r\n');
  assert.equal(lines[0], '# Respool');
  assert.equal(lines.at(-1), '');
  assert.ok(lines.slice(1, -1).every((line) => /^[a-z_]+:[^\r\n]+$/.test(line)));
  for (const line of [
    'respool_version:1.2.3',
    'uptime_in_seconds:7265',
    'condition:outage',
    'upstream:redis://:***@h:6379',
    'upstream_connected:0',
    'breaker_state:open',
    'breaker_opened_seconds_ago:61.5',
    'breaker_last_cause:connect ECONNREFUSED 127.0.0.1:6379',
    'journal_records:1200',
    'journal_durable:1',
    'replay_remaining:1200',
  ])
    assert.ok(lines.includes(line), line);
  const healthy = respoolSection(STATUS_HEALTHY);
  assert.doesNotMatch(healthy, /breaker_opened_seconds_ago|breaker_forced|journal_oldest_seconds/);
});

test('a cause of several lines stays on its own', () => {
  const breaker = { ...STATUS_IN_OUTAGE.breaker, lastCause: 'first\r\nrole:slave\n' };
  const section = respoolSection({ ...STATUS_IN_OUTAGE, breaker });
  assert.match(section, /\r\nbreaker_last_cause:first role:slave \r\n/);
});

test('INFO has the section where it asks for all, for the usual, or for it', () => {
  const requestOf = (words: string): string =>
    infoRequestOf(words.split(' ').map((word) => Buffer.from(word)));
  for (const [words, expected] of [
    ['INFO', 'append'],
    ['info all', 'append'],
    ['INFO EVERYTHING', 'append'],
    ['INFO default', 'append'],
    ['INFO server respool', 'append'],
    ['INFO server all', 'append'],
    ['INFO respool', 'local'],
    ['INFO Respool RESPOOL', 'local'],
    ['INFO server', 'upstream'],
    ['INFO server clients', 'upstream'],
    ['INFO respoolish', 'upstream'],
  ])
    assert.equal(requestOf(words!), expected, words);
});

test('the section stands behind the text of a reply, and nothing else is touched', () => {
  for (const [name, reply, expected] of REPLIES)
    assert.equal(withSection(Buffer.from(reply), SECTION).toString(), expected, name);
});

test('a reply may come in two pieces, cut anywhere', () => {
  for (const [name, reply, expected] of REPLIES) {
    for (let cut = 1; cut < reply.length; cut += 1) {
      const owner = new RecordingReceiver();
      const receiver = new InfoReceiver(owner, () => SECTION);
      const chunk = Buffer.from(`before${reply}after`);
      receiver.receive(chunk, 6, 6 + cut, 0);
      chunk.fill('x', 6, 6 + cut);
      receiver.receive(chunk, 6 + cut, 6 + reply.length, 1);
      assert.equal(owner.bytes, expected, `${name}, cut at ${cut}`);
      assert.equal(owner.replies, 1);
    }
  }
});

test('I6: a reply that is too long to be collected passes as it came', () => {
  const owner = new RecordingReceiver();
  const receiver = new InfoReceiver(owner, () => SECTION);
  const reply = Buffer.from(bulk('x'.repeat(3 * 1024 * 1024)));
  const pieceBytes = 64 * 1024;
  for (let pos = 0; pos < reply.length; pos += pieceBytes) {
    const end = Math.min(reply.length, pos + pieceBytes);
    receiver.receive(reply, pos, end, end === reply.length ? 1 : 0);
  }
  assert.equal(owner.replies, 1);
  assert.ok(Buffer.from(owner.bytes, 'latin1').equals(reply));
});

test('a connection lost in the midst of a reply that nobody has seen is lost before it', () => {
  const owner = new RecordingReceiver();
  const receiver = new InfoReceiver(owner, () => SECTION);
  const reply = Buffer.from(bulk(INFO));
  const request = Buffer.from('*1\r\n$4\r\nINFO\r\n');
  receiver.receive(reply, 0, 10, 0);
  receiver.lose(1, true, new Error('gone'), request);
  assert.deepEqual(owner.events, ['lost 1']);
  assert.deepEqual(owner.returned, [['INFO']]);

  const refused = new RecordingReceiver();
  new InfoReceiver(refused, () => SECTION).refuse(1, new Error('away'), null);
  assert.deepEqual(refused.events, ['refused 1']);
});
