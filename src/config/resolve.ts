/**
 * From flags, environment and file to a checked `Config`, or to the list of everything that is wrong with them: gather
 * the texts, read each with its kind, read the files they name, check them together. Pure: all inputs are passed in.
 */
import { findProblems, findWarnings } from './checks.js';
import { buildConfig, IN_MEMORY, isSpoken, type Config } from './config.js';
import type { TcpAddress } from './addresses.js';
import { readMaterial } from './material.js';
import { OPTION_NAMES, optionOf, OPTIONS, type OptionName, type Values } from './options.js';
import type { Source } from './option.js';
import { showValue } from './show.js';
import { gather, type ConfigInputs, type Given } from './sources.js';
import type { Upstream } from './upstream-url.js';

/** One option as it was resolved, for people. */
export interface Setting {
  readonly name: OptionName;
  /** The text of the value, secrets masked; null when there is none. */
  readonly shown: string | null;
  readonly source: Source;
  /** Where exactly it was given: `--hold`, `RESPOOL_HOLD`, `hold in respool.yaml`, `default`. */
  readonly where: string;
}

/** A configuration to run with, or everything that is wrong with it. */
export type Resolution =
  | {
      readonly ok: true;
      readonly config: Config;
      /** Every option, in the table's order. */
      readonly settings: readonly Setting[];
      /** Sentences for the log; nothing in them is secret. */
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Resolves the whole configuration. Never throws for what a user wrote: `problems` names each mistake. */
export function resolveConfig(inputs: ConfigInputs): Resolution {
  const gathered = gather(inputs);
  const problems = [...gathered.problems];
  const values = readValues(gathered.given, problems);
  const read = readMaterial(values, gathered.given, inputs, problems);
  const subject = { values, read, isGiven: (name: OptionName) => gathered.given.has(name) };
  problems.push(...findProblems(subject));
  if (problems.length > 0 || !isSpoken(values.upstream)) return { ok: false, problems };
  return {
    ok: true,
    config: buildConfig(values, values.upstream satisfies Upstream, read),
    settings: OPTION_NAMES.map((name) => settingOf(name, gathered.given.get(name))),
    warnings: [...gathered.warnings, ...findWarnings(subject), ...laterWarning(subject.isGiven)],
  };
}

/** Only the admin address, for commands that talk to a running sidecar: other mistakes are none of their business. */
export function resolveAdmin(
  inputs: ConfigInputs,
):
  | { readonly ok: true; readonly admin: TcpAddress | null }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const gathered = gather(inputs);
  const problems: string[] = [];
  const admin = readValue('admin', gathered.given.get('admin'), problems) as Values['admin'];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, admin };
}

/** Only where the sidecar's journal is, for commands that look into it: other mistakes are none of their business. */
export function resolveJournalDirectory(
  inputs: ConfigInputs,
):
  | { readonly ok: true; readonly directory: string }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const given = gather(inputs).given.get('journal-dir');
  const problems: string[] = [];
  const directory = readValue('journal-dir', given, problems) as Values['journal-dir'];
  if (directory === IN_MEMORY)
    problems.push(
      `${given!.where} is ${IN_MEMORY}: that journal is in no directory; name another one's with --dir`,
    );
  return problems.length > 0 ? { ok: false, problems } : { ok: true, directory };
}

/** The typed values. What cannot be read becomes a problem, and its default stands in so that checking goes on. */
function readValues(given: ReadonlyMap<OptionName, Given>, problems: string[]): Values {
  const entries = OPTION_NAMES.map(
    (name) => [name, readValue(name, given.get(name), problems)] as const,
  );
  // The table gives each name its kind, and `Values` is derived from the same table.
  return Object.fromEntries(entries) as unknown as Values;
}

function readValue(name: OptionName, given: Given | undefined, problems: string[]): unknown {
  const option = optionOf(name);
  const values: unknown[] = [];
  for (const text of given?.texts ?? []) {
    const parsed = option.kind.parse(text);
    if (parsed.ok) values.push(parsed.value);
    else problems.push(problemOf(name, text, given!.where, parsed.why));
  }
  if (values.length === 0) values.push(defaultOf(name));
  // A flag that is repeated although it takes one value: the last one counts.
  return option.repeatable ? values : values.at(-1);
}

function defaultOf(name: OptionName): unknown {
  const option = optionOf(name);
  if (option.default === null) return null;
  const parsed = option.kind.parse(option.default);
  if (!parsed.ok) throw new Error(`the default of ${name} is not allowed by its own kind`);
  return parsed.value;
}

function problemOf(name: OptionName, text: string, where: string, why: string | undefined): string {
  const reason = why === undefined ? '' : ` (${why})`;
  const shown = JSON.stringify(showValue(name, text));
  return `${name}: ${shown} from ${where} is not allowed${reason}; allowed: ${optionOf(name).kind.allowed}`;
}

function settingOf(name: OptionName, given: Given | undefined): Setting {
  if (given === undefined) {
    return { name, shown: OPTIONS[name].default, source: 'default', where: 'default' };
  }
  const texts = optionOf(name).repeatable ? given.texts : given.texts.slice(-1);
  const shown = texts.map((text) => showValue(name, text)).join(', ');
  return { name, shown, source: given.source, where: given.where };
}

/** One sentence for all options that were given although this version does not act on them yet. */
function laterWarning(isGiven: (name: OptionName) => boolean): string[] {
  const later = OPTION_NAMES.filter((name) => optionOf(name).later && isGiven(name));
  return later.length === 0
    ? []
    : [`this version does not act on these options yet: ${later.join(', ')}`];
}
