import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  answerRespool,
  type Control,
  type DeadLetterView,
} from '../../src/proxy/respool-command.js';
import { NEVER_AWAY } from '../../src/proxy/status.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { parseFrame, plain } from '../conformance/reply-tree.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

/** A control that notes what it was told. */
class Desk implements Control {
  readonly orders: string[] = [];
  letters: readonly DeadLetterView[] = [];
  constructor(readonly now = STATUS_IN_OUTAGE) {}
  readonly status = () => this.now;
  readonly outage = {
    forceBreaker: (to: string) => void this.orders.push(`breaker ${to}`),
    pauseReplay: () => void this.orders.push('pause'),
    resumeReplay: () => void this.orders.push('resume'),
    deadLetters: (limit: number) => this.letters.slice(0, limit),
  };
}

const EMBEDDED: Control = { status: () => ({ ...STATUS_HEALTHY, ...NEVER_AWAY }), outage: null };

function reply(words: string, control: Control, resp: 2 | 3): Buffer {
  const args = ['RESPOOL', ...words.split(' ').filter((word) => word !== '')];
  return answerRespool(
    args.map((arg) => Buffer.from(arg)),
    control,
    resp,
  );
}

/** The bytes, with bars for line ends. */
function answer(words: string, control: Control = new Desk(), resp: 2 | 3 = 2): string {
  return reply(words, control, resp).toString('latin1').replaceAll('\r\n', '|');
}

/** A reply of names and values, as an object. */
function fields(words: string, control: Control, resp: 2 | 3): Record<string, unknown> {
  const items = plain(parseFrame(reply(words, control, resp))) as unknown[];
  const pairs = Array.from({ length: items.length / 2 }, (_, pair) =>
    items.slice(pair * 2, pair * 2 + 2),
  );
  return Object.fromEntries(pairs) as Record<string, unknown>;
}

test('STATUS is a map of names and values', () => {
  for (const resp of [2, 3] as const) {
    const status = fields('status', new Desk(), resp);
    assert.equal(status.respool_version, '1.2.3');
    assert.equal(status.condition, 'outage');
    assert.equal(status.breaker_state, 'open');
    assert.equal(status.breaker_forced, resp === 2 ? null : '', 'a null has no text');
    assert.equal(status.breaker_opened_seconds_ago, '61.5');
    assert.equal(status.journal_records, 1200);
    assert.equal(status.journal_durable, 1);
    assert.equal(status.replay_remaining, 1200);
  }
  assert.match(answer('status', new Desk(), 3), /^%\d+\|/);
  assert.match(answer('STATUS', new Desk(), 2), /^\*\d+\|/);
});

test('BREAKER shows the breaker, or moves it', () => {
  const desk = new Desk();
  assert.deepEqual(fields('BREAKER', desk, 2), {
    breaker_state: 'open',
    breaker_forced: null,
    breaker_consecutive_failures: 5,
    breaker_opened_seconds_ago: '61.5',
    breaker_next_probe_in_seconds: '2.3',
    breaker_last_cause: 'connect ECONNREFUSED 127.0.0.1:6379',
  });
  for (const words of ['BREAKER OPEN', 'breaker close', 'Breaker Auto'])
    assert.equal(answer(words, desk), '+OK|');
  assert.deepEqual(desk.orders, ['breaker open', 'breaker closed', 'breaker auto']);
});

test('JOURNAL shows the journal, counts it, and stops and starts its replay', () => {
  const desk = new Desk();
  assert.equal(fields('JOURNAL', desk, 2).journal_max_bytes, 268_435_456);
  assert.equal(answer('JOURNAL LEN', desk), ':1200|');
  assert.equal(answer('JOURNAL PAUSE', desk), '+OK|');
  assert.equal(answer('JOURNAL resume', desk), '+OK|');
  assert.deepEqual(desk.orders, ['pause', 'resume']);
});

test('an embedded upstream has neither, and says so', () => {
  assert.equal(fields('STATUS', EMBEDDED, 2).breaker_state, 'closed');
  assert.equal(answer('JOURNAL LEN', EMBEDDED), ':0|');
  assert.equal(answer('DEADLETTERS', EMBEDDED), '*0|');
  for (const words of ['BREAKER OPEN', 'JOURNAL PAUSE'])
    assert.match(answer(words, EMBEDDED), /^-ERR the upstream is embedded/);
});

