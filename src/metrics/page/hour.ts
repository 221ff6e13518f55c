/**
 * The charts of the last hour: commands by where they went, how long Redis took, what waits in the journal, how many
 * clients there are; behind them the stretches in which something was the matter.
 */
import { formatCount, formatMilliseconds, formatSeconds, plural } from '../../base/figures.js';
import { ROUTES, type RouteName } from '../../proxy/observer.js';
import type { Condition, ConditionSpell } from '../../proxy/status.js';
import { POINT_PERIOD_MS, type Point } from '../history.js';
import {
  linearScale,
  logScale,
  renderChart,
  type Chart,
  type Series,
  type Shade,
  type TimeAxis,
} from './chart.js';
import { markup, type Markup } from './markup.js';
import type { Past } from './past.js';

const MINUTE_MS = 60_000;
/** The charts show the shortest of these that holds what is known: a sidecar of ten minutes has no empty hour. */
const WINDOWS_MINUTES = [2, 5, 15, 30, 60];

/** On a chart that is some five hundred pixels wide. */
const MOST_DRAWN = 240;

/** Where commands went, as people say it. */
const WAYS: readonly { name: string; hue: string; routes: readonly RouteName[] }[] = [
  { name: 'to Redis', hue: 'through', routes: ['shared', 'pinned'] },
  { name: 'to the journal', hue: 'journal', routes: ['journal'] },
  { name: 'outage store', hue: 'store', routes: ['outage'] },
  { name: 'refused', hue: 'refused', routes: ['refused'] },
  { name: 'own answers', hue: 'local', routes: ['local'] },
];

/** Conditions that are shaded, and what the legend calls them. */
const SHADED: Readonly<Partial<Record<Condition, string>>> = {
  outage: 'Redis away',
  replaying: 'replaying',
  holding: 'no connection',
};

/** All charts, as of the last point. */
export function renderHour({ points: all, conditions }: Past): Markup {
  const last = all.at(-1);
  if (last === undefined || all.length < 2)
    return markup`<p class="quiet">The charts begin in a few seconds.</p>`;
  const points = thinned(all);
  const axis = axisOf(points, conditions, last.wallMs);
  return markup`<div class="charts">
      ${[
        commandsChart(points),
        latencyChart(points),
        journalChart(points),
        clientsChart(points),
      ].map((chart) => renderChart(chart, axis))}
    </div>
    ${shadeLegend(axis.shades)}
    <p class="quiet">${awaySentence(conditions, axis)}</p>`;
}

/**
 * Not more points than a chart has room for. Neighbours become one: the mean of what goes on all the time, the worst of
 * what is looked for. They are grouped by the time of day, so that the picture moves on without trembling.
 */
function thinned(points: readonly Point[]): readonly Point[] {
  const each = Math.ceil(points.length / MOST_DRAWN);
  if (each === 1) return points;
  const groups = new Map<number, Point[]>();
  for (const point of points) {
    const slot = Math.floor(point.wallMs / (each * POINT_PERIOD_MS));
    const group = groups.get(slot);
    if (group === undefined) groups.set(slot, [point]);
    else group.push(point);
  }
  return Array.from(groups.values(), merged);
}

