import assert from 'node:assert/strict';
import { test } from 'node:test';
import { happened, situationOf, type Situation } from '../../src/proxy/situation.js';
import { CONDITIONS, NEVER_AWAY, type SidecarStatus } from '../../src/proxy/status.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

type Changes = {
  readonly [Part in keyof SidecarStatus]?: SidecarStatus[Part] extends object
    ? Partial<SidecarStatus[Part]>
    : SidecarStatus[Part];
};

/** The status with some fields of its parts changed. */
function changed(status: SidecarStatus, changes: Changes): SidecarStatus {
  const parts = Object.entries(changes).map(([name, part]) => [
    name,
    typeof part === 'object'
      ? { ...(status[name as keyof SidecarStatus] as object), ...part }
      : part,
  ]);
  return { ...status, ...(Object.fromEntries(parts) as Partial<SidecarStatus>) };
}

function sentenceOf(status: SidecarStatus, changes: Changes = {}): string {
  return situationOf(changed(status, changes)).sentence;
}

const REPLAYING: SidecarStatus = changed(STATUS_IN_OUTAGE, {
  condition: 'replaying',
  breaker: STATUS_HEALTHY.breaker,
  journal: { records: 69_000 },
  replay: { active: true, done: 31_000, remaining: 69_000, perSecond: 23_000, secondsToGo: 3 },
});

test('an outage is told with how long, what is waiting where, and when the next try is', () => {
  assert.equal(
    sentenceOf(STATUS_IN_OUTAGE, { breaker: { openedSecondsAgo: 12.7, nextProbeInSeconds: 3.2 } }),
    'Redis is away for 12 s; 1,200 writes are safe in the journal; next try in 4 s.',
  );
  assert.equal(
    sentenceOf(STATUS_IN_OUTAGE, {
      breaker: { state: 'half-open', nextProbeInSeconds: 0 },
      journal: { records: 1 },
    }),
    'Redis is away for 1 min 1 s; 1 write is safe in the journal; trying it now.',
  );
  assert.equal(
    sentenceOf(STATUS_IN_OUTAGE, { breaker: { nextProbeInSeconds: 0.2 }, journal: { records: 0 } }),
    'Redis is away for 1 min 1 s; no write is waiting; next try in a moment.',
  );
});

test('a journal in memory is never called safe, and what it holds is in danger', () => {
  for (const condition of CONDITIONS) {
    const status = changed(STATUS_IN_OUTAGE, { condition, journal: { durable: false } });
    const { sentence, tone, advice } = situationOf(status);
    assert.doesNotMatch(sentence, /safe/, condition);
    assert.equal(tone, 'danger');
    assert.ok(advice.some(({ text }) => text.startsWith('Do not restart')));
    assert.ok(!advice.some(({ text }) => / or restart/.test(text)));
  }
  assert.match(
    sentenceOf(STATUS_IN_OUTAGE, { journal: { durable: false } }),
    /; 1,200 writes are in memory, lost if this process ends; /,
  );
  const nothing = changed(STATUS_IN_OUTAGE, { journal: { durable: false, records: 0 } });
  assert.equal(situationOf(nothing).tone, 'trouble');
});

test('a journal that is nearly full says how full, and what happens then', () => {
  const full = changed(STATUS_IN_OUTAGE, { journal: { bytes: 830, maxBytes: 1000 } });
  const { tone, advice } = situationOf(full);
  assert.equal(tone, 'danger');
  assert.match(advice.map(({ text }) => text).join(), /is 83 % full\. When it is full, new writes/);
});

test('a journal that takes nothing says why, in whatever condition', () => {
  const journal = { refuses: "the journal's disk is full (writing: ENOSPC)" };
  const { tone, sentence } = situationOf(changed(STATUS_IN_OUTAGE, { journal }));
  assert.equal(tone, 'danger');
  assert.match(
    sentence,
    /; new ones are refused: the journal's disk is full \(writing: ENOSPC\); /,
  );
  const { advice } = situationOf(changed(STATUS_HEALTHY, { journal }));
  assert.match(advice[0]!.text, /^New writes are refused\. Look after the disk of journal-dir/);
});

