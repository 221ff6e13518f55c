/**
 * `respool check`: shows what was resolved and from where, asks the upstream what it allows, looks at the machine, and
 * says what will not work. It starts nothing and changes nothing, so it can run beside a sidecar.
 */
import { optionOf } from '../config/options.js';
import type { Resolution, Setting } from '../config/resolve.js';
import { describeUpstream } from '../config/upstream-url.js';
import { serverOf } from '../upstream/dial.js';
import { judgeFailure } from './check-failure.js';
import { judgeSurroundings } from './check-here.js';
import { judgeUpstream } from './check-upstream.js';
import { alignColumns } from './columns.js';
import { finding, type Finding, type Severity } from './finding.js';
import type { CliHost } from './host.js';

type Resolved = Resolution & { ok: true };

interface Report {
  readonly settings: readonly Setting[];
  /** What answers; null when nothing does. */
  readonly server: string | null;
  /** The worst ones first. */
  readonly findings: readonly Finding[];
}

/** How a report is printed. */
export type CheckFormat = 'text' | 'json';

/** Exits 0 unless there is an error among the findings. Nothing secret is printed. */
export async function check(
  host: CliHost,
  resolved: Resolved,
  format: CheckFormat,
): Promise<number> {
  const report = await reportOf(host, resolved);
  host.stdout.write(format === 'json' ? asJson(report) : asText(report, resolved));
  return report.findings.some(({ severity }) => severity === 'error') ? 1 : 0;
}

async function reportOf(host: CliHost, { config, settings, warnings }: Resolved): Promise<Report> {
  const upstream = await askUpstream(host, config);
  const here = await host.lookAround(config);
  const findings = [
    ...warnings.map((warning) => finding('warning', 'configuration', warning)),
    ...upstream.findings,
    ...judgeSurroundings(here, config),
  ];
  const shown = settings.filter(
    ({ name, source }) => !optionOf(name).later || source !== 'default',
  );
  return {
    settings: shown,
    server: upstream.server,
    findings: findings.sort((a, b) => rankOf(a) - rankOf(b)),
  };
}

async function askUpstream(
  host: CliHost,
  config: Resolved['config'],
): Promise<{ server: string | null; findings: Finding[] }> {
  try {
    const facts = await host.dialUpstream(config);
    // What the embedded engine cannot do it says itself; the rest is as this program sets it up.
    const findings = config.upstream.kind === 'embedded' ? [] : judgeUpstream(facts, config);
    return { server: serverOf(facts.info), findings };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return { server: null, findings: [judgeFailure(cause)] };
  }
}

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

function rankOf({ severity }: Finding): number {
  return SEVERITIES.indexOf(severity);
}

function asJson({ settings, server, findings }: Report): string {
  const options = settings.map(({ name, shown, source, where }) => ({
    ...{ option: name, value: shown, source, where },
  }));
  return `${JSON.stringify({ options, upstream: server, findings }, null, 2)}\n`;
}

function asText({ settings, server, findings }: Report, { config }: Resolved): string {
  const upstream = `upstream ${describeUpstream(config.upstream)}`;
  return [
    alignColumns(settings.map(rowOf)),
    server === null ? `${upstream} does not answer\n` : `${upstream} answers: ${server}\n`,
    ...findings.map(lineOf),
    `${summaryOf(findings)}\n`,
  ].join('');
}

function lineOf({ severity, found, advice }: Finding): string {
  return `${severity}: ${found}\n${advice === null ? '' : `  → ${advice}\n`}`;
}

function summaryOf(findings: readonly Finding[]): string {
  const counts = SEVERITIES.map((severity) => {
    const count = findings.filter((each) => each.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`];
  }).flat();
  return counts.length === 0 ? 'nothing is in the way' : counts.join(', ');
}

function rowOf({ name, shown, where }: Setting): string[] {
  const option = optionOf(name);
  const value = shown ?? (option.defaultHelp === undefined ? '–' : `(${option.defaultHelp})`);
  return [name, value, option.later ? `${where} (no effect yet)` : where];
}
