/**
 * Small charts as inline SVG: lines or stacked areas over time, with shaded stretches behind them. The picture is
 * stretched to whatever width there is, so it holds no text; what can be read stands around it as HTML. Knows numbers
 * only, nothing of Redis.
 *
 *   title
 *   ■ series 1,204
 *   2,000 ┌────────────────────────────┐
 *         │      ▒▒▒▒  ╱╲___           │   shaded: ▒
 *       0 └────────────────────────────┘
 *         15 min ago                now
 */
import { markup, type Markup } from './markup.js';

/** A value per point; null where there was none, which is a gap. */
export interface Series {
  readonly name: string;
  /** Chooses the colour: a class of the style sheet, `s-…`. */
  readonly hue: string;
  readonly values: readonly (number | null)[];
}

export interface Shade {
  /** Chooses the pattern: an id of the document's patterns, `shade-…`. */
  readonly pattern: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Chart {
  readonly title: string;
  readonly kind: 'stack' | 'lines' | 'area';
  readonly scale: Scale;
  readonly series: readonly Series[];
  /** What the values are, e.g. `1,204 /s`. */
  readonly format: (value: number) => string;
}

/** What all charts of a page have in common. Times are milliseconds since the epoch. */
export interface TimeAxis {
  readonly fromMs: number;
  readonly toMs: number;
  readonly times: readonly number[];
  readonly shades: readonly Shade[];
  /** `15 min ago`. */
  readonly begin: string;
  /** Points that are further apart are not connected. */
  readonly longestGapMs: number;
}

export interface Scale {
  /** From 0 at the bottom to 1 at the top. */
  readonly place: (value: number) => number;
  readonly bottom: number;
  readonly top: number;
}

const WIDTH = 720;
const HEIGHT = 100;

/** From zero to a round figure that nothing exceeds. */
export function linearScale(highest: number, least: number): Scale {
  const top = roundUp(Math.max(highest, least));
  return { bottom: 0, top, place: (value) => value / top };
}

/** In powers of ten, for what may be a thousand times as much at one moment as at the next. */
export function logScale(lowest: number, highest: number): Scale {
  const [low, high] = [Math.floor(Math.log10(lowest)), Math.ceil(Math.log10(highest))];
  const decades = Math.max(1, high - low);
  const place = (value: number): number => (Math.log10(value) - low) / decades;
  return { bottom: 10 ** low, top: 10 ** (low + decades), place };
}

/** The next of 1, 2, 4, 5, 8 and their powers of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].find((step) => step * power >= value)! * power;
}

/** The whole figure. */
export function renderChart(chart: Chart, axis: TimeAxis): Markup {
  const { title, format, scale } = chart;
  const described = `${title}, ${axis.begin} to now. ${chart.series.map((one) => `${one.name}: ${lastOf(one, format)}`).join(', ')}.`;
  return markup`<figure class="chart">
    <figcaption>
      <h3>${title}</h3>
      <ul class="legend">
        ${chart.series.map((one) => legend(one, format))}
      </ul>
    </figcaption>
    <div class="plot">
      <div class="scale"><span>${format(scale.top)}</span><span>${format(scale.bottom)}</span></div>
      <svg
        viewBox="0 0 ${WIDTH} ${HEIGHT}"
        preserveAspectRatio="none"
        role="img"
        aria-label="${described}"
      >
        ${axis.shades.map((shade) => shadeOf(shade, axis))}
        <path class="grid" d="M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}" />
        ${curvesOf(chart, axis)}
        <path class="ground" d="M0 ${HEIGHT}H${WIDTH}" />
      </svg>
    </div>
    <div class="times"><span>${axis.begin}</span><span>now</span></div>
  </figure>`;
}

function legend(series: Series, format: Chart['format']): Markup {
  return markup`<li><i class="swatch s-${series.hue}"></i>${series.name} <b>${lastOf(series, format)}</b></li>`;
}

function lastOf({ values }: Series, format: Chart['format']): string {
  const last = values.at(-1) ?? null;
  return last === null ? '–' : format(last);
}

function shadeOf({ pattern, fromMs, toMs }: Shade, axis: TimeAxis): Markup {
  const from = Math.max(0, x(fromMs, axis));
  // A second of an hour would be a fifth of a pixel, and is what one looks for.
  const width = Math.max(3, x(toMs, axis) - from);
  return markup`<rect x="${round(from)}" y="0" width="${round(width)}" height="${HEIGHT}" fill="url(#shade-${pattern})" />`;
}

function curvesOf({ kind, series, scale }: Chart, axis: TimeAxis): Markup {
  const below = axis.times.map(() => 0);
  const curves = series.map(({ hue, values }) => {
    if (kind !== 'stack') return curve(hue, kind, values, scale, axis);
    const from = [...below];
    values.forEach((value, index) => (below[index]! += value ?? 0));
    return area(hue, from, below, scale, axis);
  });
  return markup`${curves}`;
}

function curve(
  hue: string,
  kind: Chart['kind'],
  values: Series['values'],
  scale: Scale,
  axis: TimeAxis,
): Markup {
  const line = markup`<path class="line s-${hue}" d="${linePath(values, scale, axis)}" />`;
  if (kind === 'lines') return line;
  const ground = axis.times.map(() => 0);
  const filled = area(
    hue,
    ground,
    values.map((value) => value ?? 0),
    scale,
    axis,
  );
  return markup`${filled}${line}`;
}

/** Between two curves, in one piece for each stretch without a gap. */
function area(
  hue: string,
  lower: readonly number[],
  upper: readonly number[],
  scale: Scale,
  axis: TimeAxis,
): Markup {
  let path = '';
  for (const stretch of stretches(axis, () => true)) {
    const there = stretch.map((index) => `${at(index, axis)} ${y(upper[index]!, scale)}`);
    const back = stretch.map((index) => `${at(index, axis)} ${y(lower[index]!, scale)}`).reverse();
    path += `M${[...there, ...back].join('L')}Z`;
  }
  return markup`<path class="area s-${hue}" d="${path}" />`;
}

function linePath(values: Series['values'], scale: Scale, axis: TimeAxis): string {
  return stretches(axis, (index) => values[index] !== null)
    .map(
      (stretch) =>
        `M${stretch.map((index) => `${at(index, axis)} ${y(values[index]!, scale)}`).join('L')}`,
    )
    .join('');
}

/** Indices of points that belong together: those that `has` allows, and no two of them far apart. */
function stretches({ times, longestGapMs }: TimeAxis, has: (index: number) => boolean): number[][] {
  const found: number[][] = [];
  times.forEach((time, index) => {
    if (!has(index)) return;
    const last = found.at(-1)?.at(-1);
    const goesOn = last === index - 1 && time - times[last]! <= longestGapMs;
    if (goesOn) found.at(-1)!.push(index);
    else found.push([index]);
  });
  return found.filter((stretch) => stretch.length > 1);
}

function at(index: number, axis: TimeAxis): number {
  return round(x(axis.times[index]!, axis));
}

function x(timeMs: number, { fromMs, toMs }: TimeAxis): number {
  return ((timeMs - fromMs) / (toMs - fromMs)) * WIDTH;
}

function y(value: number, scale: Scale): number {
  const place = Math.min(1, Math.max(0, scale.place(value)));
  return round(HEIGHT * (1 - place));
}

/** To a tenth of a unit: more cannot be seen. */
function round(units: number): number {
  return Math.round(units * 10) / 10;
}
