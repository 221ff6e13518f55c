/**
 * What is going on, as a sentence that a person understands at three in the morning, and what to do about it. The status
 * page, `respool status --watch` and RESPOOL STATUS all say it with these words. Pure: a status goes in. Nothing that
 * others wrote (causes, names) gets into it, but for the upstream's masked address.
 *
 *   draining, outage, replaying, busy, holding, healthy: the first that is true is what is told
 */
import { formatCount, formatSeconds, plural } from '../base/figures.js';
import type { Condition, SidecarStatus } from './status.js';

/** `danger`: what was accepted may be lost, or soon nothing more is accepted. `trouble`: it is taken care of. */
export type Tone = 'good' | 'notice' | 'trouble' | 'danger';

export interface Advice {
  readonly text: string;
  /** What to type, or null. */
  readonly command: string | null;
}

export interface Situation {
  readonly tone: Tone;
  /** Two or three words; changes only when something has happened. */
  readonly headline: string;
  /** With figures; may be another one each second. Ends with a full stop. */
  readonly sentence: string;
  /** Empty when there is nothing to do. */
  readonly advice: readonly Advice[];
}

/** From this share on the journal counts as nearly full. */
const NEARLY_FULL = 0.8;

/** Tells what is going on. */
export function situationOf(status: SidecarStatus): Situation {
  const told = tell(status);
  const advice = [...told.advice, ...standingAdvice(status)];
  return { ...told, tone: isInDanger(status) ? 'danger' : told.tone, advice };
}

/** What came to pass when a condition began. */
export function happened(condition: Condition): string {
  switch (condition) {
    case 'healthy':
      return 'All well';
    case 'holding':
      return 'No connection to Redis';
    case 'outage':
      return 'Redis went away';
    case 'replaying':
      return 'Redis is back, replaying';
    case 'draining':
      return 'Asked to stop';
  }
}

function tell(status: SidecarStatus): Situation {
  const { condition, busy } = status;
  switch (condition) {
    case 'draining':
      return draining(status);
    case 'outage':
      return outage(status);
    case 'replaying':
      return replaying(status);
    case 'holding':
    case 'healthy':
      if (busy.active) return busyWithScript(status);
      return condition === 'holding' ? holding(status) : healthy(status);
  }
}

function draining(status: SidecarStatus): Situation {
  const { clients, journal } = status;
  const left = journal.records === 0 ? '' : `; ${waitingWrites(status)}`;
  return {
    tone: 'notice',
    headline: 'Stopping',
    sentence: `The sidecar is stopping; ${plural(clients.connected, 'client')} still to see off${left}.`,
    advice: [],
  };
}

function outage(status: SidecarStatus): Situation {
  const { breaker, conditionSinceSeconds } = status;
  const parts = [
    `Redis is away for ${formatSeconds(breaker.openedSecondsAgo ?? conditionSinceSeconds)}`,
    waitingWrites(status),
    ...refusedWrites(status),
    nextTry(status),
  ];
  return {
    tone: 'trouble',
    headline: 'Redis is away',
    sentence: `${parts.join('; ')}.`,
    advice: breaker.forced === 'open' ? [LET_THE_BREAKER_DECIDE] : [LOOK_AFTER_REDIS],
  };
}

function replaying(status: SidecarStatus): Situation {
  const { replay } = status;
  const headline = replay.paused ? 'Replay is paused' : 'Catching up';
  if (replay.paused) {
    const sentence = `Redis is back, and an operator has paused the replay; ${waitingWrites(status)}.`;
    return { tone: 'trouble', headline, sentence, advice: [RESUME_REPLAY] };
  }
  const all = replay.done + replay.remaining;
  const far = `Replaying: ${formatCount(replay.done)} of ${plural(all, 'record')}`;
  const toGo =
    replay.secondsToGo === null ? 'just begun' : `about ${formatSeconds(replay.secondsToGo)} to go`;
  return {
    tone: 'notice',
    headline,
    sentence: replay.remaining === 0 ? 'Replaying: the last records are in.' : `${far}, ${toGo}.`,
    advice: [],
  };
}

function busyWithScript({ busy }: SidecarStatus): Situation {
  const wait =
    busy.waiting === 1 ? '1 command waits' : `${formatCount(busy.waiting)} commands wait`;
  const since = formatSeconds(busy.sinceSeconds ?? 0);
  return {
    tone: 'notice',
    headline: 'Redis is busy',
    sentence: `Redis is busy with a script for ${since}; ${wait} for it to end.`,
    advice: [
      {
        text: 'If it never ends: a script that has written nothing yet can be stopped.',
        command: 'SCRIPT KILL',
      },
    ],
  };
}

function holding({ conditionSinceSeconds, breaker }: SidecarStatus): Situation {
  return {
    tone: 'notice',
    headline: 'No connection',
    sentence: `No connection to Redis for ${formatSeconds(conditionSinceSeconds)}; commands wait for it.`,
    advice: breaker.forced === 'closed' ? [LET_THE_BREAKER_DECIDE] : [],
  };
}