test('replay is told with how far and how long yet, and paused when it is', () => {
  assert.equal(sentenceOf(REPLAYING), 'Replaying: 31,000 of 100,000 records, about 3 s to go.');
  assert.equal(
    sentenceOf(REPLAYING, { replay: { done: 0, secondsToGo: null } }),
    'Replaying: 0 of 69,000 records, just begun.',
  );
  assert.equal(
    sentenceOf(REPLAYING, { replay: { remaining: 0 } }),
    'Replaying: the last records are in.',
  );
  const paused = situationOf(changed(REPLAYING, { replay: { paused: true } }));
  assert.match(paused.sentence, /an operator has paused the replay; 69,000 writes are safe/);
  assert.deepEqual(
    paused.advice.map(({ command }) => command),
    ['RESPOOL JOURNAL RESUME', 'RESPOOL DEADLETTERS'],
  );
});

test('a busy upstream, a lost connection and a stop are told', () => {
  const busy = { active: true, sinceSeconds: 4.2, waiting: 17 };
  assert.equal(
    sentenceOf(STATUS_HEALTHY, { busy }),
    'Redis is busy with a script for 4 s; 17 commands wait for it to end.',
  );
  assert.match(sentenceOf(STATUS_HEALTHY, { busy: { ...busy, waiting: 1 } }), /; 1 command waits /);
  assert.match(sentenceOf(STATUS_IN_OUTAGE, { busy }), /^Redis is away/, 'an outage is worse');
  assert.equal(
    sentenceOf(STATUS_HEALTHY, { condition: 'holding', conditionSinceSeconds: 0.4 }),
    'No connection to Redis for 0 s; commands wait for it.',
  );
  assert.equal(
    sentenceOf(STATUS_IN_OUTAGE, { condition: 'draining' }),
    'The sidecar is stopping; 12 clients still to see off; 1,200 writes are safe in the journal.',
  );
});

test('when all is well it says so, and what is left over', () => {
  assert.equal(
    sentenceOf(STATUS_HEALTHY),
    'All well: Redis answers, 1,234 commands a second for 12 clients.',
  );
  assert.equal(situationOf(STATUS_HEALTHY).tone, 'good');
  assert.deepEqual(situationOf(STATUS_HEALTHY).advice, []);
  assert.equal(
    sentenceOf(STATUS_HEALTHY, { clients: { connected: 0 } }),
    'All well: Redis answers, no client is connected.',
  );
  const letters = situationOf(changed(STATUS_HEALTHY, { journal: { deadLetters: 3 } }));
  assert.match(letters.sentence, /; 3 writes that Redis refused are kept\.$/);
  assert.equal(letters.tone, 'notice');
  assert.deepEqual(
    letters.advice.map(({ command }) => command),
    ['RESPOOL DEADLETTERS'],
  );
  const embedded = {
    ...STATUS_HEALTHY,
    ...NEVER_AWAY,
    upstream: { url: 'embedded:', connected: true, lanes: 1 },
  };
  assert.match(sentenceOf(embedded), /^All well: the embedded Valkey answers, /);
});

test('a breaker that an operator holds is told with how to let it go', () => {
  const open = changed(STATUS_IN_OUTAGE, { breaker: { forced: 'open', nextProbeInSeconds: null } });
  assert.match(situationOf(open).sentence, /an operator holds the breaker open\.$/);
  const closed = changed(STATUS_HEALTHY, { breaker: { forced: 'closed' } });
  for (const status of [open, closed, changed(closed, { condition: 'holding' })])
    assert.ok(commandsOf(situationOf(status)).includes('RESPOOL BREAKER AUTO'));
});

test('nothing that others wrote gets into the sentence or the advice', () => {
  const evil = '<b>evil</b>';
  for (const condition of CONDITIONS) {
    const status = changed(STATUS_IN_OUTAGE, { condition, breaker: { lastCause: evil } });
    assert.doesNotMatch(JSON.stringify(situationOf(status)), /evil/);
    assert.match(situationOf(status).sentence, /\.$/);
    assert.ok(happened(condition).length > 0);
  }
});

function commandsOf({ advice }: Situation): readonly (string | null)[] {
  return advice.map(({ command }) => command);
}
