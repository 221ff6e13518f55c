/**
 * `respool check`: shows what was resolved and from where, and whether the upstream can be reached with it. It starts
 * nothing and listens nowhere, so it can run beside a sidecar.
 */
import { optionOf } from '../config/options.js';
import type { Resolution, Setting } from '../config/resolve.js';
import { describeUpstream } from '../config/upstream-url.js';
import type { CliHost } from './host.js';
import { alignColumns } from './columns.js';

/** Exits 0 when the upstream answered, 1 when not. Nothing secret is printed. */
export async function check(
  host: CliHost,
  { config, settings, warnings }: Resolution & { ok: true },
): Promise<number> {
  const shown = settings.filter(
    ({ name, source }) => !optionOf(name).later || source !== 'default',
  );
  host.stdout.write(alignColumns(shown.map(rowOf)));
  for (const warning of warnings) host.stdout.write(`warning: ${warning}\n`);
  const upstream = describeUpstream(config.upstream);
  try {
    host.stdout.write(`upstream ${upstream} answers: ${await host.dialUpstream(config)}\n`);
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    host.stderr.write(`upstream ${upstream} does not answer: ${reason}\n`);
    return 1;
  }
}

function rowOf({ name, shown, where }: Setting): string[] {
  const option = optionOf(name);
  const value = shown ?? (option.defaultHelp === undefined ? '–' : `(${option.defaultHelp})`);
  return [name, value, option.later ? `${where} (no effect yet)` : where];
}
