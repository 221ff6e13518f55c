import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatBytes,
  formatMilliseconds,
  formatSeconds,
  printable,
} from '../../src/base/figures.js';
import type { Output } from '../../src/cli/host.js';
import { Terminal } from '../../src/cli/terminal.js';
import { progressBar, renderScreen, sparkline } from '../../src/cli/watch-screen.js';
import type { SidecarStatus } from '../../src/proxy/status.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

function screenOf(status: SidecarStatus, columns = 120): string[] {
  const lines = renderScreen({ status, rates: [0, 50, 100], admin: '127.0.0.1:9380', columns });
  return lines.map((line) => line.map(([text]) => text).join(''));
}

/** A terminal's output, and what is written to it. */
function screenFile(columns: number, rows: number): Output & { text: string } {
  const output = {
    text: '',
    isTTY: true,
    size: { columns, rows },
    write(text: string | Uint8Array): void {
      output.text += String(text);
    },
  };
  return output;
}

test('the screen begins with the sentence, and shows what is behind it', () => {
  assert.deepEqual(screenOf(STATUS_IN_OUTAGE), [
    '▲ Redis is away for 1 min 1 s; 1,200 writes are safe in the journal; next try in 3 s.',
    '  Look after Redis; leave the sidecar and its journal as they are. It goes on trying and replays by itself.',
    '  Writes that Redis refused during replay are kept as dead letters. To see which and why, over any Redis client: RESPOOL',
    '  DEADLETTERS',
    '',
    'commands/s  ▁▅█  100',
    '',
    'upstream    redis://:***@h:6379, not connected, 0 lanes',
    'breaker     open, left closed 1 min 1 s ago, next probe in 2.3 s, 5 failures, last cause: connect ECONNREFUSED 127.0.0.1:6379',
    'journal     1,200 records waiting, 3.4 MB of 256.0 MB, the oldest 1 min 0 s old, 1 dead letter, on disk',
    'replay      idle, 1,200 to go, 34 replayed since the start',
    'clients     12 connected, 1 pinned',
    '',
    '09:00:00 UTC  Redis went away, now: connect ECONNREFUSED 127.0.0.1:6379',
    '08:00:00 UTC  All well, for 1 h 0 min',
    '',
    '127.0.0.1:9380, respool 1.2.3, up 2 h 1 min. Ctrl-C ends this view, not the sidecar.',
  ]);
  assert.equal(
    screenOf(STATUS_HEALTHY)[0],
    '✔ All well: Redis answers, 1,234 commands a second for 12 clients.',
  );
});

test('a replay has a bar with speed and time to go', () => {
  const replay = {
    ...STATUS_IN_OUTAGE.replay,
    done: 31_000,
    remaining: 69_000,
    perSecond: 23_000,
    secondsToGo: 3,
  };
  const lines = screenOf({ ...STATUS_IN_OUTAGE, condition: 'replaying', replay });
  assert.ok(
    lines.includes(
      `replay      ${'█'.repeat(12)}${'░'.repeat(28)}  31 %, 31,000 of 100,000 records, 23,000/s, 3 s to go`,
    ),
    lines.join('\n'),
  );
});

test('a bar is full when all is done and not before; a line of blocks has the shape of its values', () => {
  assert.deepEqual(
    [0, 0.999, 1].map((share) => progressBar(share, 4)),
    ['░░░░', '███░', '████'],
  );
  assert.equal(sparkline([0, 10, 20, 80]), '▁▂▃█');
  assert.equal(sparkline([0, 0]), '▁▁');
});

test('long sentences are broken between words', () => {
  for (const columns of [30, 40, 80]) {
    const lines = screenOf(STATUS_IN_OUTAGE, columns);
    assert.ok(lines[0]!.length <= columns && lines[1]!.startsWith('  '), lines[0]);
  }
});

test('what the upstream said cannot move the cursor', () => {
  const cause = '\x1b[2Jgone\r\nover\u202e\x07';
  const status = {
    ...STATUS_IN_OUTAGE,
    breaker: { ...STATUS_IN_OUTAGE.breaker, lastCause: cause },
    conditions: [{ to: 'outage', time: '2026-11-21T09:00:00.000Z', cause, seconds: null }],
  } as const;
  const text = screenOf(status).join('\n');
  assert.match(text, /now: \?\[2Jgone over\?\?/);
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
  assert.equal(printable('plain text, ünïcode'), 'plain text, ünïcode');
});

test('a picture is drawn over the one before, cut to the size of the terminal, and the screen is given back', () => {
  const output = screenFile(10, 2);
  const terminal = new Terminal(output, true);
  output.text = '';
  terminal.show([
    [
      ['12345678', 'plain'],
      ['9abc', 'good'],
    ],
    [['x', 'dim']],
    [['too low', 'plain']],
  ]);
  assert.equal(
    output.text,
    '\x1b[H12345678\x1b[1;32m9a\x1b[0m\x1b[K\r\n\x1b[2mx\x1b[0m\x1b[K\x1b[J',
  );
  output.text = '';
  terminal.leave([[['bye', 'plain']]]);
  assert.equal(output.text, '\x1b[?25h\x1b[?1049lbye\n');
});

test('without colours there is no colour', () => {
  const output = screenFile(80, 24);
  new Terminal(output, false).show(
    renderScreen({ status: STATUS_IN_OUTAGE, rates: [], admin: 'a', columns: 80 }),
  );
  assert.doesNotMatch(output.text, /\x1b\[[\d;]*m/);
});

test('figures are said as people say them', () => {
  assert.deepEqual([0.4, 59, 60, 3599, 7265, 90_000].map(formatSeconds), [
    '0 s',
    '59 s',
    '1 min 0 s',
    '59 min 59 s',
    '2 h 1 min',
    '1 d 1 h',
  ]);
  assert.deepEqual([0, 1023, 3_565_158, 2 ** 40].map(formatBytes), [
    '0 B',
    '1023 B',
    '3.4 MB',
    '1.0 TB',
  ]);
  assert.deepEqual([0.284, 1.23, 12.7, 1400].map(formatMilliseconds), [
    '0.28 ms',
    '1.2 ms',
    '13 ms',
    '1.4 s',
  ]);
});
