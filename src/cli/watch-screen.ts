/** What `respool status --watch` shows: the status page as lines of text. Pure. */
import { formatCount, formatSeconds, formatSpell, plural, printable } from '../base/figures.js';
import { happened, situationOf, type Tone } from '../proxy/situation.js';
import type { SidecarStatus } from '../proxy/status.js';
import { alignColumns } from './columns.js';
import { adviceLines, statusRows } from './status-text.js';
import type { Line } from './terminal.js';

export interface Watched {
  readonly status: SidecarStatus;
  /** Commands a second at the last looks, oldest first. */
  readonly rates: readonly number[];
  /** Whom it was asked of. */
  readonly admin: string;
  readonly columns: number;
}

/** A sign for each tone, since not all terminals have colours. */
const SIGNS: Readonly<Record<Tone, string>> = { good: '✔', notice: '↻', trouble: '▲', danger: '✖' };
const CHANGES_SHOWN = 5;
const WIDEST_BAR = 40;
const LEVELS = '▁▂▃▄▅▆▇█';
const EMPTY: Line = [];

/** The whole screen. */
export function renderScreen({ status, rates, admin, columns }: Watched): readonly Line[] {
  const { tone, sentence } = situationOf(status);
  const said = wrap(`${SIGNS[tone]} ${sentence}`, columns).map((text): Line => [[text, tone]]);
  const advised = adviceLines(status).flatMap((line) => wrap(line, columns).map(dim));
  return [
    ...said,
    ...advised,
    EMPTY,
    ...progressLines(status),
    [
      ['commands/s  ', 'dim'],
      [sparkline(rates), 'notice'],
      [`  ${formatCount(rates.at(-1) ?? 0)}`, 'bold'],
    ],
    EMPTY,
    ...rows(statusRows(status)),
    EMPTY,
    ...changeLines(status),
    EMPTY,
    dim(
      `${admin}, respool ${status.version}, up ${formatSeconds(status.uptimeSeconds)}. Ctrl-C ends this view, not the sidecar.`,
    ),
  ];
}

function progressLines({ condition, replay }: SidecarStatus): readonly Line[] {
  const all = replay.done + replay.remaining;
  if (condition !== 'replaying' || all === 0) return [];
  const { done, perSecond, secondsToGo } = replay;
  const words = [
    `${Math.floor((done / all) * 100)} %`,
    `${formatCount(done)} of ${plural(all, 'record')}`,
    `${formatCount(perSecond)}/s`,
    ...(secondsToGo === null ? [] : [`${formatSeconds(secondsToGo)} to go`]),
  ];
  const bar: Line = [
    ['replay      ', 'dim'],
    [progressBar(done / all, WIDEST_BAR), 'notice'],
    [`  ${words.join(', ')}`, 'plain'],
  ];
  return [bar, EMPTY];
}

/** `share` of 0 to 1. Not full before everything is done. */
export function progressBar(share: number, width: number): string {
  const full = Math.floor(share * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** A character per value, as high as it is among the others; all of them are at least a line. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(1, ...values);
  return values
    .map(
      (value) => LEVELS[Math.min(LEVELS.length - 1, Math.floor((value / highest) * LEVELS.length))],
    )
    .join('');
}

function changeLines({ conditions }: SidecarStatus): readonly Line[] {
  const last = conditions.slice(-CHANGES_SHOWN).reverse();
  return rows(
    last.map(({ to, time, cause, seconds }): [string, string] => {
      const lasted = seconds === null ? 'now' : `for ${formatSpell(seconds)}`;
      const why = cause === null ? '' : `: ${printable(cause)}`;
      return [`${time.slice(11, 19)} UTC`, `${happened(to)}, ${lasted}${why}`];
    }),
  );
}

function rows(pairs: readonly (readonly [string, string])[]): readonly Line[] {
  return alignColumns(pairs.map(([name, text]) => [name.padEnd(10), text]))
    .trimEnd()
    .split('\n')
    .map((line): Line => {
      const name = line.slice(0, 12);
      return [
        [name, 'dim'],
        [line.slice(12), 'plain'],
      ];
    });
}

function dim(text: string): Line {
  return [[text, 'dim']];
}

/** Breaks between words; what follows is indented by two. */
function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\S) /)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length <= columns || line === '') line = longer;
    else {
      lines.push(line);
      line = `  ${word}`;
    }
  }
  return [...lines, line];
}
