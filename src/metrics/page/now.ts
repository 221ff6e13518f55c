/**
 * What the page says of this moment, in parts that are replaced one by one when they have changed: the situation, what
 * happened last, and the facts behind both.
 */
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatSpell,
  plural,
} from '../../base/figures.js';
import {
  happened,
  situationOf,
  type Advice,
  type Situation,
  type Tone,
} from '../../proxy/situation.js';
import type { ConditionSpell, SidecarStatus } from '../../proxy/status.js';
import { markup, type Markup } from './markup.js';

/** The moment, as the page's script takes it. */
export interface Now {
  readonly version: string;
  readonly tone: Tone;
  /** Of the document. */
  readonly title: string;
  /** Read aloud by screen readers, when it is another one than before. */
  readonly headline: string;
  readonly sentence: string;
  /** HTML by the id of the element that holds it. */
  readonly parts: Readonly<Record<PartName, string>>;
}

export type PartName = 'situation' | 'changes' | 'facts' | 'about';

/** Everything that the page shows of this moment. */
export function renderNow(status: SidecarStatus): Now {
  const situation = situationOf(status);
  const { tone, headline, sentence } = situation;
  return {
    version: status.version,
    tone,
    title: `${headline} · Respool`,
    headline,
    sentence,
    parts: {
      situation: renderSituation(situation, status).text,
      changes: renderChanges(status.conditions).text,
      facts: renderFacts(status).text,
      about: markup`respool ${status.version}, up ${formatSeconds(status.uptimeSeconds)}`.text,
    },
  };
}

function renderSituation(
  { tone, headline, sentence, advice }: Situation,
  status: SidecarStatus,
): Markup {
  const isReplaying = status.condition === 'replaying' && tone === 'notice';
  return markup`<div class="what">
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><use href="#icon-${isReplaying ? 'replaying' : tone}" /></svg>
      <div>
        <h1>${headline}</h1>
        <p class="sentence">${belowHeadline(headline, sentence)}</p>
        ${causeOf(status)}
      </div>
    </div>
    ${progressOf(status)} ${advice.length === 0 ? null : markup`<ul class="advice">${advice.map(adviceLine)}</ul>`}`;
}

/** The headline is not said twice: what stands below it goes on where it ends. */
function belowHeadline(headline: string, sentence: string): string {
  return sentence.startsWith(headline)
    ? sentence.slice(headline.length).replace(/^:? /, '')
    : sentence;
}

function causeOf({ condition, breaker }: SidecarStatus): Markup | null {
  const isAway = condition === 'outage' || condition === 'holding';
  if (!isAway || breaker.lastCause === null) return null;
  return markup`<p class="cause">The last thing heard: ${breaker.lastCause}</p>`;
}

function progressOf({ condition, replay }: SidecarStatus): Markup | null {
  const all = replay.done + replay.remaining;
  if (condition !== 'replaying' || all === 0) return null;
  const percent = Math.floor((replay.done / all) * 100);
  return markup`<div class="progress">
    <progress max="${all}" value="${replay.done}" aria-label="Replayed"></progress>
    <span>${percent} %</span> <span>${formatCount(replay.perSecond)} records a second</span>
  </div>`;
}

function adviceLine({ text, command }: Advice): Markup {
  return markup`<li>${text} ${command === null ? null : markup`<code>${command}</code>`}</li>`;
}

const CHANGES_SHOWN = 8;

function renderChanges(conditions: readonly ConditionSpell[]): Markup {
  const last = conditions.slice(-CHANGES_SHOWN).reverse();
  return markup`<ol>
    ${last.map(
      ({ to, time, cause, seconds }) => markup`<li class="was-${to}">
        <time datetime="${time}">${time.slice(11, 19)}</time>
        <span class="happened">${happened(to)}</span>
        <span class="lasted">${seconds === null ? 'now' : `for ${formatSpell(seconds)}`}</span>
        ${cause === null ? null : markup`<span class="cause">${cause}</span>`}
      </li>`,
    )}
  </ol>`;
}

function renderFacts(status: SidecarStatus): Markup {
  const { upstream, clients, journal, replay } = status;
  const facts: readonly (readonly [string, string])[] = [
    ['Upstream', `${upstream.url}, ${upstream.connected ? 'connected' : 'not connected'}`],
    [
      'Connections',
      `${plural(upstream.lanes, 'shared lane')}, ${formatCount(clients.pinned)} pinned`,
    ],
    ['Breaker', breakerFact(status)],
    ['Clients', `${formatCount(clients.connected)} connected`],
    ['Journal', journalFact(status)],
    ['Replayed', `${plural(replay.replayed, 'record')} since the start`],
    ['Dead letters', journal.deadLetters === 0 ? 'none' : formatCount(journal.deadLetters)],
  ];
  return markup`<dl>
    ${facts.map(([name, fact]) => markup`<div><dt>${name}</dt><dd>${fact}</dd></div>`)}
  </dl>`;
}

function breakerFact({ breaker }: SidecarStatus): string {
  const held = breaker.forced === null ? '' : ', held by an operator';
  const failures =
    breaker.consecutiveFailures === 0 ? '' : `, ${plural(breaker.consecutiveFailures, 'failure')}`;
  return `${breaker.state}${held}${failures}`;
}

function journalFact({ journal }: SidecarStatus): string {
  const { records, bytes, maxBytes, oldestSeconds, durable } = journal;
  if (maxBytes === 0) return 'none';
  const where = durable ? 'on disk' : 'in memory, lost on exit';
  if (records === 0) return `empty, ${where}`;
  const age = oldestSeconds === null ? '' : `, the oldest ${formatSeconds(oldestSeconds)} old`;
  return `${plural(records, 'record')}, ${formatBytes(bytes)} of ${formatBytes(maxBytes)}${age}, ${where}`;
}
