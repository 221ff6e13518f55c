import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Point } from '../../src/metrics/history.js';
import { linearScale, logScale, renderChart } from '../../src/metrics/page/chart.js';
import { DOCUMENT_HEADERS, renderDocument } from '../../src/metrics/page/document.js';
import { renderHour } from '../../src/metrics/page/hour.js';
import { markup, Markup } from '../../src/metrics/page/markup.js';
import { renderNow } from '../../src/metrics/page/now.js';
import { STYLE } from '../../src/metrics/page/style.js';
import { StatusPage } from '../../src/metrics/status-page.js';
import type { ConditionSpell, SidecarStatus } from '../../src/proxy/status.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

const EVIL = `"><img src=x onerror='alert(1)'>&`;
const EVIL_STATUS: SidecarStatus = {
  ...STATUS_IN_OUTAGE,
  version: EVIL,
  upstream: { ...STATUS_IN_OUTAGE.upstream, url: EVIL },
  breaker: { ...STATUS_IN_OUTAGE.breaker, lastCause: EVIL },
  conditions: [{ to: 'outage', time: '2026-11-21T09:00:00.000Z', cause: EVIL, seconds: null }],
};

const START = Date.parse('2026-11-21T09:00:00.000Z');

function pointAt(second: number, changes: Partial<Point> = {}): Point {
  return {
    wallMs: START + second * 1000,
    rates: [100, 0, 0, 0, 0, 0],
    median: 0.3,
    slowest: 2,
    journalRecords: 0,
    clients: 4,
    ...changes,
  };
}

function pointsOf(count: number): readonly Point[] {
  return Array.from({ length: count }, (_, index) => pointAt(index * 5));
}

/** `attribute="…"` of the first tag that has it. */
function attribute(html: string, name: string): string {
  return new RegExp(` ${name}="([^"]*)"`).exec(html)?.[1] ?? '';
}

test('what is put into markup is text, unless it is markup', () => {
  assert.equal(
    markup`<p title="${EVIL}">${1}${null}</p>`.text,
    '<p title="&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;">1</p>',
  );
  assert.equal(markup`${markup`<b>`}${[new Markup('<i>'), markup`${'<'}`]}`.text, '<b><i>&lt;');
});

test('hostile text of the upstream stays text everywhere on the page', () => {
  const html = renderDocument(
    renderNow(EVIL_STATUS),
    renderHour({ points: pointsOf(3), conditions: EVIL_STATUS.conditions }),
  );
  assert.ok(!html.includes('<img'));
  assert.ok(html.split('&lt;img src=x').length > 4, 'and it is shown');
  // As it goes over the stream: JSON on one line.
  assert.doesNotMatch(JSON.stringify(renderNow(EVIL_STATUS).parts), /<img|\n/);
});

test('the policy allows this script, this style sheet and nothing from elsewhere', () => {
  const html = renderDocument(renderNow(STATUS_HEALTHY), markup``);
  const policy = DOCUMENT_HEADERS['content-security-policy']!;
  assert.match(policy, /^default-src 'none'; /);
  for (const tag of ['script', 'style']) {
    const source = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? '';
    const hash = createHash('sha256').update(source).digest('base64');
    assert.ok(policy.includes(`${tag}-src 'sha256-${hash}'`), tag);
  }
  const rest = html.replace(/<(script|style)>[\s\S]*?<\/\1>/g, '');
  assert.doesNotMatch(rest, /\son\w+=|\sstyle=/, 'the policy would drop these');
  // The name of SVG, in the tab's icon, is no address.
  assert.doesNotMatch(
    html.replaceAll(encodeURIComponent('http://www.w3.org/2000/svg'), ''),
    /https?:\/\/|\/\/\w/,
  );
});

test('the page says the sentence without a script, and what to do', () => {
  const html = renderDocument(renderNow(STATUS_IN_OUTAGE), markup``);
  assert.equal(attribute(html, 'data-tone'), 'trouble');
  assert.match(
    html,
    /<h1>Redis is away<\/h1>\s*<p class="sentence">for 1 min 1 s; 1,200 writes are safe in the journal; next try in 3 s\.<\/p>/,
  );
  assert.match(html, /Look after Redis/);
  assert.match(html, /<code>RESPOOL DEADLETTERS<\/code>/);
  assert.match(html, /connect ECONNREFUSED 127\.0\.0\.1:6379/);
  assert.match(html, /<title>Redis is away · Respool<\/title>/);
});

test('a replay has a bar that can be read aloud', () => {
  const replay = {
    ...STATUS_IN_OUTAGE.replay,
    active: true,
    done: 300,
    remaining: 900,
    perSecond: 150,
    secondsToGo: 6,
  };
  const { parts } = renderNow({ ...STATUS_IN_OUTAGE, condition: 'replaying', replay });
  assert.match(
    parts.situation,
    /<progress max="1200" value="300" aria-label="Replayed"><\/progress>\s*<span>25 %<\/span>/,
  );
});