function merged(group: readonly Point[]): Point {
  const { wallMs, clients, rates } = group.at(-1)!;
  const known = (values: readonly (number | null)[]): readonly number[] =>
    values.filter((value) => value !== null);
  const medians = known(group.map(({ median }) => median));
  const slowest = known(group.map((point) => point.slowest));
  return {
    wallMs,
    clients,
    rates: rates.map((_, route) => mean(group.map((point) => point.rates[route]!))),
    median: medians.length === 0 ? null : mean(medians),
    slowest: slowest.length === 0 ? null : Math.max(...slowest),
    journalRecords: Math.max(...group.map(({ journalRecords }) => journalRecords)),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function axisOf(
  points: readonly Point[],
  conditions: readonly ConditionSpell[],
  toMs: number,
): TimeAxis {
  const spanMs = toMs - points[0]!.wallMs;
  const minutes =
    WINDOWS_MINUTES.find((each) => each * MINUTE_MS >= spanMs) ?? WINDOWS_MINUTES.at(-1)!;
  const fromMs = toMs - minutes * MINUTE_MS;
  return {
    fromMs,
    toMs,
    times: points.map(({ wallMs }) => wallMs),
    shades: shadesOf(conditions, fromMs, toMs),
    begin: `${minutes} min ago`,
    longestGapMs: 3 * Math.max(POINT_PERIOD_MS, (toMs - fromMs) / MOST_DRAWN),
  };
}

function shadesOf(
  conditions: readonly ConditionSpell[],
  fromMs: number,
  toMs: number,
): readonly Shade[] {
  return conditions.flatMap(({ to, time, seconds }) => {
    const beginMs = Date.parse(time);
    const endMs = seconds === null ? toMs : beginMs + seconds * 1000;
    if (SHADED[to] === undefined || endMs < fromMs || beginMs > toMs) return [];
    return [{ pattern: to, fromMs: Math.max(fromMs, beginMs), toMs: Math.min(toMs, endMs) }];
  });
}

function shadeLegend(shades: readonly Shade[]): Markup | null {
  const seen = Object.entries(SHADED).filter(([name]) =>
    shades.some(({ pattern }) => pattern === name),
  );
  if (seen.length === 0) return null;
  return markup`<ul class="legend shades">
    ${seen.map(
      ([name, words]) =>
        markup`<li><svg class="swatch" aria-hidden="true"><rect width="100%" height="100%" fill="url(#shade-${name})" /></svg>${words}</li>`,
    )}
  </ul>`;
}

function awaySentence(
  conditions: readonly ConditionSpell[],
  { fromMs, toMs, begin }: TimeAxis,
): string {
  const outages = conditions.filter(({ to }) => to === 'outage');
  const times = shadesOf(outages, fromMs, toMs);
  const window = begin.replace(' ago', '');
  if (times.length === 0) return `Redis was there all the time in the last ${window}.`;
  const seconds = times.reduce((sum, shade) => sum + (shade.toMs - shade.fromMs) / 1000, 0);
  const often = ['once', 'twice'][times.length - 1] ?? plural(times.length, 'time');
  return `Redis was away ${often} in the last ${window}, ${formatSeconds(seconds)} in all.`;
}

function commandsChart(points: readonly Point[]): Chart {
  const all = WAYS.map(({ name, hue, routes }) => ({
    name,
    hue,
    values: points.map(({ rates }) =>
      routes.reduce((sum, route) => sum + rates[ROUTES.indexOf(route)]!, 0),
    ),
  }));
  const series = all.filter(
    ({ values }, index) => index === 0 || values.some((value) => value > 0),
  );
  const sums = points.map((_, index) =>
    series.reduce((sum, { values }) => sum + values[index]!, 0),
  );
  return {
    title: 'Commands a second',
    kind: 'stack',
    series,
    scale: linearScale(Math.max(...sums), 10),
    format: formatCount,
  };
}

function latencyChart(points: readonly Point[]): Chart {
  const series: readonly Series[] = [
    { name: 'half within', hue: 'through', values: points.map(({ median }) => median) },
    { name: '99 % within', hue: 'slow', values: points.map(({ slowest }) => slowest) },
  ];
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const [lowest, highest] = [Math.min(...known, 1), Math.max(...known, 1)];
  return {
    title: 'How long Redis takes',
    kind: 'lines',
    series,
    scale: logScale(Math.max(0.01, lowest), highest),
    format: formatMilliseconds,
  };
}

function journalChart(points: readonly Point[]): Chart {
  const values = points.map(({ journalRecords }) => journalRecords);
  return {
    title: 'Waiting in the journal',
    kind: 'area',
    series: [{ name: 'records', hue: 'journal', values }],
    scale: linearScale(Math.max(...values), 10),
    format: formatCount,
  };
}

function clientsChart(points: readonly Point[]): Chart {
  const values = points.map(({ clients }) => clients);
  return {
    title: 'Clients',
    kind: 'area',
    series: [{ name: 'connected', hue: 'clients', values }],
    scale: linearScale(Math.max(...values), 4),
    format: formatCount,
  };
}
