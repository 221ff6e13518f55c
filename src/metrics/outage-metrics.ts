/** The metrics of outages: breaker, journal, replay, and what clients were answered meanwhile. Part of `table.ts`. */
import { DEAD_LETTER_LABELS } from '../outage/replay/refusal.js';
import { ANSWER_CLASSES, BREAKER_STATES, JOURNAL_REFUSALS } from '../proxy/observer.js';
import { CONDITIONS } from '../proxy/status.js';
import { count, level, sample, tally, total, type MetricDefinition } from './metric.js';

export const OUTAGE_METRICS: readonly MetricDefinition[] = [
  {
    name: 'respool_condition',
    type: 'gauge',
    labels: { condition: CONDITIONS.map((condition) => `\`${condition}\``).join(', ') },
    help: '1 for the condition that the sidecar is in, 0 for the others.',
    read: ({ gauges }) => {
      const current = gauges().condition;
      return CONDITIONS.map((condition) => sample(Number(condition === current), { condition }));
    },
  },
  {
    name: 'respool_breaker_state',
    type: 'gauge',
    labels: { state: BREAKER_STATES.map((state) => `\`${state}\``).join(', ') },
    help: '1 for the state that the breaker is in, 0 for the others.',
    read: ({ gauges }) => {
      const { breakerState } = gauges().outage;
      return BREAKER_STATES.map((state) => sample(Number(state === breakerState), { state }));
    },
  },
  tally(
    'respool_breaker_transitions_total',
    'to',
    BREAKER_STATES,
    'Changes of the breaker. Each one to half-open is a probe.',
    (observer) => observer.breakerTransitions.entries(),
  ),
  level(
    'respool_journal_records',
    'Records that are not yet replayed.',
    ({ outage }) => outage.journalRecords,
  ),
  level(
    'respool_journal_bytes',
    'Bytes of the records that are not yet replayed.',
    ({ outage }) => outage.journalBytes,
  ),
  level(
    'respool_journal_used_bytes',
    'Bytes of all files of the journal, replayed records among them.',
    ({ outage }) => outage.journalUsedBytes,
  ),
  level(
    'respool_journal_limit_bytes',
    'Most bytes that the journal may use (option journal-max-bytes).',
    ({ outage }) => outage.journalLimitBytes,
  ),
  level(
    'respool_journal_oldest_seconds',
    'Age of the oldest record that is not yet replayed; 0 when there is none.',
    ({ outage }) => outage.journalOldestSeconds,
  ),
  level(
    'respool_journal_recovered_records',
    'Records of an earlier run that the journal held when the process began.',
    ({ outage }) => outage.journalRecoveredRecords,
  ),
  total(
    'respool_journal_appended_total',
    'Records appended to the journal.',
    ({ outage }) => outage.journalAppendedTotal,
  ),
  tally(
    'respool_journal_refused_total',
    'reason',
    [...JOURNAL_REFUSALS, 'other'],
    'Writes that the journal did not take; their clients were told.',
    (observer) => observer.journalRefusals.entries(),
  ),
  total('respool_replayed_total', 'Records replayed.', ({ outage }) => outage.replayedTotal),
  total(
    'respool_replay_renamed_entries_total',
    'Stream entries (XADD) that got another id than their client was told, because the stream had passed it.',
    ({ outage }) => outage.renamedEntriesTotal,
  ),
  level(
    'respool_dead_letters',
    'Dead letters that are kept: journaled commands that the upstream refused.',
    ({ outage }) => outage.deadLetters,
  ),
  tally(
    'respool_dead_letters_total',
    'reason',
    [...DEAD_LETTER_LABELS, 'other'],
    "Records that became dead letters, by the first word of the upstream's error.",
    (observer) => observer.deadLetters.entries(),
  ),
  tally(
    'respool_outage_answers_total',
    'class',
    ANSWER_CLASSES,
    'Commands answered while the upstream was away, by outage class.',
    (observer) => observer.outageAnswers(),
  ),
  count(
    'respool_unknown_outcomes_total',
    'Commands answered with -UNKNOWNOUTCOME: sent, not answered, and not safe to repeat.',
    (observer) => observer.unknownOutcomes,
  ),
  count(
    'respool_repeated_total',
    'Writes that may have run and were sent again, because repeating them changes nothing.',
    (observer) => observer.repeatedCommands,
  ),
  count(
    'respool_blocked_resent_total',
    'Blocking commands sent again after their connection was lost; what the dying server popped for them is lost.',
    (observer) => observer.blockedResent,
  ),
  {
    name: 'respool_held_commands',
    type: 'gauge',
    labels: {},
    help: 'Commands that wait for the replay of what came before them.',
    read: ({ observer }) => [sample(observer.heldCommands)],
  },
];