const LETTER = {
  seq: 1042,
  wallMs: Date.UTC(2026, 10, 21, 9, 30),
  db: 3,
  reason: 'WRONGTYPE Operation against a key holding the wrong kind of value',
};

test('DEADLETTERS shows what was refused and why, ten of them unless told otherwise', () => {
  const desk = new Desk();
  const bytes = Buffer.concat([
    encodeCommand(['RPUSH', 'queue', 'a b']),
    encodeCommand(['SET', 'k', Buffer.from([0, 13, 10, 255])]),
  ]);
  desk.letters = Array.from({ length: 15 }, (_, id) => ({ ...LETTER, id, bytes }));
  const count = (words: string): unknown => {
    const letters = plain(parseFrame(reply(words, desk, 3))) as unknown[];
    return letters.length;
  };
  assert.deepEqual(
    ['DEADLETTERS', 'DEADLETTERS 3', 'DEADLETTERS 0', 'DEADLETTERS 99'].map(count),
    [10, 3, 0, 15],
  );
  assert.deepEqual(plain(parseFrame(reply('DEADLETTERS 1', desk, 2))), [
    [
      ...['id', 0, 'seq', 1042, 'time', '2026-11-21T09:30:00.000Z', 'db', 3],
      ...['reason', LETTER.reason],
      ...[
        'commands',
        [
          ['RPUSH', 'queue', 'a b'],
          ['SET', 'k', '\x00\r\n\xff'],
        ],
      ],
    ],
  ]);
});

test('DEADLETTERS shortens what is long, as SLOWLOG does', () => {
  const desk = new Desk();
  const long = encodeCommand(['RPUSH', 'q', 'x'.repeat(1_000_000), ...Array<string>(97).fill('v')]);
  desk.letters = [{ ...LETTER, id: 1, bytes: Buffer.concat(Array<Buffer>(40).fill(long)) }];
  const text = answer('DEADLETTERS', desk);
  assert.ok(text.length < 20_000, `${text.length} bytes`);
  assert.match(text, /\|x{128}\.\.\. \(999872 more bytes\)\|/);
  assert.match(text, /\(69 more arguments\)/);
  assert.match(text, /\(9 more commands\)/);
});

test('HELP lists every subcommand', () => {
  const help = answer('HELP');
  assert.match(help, /^\*\d+\|\+RESPOOL <subcommand> /);
  for (const name of ['STATUS', 'BREAKER', 'JOURNAL', 'DEADLETTERS', 'HELP'])
    assert.match(help, new RegExp(`\\|\\+${name}\\b`), name);
});

test("errors are worded like Redis'", () => {
  for (const [words, error] of [
    ['', "ERR wrong number of arguments for 'respool' command"],
    ['Frob', "ERR unknown subcommand 'Frob'. Try RESPOOL HELP."],
    ['STATUS now', "ERR wrong number of arguments for 'respool|status' command"],
    ['BREAKER OPEN now', "ERR wrong number of arguments for 'respool|breaker' command"],
    ['HELP me', "ERR wrong number of arguments for 'respool|help' command"],
    ['BREAKER ajar', 'ERR syntax error'],
    ['JOURNAL drop', 'ERR syntax error'],
    ['DEADLETTERS few', 'ERR value is not an integer or out of range'],
    ['DEADLETTERS -1', 'ERR value is not an integer or out of range'],
    ['DEADLETTERS 99999999999', 'ERR value is not an integer or out of range'],
    ['constructor', "ERR unknown subcommand 'constructor'. Try RESPOOL HELP."],
    ['BREAKER constructor', 'ERR syntax error'],
  ] as const) {
    assert.equal(answer(words), `-${error}|`, words);
  }
});

test('a subcommand that is not one cannot forge a reply', () => {
  const args = [Buffer.from('RESPOOL'), Buffer.from('x\r\n+OK' + 'y'.repeat(1000))];
  const text = answerRespool(args, new Desk(), 2).toString('latin1');
  assert.match(text, /^-ERR unknown subcommand 'x {2}\+OKy{1,122}'\. Try RESPOOL HELP\.\r\n$/);
});