function healthy(status: SidecarStatus): Situation {
  const { clients, commands, journal, breaker, upstream } = status;
  const who = upstream.url === EMBEDDED ? 'the embedded Valkey' : 'Redis';
  const work =
    clients.connected === 0
      ? 'no client is connected'
      : `${plural(commands.perSecond, 'command')} a second for ${plural(clients.connected, 'client')}`;
  const letters =
    journal.deadLetters === 0
      ? ''
      : `; ${plural(journal.deadLetters, 'write')} that Redis refused ${journal.deadLetters === 1 ? 'is' : 'are'} kept`;
  return {
    tone: journal.deadLetters === 0 ? 'good' : 'notice',
    headline: 'All well',
    sentence: `All well: ${who} answers, ${work}${letters}.`,
    advice: breaker.forced === 'closed' ? [LET_THE_BREAKER_DECIDE] : [],
  };
}

/** Where the writes are that were accepted meanwhile. Only a journal on disk may be called safe. */
function waitingWrites({ journal }: SidecarStatus): string {
  const { records, durable } = journal;
  if (records === 0) return 'no write is waiting';
  const writes = plural(records, 'write');
  const are = records === 1 ? 'is' : 'are';
  return durable
    ? `${writes} ${are} safe in the journal`
    : `${writes} ${are} in memory, lost if this process ends`;
}

function refusedWrites({ journal }: SidecarStatus): readonly string[] {
  return refuses(journal) ? [`new ones are refused: ${journal.refuses}`] : [];
}

/** A sidecar of an older version does not say. */
function refuses({ refuses: why }: SidecarStatus['journal']): boolean {
  return typeof why === 'string';
}

function nextTry({ breaker }: SidecarStatus): string {
  if (breaker.forced === 'open') return 'an operator holds the breaker open';
  if (breaker.state === 'half-open') return 'trying it now';
  const seconds = Math.ceil(breaker.nextProbeInSeconds ?? 0);
  return seconds <= 1 ? 'next try in a moment' : `next try in ${seconds} s`;
}

function isNearlyFull({ journal }: SidecarStatus): boolean {
  return journal.maxBytes > 0 && journal.bytes >= journal.maxBytes * NEARLY_FULL;
}

function isInDanger(status: SidecarStatus): boolean {
  const { records, durable } = status.journal;
  return isNearlyFull(status) || refuses(status.journal) || (records > 0 && !durable);
}

/** What is to be done whatever else is going on. */
function standingAdvice(status: SidecarStatus): readonly Advice[] {
  const { records, durable, deadLetters, bytes, maxBytes } = status.journal;
  const advice: Advice[] = [];
  if (isNearlyFull(status)) {
    const share = Math.floor((bytes / maxBytes) * 100);
    const text = `The journal is ${share} % full. When it is full, new writes are refused and what it holds stays: bring Redis back`;
    if (durable)
      advice.push({ text: `${text}, or restart with more`, command: '--journal-max-bytes' });
    else advice.push({ text: `${text}.`, command: null });
  }
  if (refuses(status.journal) && !isNearlyFull(status)) advice.push(LOOK_AFTER_THE_DISK);
  if (records > 0 && !durable) {
    const text =
      'Do not restart this sidecar: its journal is in memory. With a directory it is not:';
    advice.push({ text, command: '--journal-dir' });
  }
  if (deadLetters > 0) advice.push(LOOK_AT_DEAD_LETTERS);
  if (status.upstream.url === EMBEDDED) advice.push(THERE_IS_NO_REDIS);
  return advice;
}

const EMBEDDED = 'embedded:';

const LOOK_AFTER_REDIS: Advice = {
  text: 'Look after Redis; leave the sidecar and its journal as they are. It goes on trying and replays by itself.',
  command: null,
};
const LOOK_AFTER_THE_DISK: Advice = {
  text: 'New writes are refused. Look after the disk of journal-dir: they are taken again by themselves when it can be written.',
  command: null,
};
const LET_THE_BREAKER_DECIDE: Advice = {
  text: 'An operator holds the breaker. To let it decide again, over any Redis client:',
  command: 'RESPOOL BREAKER AUTO',
};
const RESUME_REPLAY: Advice = {
  text: 'To go on, over any Redis client:',
  command: 'RESPOOL JOURNAL RESUME',
};
const LOOK_AT_DEAD_LETTERS: Advice = {
  text: 'Writes that Redis refused during replay are kept as dead letters. To see which and why, over any Redis client:',
  command: 'RESPOOL DEADLETTERS',
};
const THERE_IS_NO_REDIS: Advice = {
  text: 'There is no Redis behind this sidecar: what it holds lives in this process. To use one:',
  command: '--upstream redis://host:6379',
};
