/** What a Redis that lacks nothing answers to `respool check`, and a machine that grants everything. */
import type { Surroundings } from '../../src/sidecar/surroundings.js';
import type { UpstreamAnswers, UpstreamFacts } from '../../src/upstream/dial.js';
import type { Answer } from '../../src/upstream/interview.js';

const said = (value: unknown): Answer => ({ kind: 'value', value });
const setting = (name: string, value: string): Answer =>
  said([Buffer.from(name), Buffer.from(value)]);

/** An error reply. */
export function refused(text: string): Answer {
  return { kind: 'error', text };
}

const INFO = [
  'redis_version:7.0.15',
  'run_id:f00d',
  'role:master',
  'cluster_enabled:0',
  'maxmemory:0',
  'maxmemory_policy:noeviction',
  'aof_enabled:1',
];

const ANSWERS: UpstreamAnswers = {
  name: said(Buffer.from('OK')),
  info: said(Buffer.from(INFO.join('\r\n'))),
  infoAgain: said(Buffer.from('redis_version:7.0.15\r\nrun_id:f00d\r\n')),
  introduction: said(Buffer.from('id=1 addr=127.0.0.1:1')),
  fence: said(0),
  database: said(Buffer.from('OK')),
  multi: said(Buffer.from('OK')),
  exec: said([]),
  watchCursor: said(Buffer.from('OK')),
  readCursor: said(null),
  moveCursor: refused('ERR syntax error'),
  removeCursor: said(0),
  probe: said(0),
  evalsha: refused('NOSCRIPT No matching script. Please use EVAL.'),
  eval: refused('ERR value is not an integer or out of range'),
  save: setting('save', ''),
  appendfsync: setting('appendfsync', 'always'),
};

/** The facts of a faultless upstream, but for these. `info`: lines `name:value` in place of others. */
export function upstreamFacts(
  answers: Partial<UpstreamAnswers> = {},
  info: readonly string[] = [],
  clockSkewMs = 0,
): UpstreamFacts {
  const lines = [...INFO, ...info].map((line) => line.split(/:(.*)/s));
  return {
    answers: { ...ANSWERS, ...answers },
    info: new Map(lines.map(([name, value]) => [name!, value!])),
    clockSkewMs,
  };
}

/** A machine on which nothing is missing. */
export const GENEROUS: Surroundings = {
  listen: [{ address: '127.0.0.1:6380', isLocal: true, isUnix: false, problem: null }],
  admin: null,
  journal: null,
  maxDescriptors: 1_000_000,
};
