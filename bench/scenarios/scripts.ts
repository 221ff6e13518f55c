/**
 * What it costs that no script is ever forgotten: scripts by their SHA-1 through the sidecar, through one that only passes
 * them on, and directly, with the bytes that reach Redis for each.
 */
import { startField, type PeerName } from '../peers.js';
import { scaled, type Goal, type Scenario, type Settings } from '../scenario.js';
import { runScripts, type ScriptLoad, type ScriptSample } from '../script-load.js';
import { format, table } from '../table.js';
import { Results } from '../turns.js';

const TARGETS: readonly PeerName[] = ['direct', 'respool', 'respool, pass', 'other build'];
const CLIENTS = 50;

const SIZES = { '200 bytes': 200, '10 KB': 10_000 } as const;
const WAYS = {
  'one by one': { depth: 1, isTransaction: false, scripts: 50_000 },
  'pipelined, 16': { depth: 16, isTransaction: false, scripts: 200_000 },
  'MULTI of one': { depth: 1, isTransaction: true, scripts: 50_000 },
  'MULTI of four': { depth: 4, isTransaction: true, scripts: 100_000 },
} as const;

type Subject = `${keyof typeof SIZES}, ${keyof typeof WAYS}`;

const SUBJECTS = Object.keys(SIZES).flatMap((size) =>
  Object.keys(WAYS).map((way) => `${size}, ${way}` as Subject),
);

/** Small and large sources; alone, in pipelines, in transactions. */
export const scripts: Scenario = {
  name: 'scripts',
  title: 'Scripts by their SHA-1: c=50, sources of 200 bytes and 10 KB',
  async run(settings) {
    const field = await startField(TARGETS, settings);
    try {
      const measureOne = (target: (typeof field.targets)[number], subject: Subject) =>
        runScripts(target, field.direct, loadOf(subject, settings));
      for (const target of field.targets) {
        for (const subject of SUBJECTS) await measureOne(target, subject);
      }
      const results = await Results.of(settings.rounds, field.targets, SUBJECTS, measureOne);
      return {
        method: methodOf(settings.rounds),
        table: table(
          ['', 'scripts/s', 'p50 ms', 'CPU µs/script', 'of Redis', 'bytes to Redis'],
          SUBJECTS.flatMap((subject) => rowsOf(results, subject)),
        ),
        goals: SUBJECTS.flatMap((subject) => goalsOf(results, subject)),
      };
    } finally {
      await field.stop();
    }
  },
};

function loadOf(subject: Subject, settings: Settings): ScriptLoad {
  const [size, ...way] = subject.split(', ');
  const { scripts: count, ...what } = WAYS[way.join(', ') as keyof typeof WAYS];
  return {
    ...what,
    sourceBytes: SIZES[size as keyof typeof SIZES],
    clients: CLIENTS,
    scripts: scaled(settings, count, CLIENTS * what.depth),
  };
}

function methodOf(rounds: number): string {
  return (
    `Medians of ${rounds} rounds. ${CLIENTS} clients, all in one process written for Node.js, each with one write in flight; ` +
    'the script is one SET and its source is padded with a comment. p50 is of whole writes. CPU is that of the process itself; ' +
    'bytes are what Redis itself counted as read, per script. All were warmed up before.'
  );
}

function rowsOf(results: Results<ScriptSample>, subject: Subject): string[][] {
  return TARGETS.filter((target) => results.has(target, subject)).map((target) => {
    const cell = (key: keyof ScriptSample, digits: number): string =>
      format(
        results.median(target, subject, (sample) => sample[key]),
        digits,
      );
    return [
      `${subject}, ${target}`,
      cell('perSecond', 0),
      cell('p50Ms', 2),
      cell('cpuMicros', 2),
      cell('redisCpuMicros', 2),
      cell('upstreamBytes', 0),
    ];
  });
}

/** Alone a script costs no more bytes than without the sidecar; otherwise the source costs what it costs, and is shown. */
function goalsOf(results: Results<ScriptSample>, subject: Subject): Goal[] {
  const over = (key: keyof ScriptSample): number =>
    results.medianOfRounds(
      ['respool', 'direct'],
      subject,
      (ours, direct) => ours[key] / direct[key],
    );
  const isAlone = subject.endsWith('one by one');
  return [
    {
      what: `scripts, ${subject}: scripts/s over those without the sidecar`,
      bound: 'at least',
      wanted: isAlone ? 0.7 : 0.3,
      measured: over('perSecond'),
    },
    ...(isAlone
      ? [
          {
            what: `scripts, ${subject}: bytes to Redis over those without the sidecar`,
            bound: 'at most' as const,
            wanted: 1.05,
            measured: over('upstreamBytes'),
          },
        ]
      : []),
  ];
}