test('the charts wait for two points, and then show the shortest window that holds them', () => {
  const { conditions } = STATUS_HEALTHY;
  const begin = (count: number): string | undefined =>
    /\d+ min ago/.exec(renderHour({ points: pointsOf(count), conditions }).text)?.[0];
  assert.match(renderHour({ points: pointsOf(1), conditions }).text, /begin in a few seconds/);
  assert.deepEqual([2, 30, 100, 300, 720].map(begin), [
    '2 min ago',
    '5 min ago',
    '15 min ago',
    '30 min ago',
    '60 min ago',
  ]);
});

test('I6: an hour is drawn with no more points than there is room for, and no peak is lost', () => {
  const points = pointsOf(720).map((point, index) =>
    index === 300 ? { ...point, journalRecords: 5000, slowest: 900, median: null } : point,
  );
  const { text } = renderHour({ points, conditions: STATUS_HEALTHY.conditions });
  assert.ok(text.length < 50_000, String(text.length));
  assert.match(text, />5,000</, 'the scale reaches the peak');
  assert.equal(text.match(/class="line /g)?.length, 4);
  const curve = attribute(text.slice(text.lastIndexOf('class="line')), 'd');
  assert.ok(curve.split('L').length <= 241);
  assert.equal(curve.split('M').length, 2, 'in one piece');
});

test('an outage is a shade behind all charts, and a sentence below them', () => {
  const conditions: readonly ConditionSpell[] = [
    { to: 'healthy', time: new Date(START).toISOString(), cause: null, seconds: 50 },
    {
      to: 'outage',
      time: new Date(START + 50_000).toISOString(),
      cause: 'x',
      seconds: 20.5,
    },
    {
      to: 'replaying',
      time: new Date(START + 70_500).toISOString(),
      cause: null,
      seconds: null,
    },
  ];
  const { text } = renderHour({ points: pointsOf(25), conditions });
  assert.equal(
    text.match(/<rect x="300" y="0" width="123" height="100" fill="url\(#shade-outage\)"/g)?.length,
    4,
  );
  assert.match(text, /Redis was away once in the last 2 min, 20 s in all\./);
  assert.match(text, /Redis away<\/li>/, 'the patterns have names');
});

test('a hole in the times or in the values is a hole in the line', () => {
  const times = [0, 5, 10, 60, 65].map((second) => START + second * 1000);
  const axis = {
    fromMs: START,
    toMs: START + 72_000,
    times,
    shades: [],
    begin: '1 min ago',
    longestGapMs: 15_000,
  };
  const draw = (values: readonly (number | null)[]): string => {
    const series = [{ name: 'a', hue: 'through', values }];
    const { text } = renderChart(
      { title: 'T', kind: 'lines', series, scale: linearScale(9, 1), format: String },
      axis,
    );
    return attribute(text.slice(text.indexOf('class="line')), 'd');
  };
  assert.equal(draw([10, 5, 0, 10, 10]), 'M0 0L50 50L100 100M600 0L650 0');
  assert.equal(draw([10, 5, null, 10, 10]), 'M0 0L50 50M600 0L650 0');
  assert.equal(draw([null, 5, null, null, null]), '', 'one point is no line');
});

test('scales end at round figures', () => {
  assert.deepEqual(
    [0.3, 1, 9, 11, 420, 1700].map((value) => linearScale(value, 1).top),
    [1, 1, 10, 20, 500, 2000],
  );
  const log = logScale(0.3, 40);
  assert.deepEqual([log.bottom, log.top, log.place(0.1), log.place(100)], [0.1, 100, 0, 1]);
  assert.deepEqual([logScale(1, 1).bottom, logScale(1, 1).top], [1, 10]);
});

test('the charts are drawn again when there is something new, not at each look', () => {
  let points = pointsOf(3);
  const past = () => ({ points, conditions: STATUS_HEALTHY.conditions });
  const page = new StatusPage({ clock: new FakeClock(), status: () => STATUS_HEALTHY, past });
  const first = page.document();
  assert.equal(page.document(), first);
  points = pointsOf(40);
  assert.match(page.document(), /5 min ago/);
});

test('text can be read by day and by night: contrast of at least 4.5', () => {
  for (const scheme of [
    STYLE.split('@media')[0]!,
    STYLE.split('@media (prefers-color-scheme: dark)')[1]!,
  ]) {
    const colour = (name: string): string =>
      new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(scheme)?.[1] ?? assert.fail(name);
    const pairs = ['good', 'notice', 'trouble', 'danger'].flatMap((tone) => [
      [tone, `${tone}-tint`],
      ['ink', `${tone}-tint`],
      ['muted', `${tone}-tint`],
    ]);
    pairs.push(
      ['ink', 'card'],
      ['ink', 'ground'],
      ['muted', 'card'],
      ['muted', 'ground'],
      ['ink', 'code'],
    );
    for (const [ink, paper] of pairs) {
      const ratio = contrast(colour(ink!), colour(paper!));
      assert.ok(ratio >= 4.5, `${ink} on ${paper}: ${ratio.toFixed(2)}`);
    }
  }
});

/** WCAG 2.2, "contrast ratio". */
function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}
