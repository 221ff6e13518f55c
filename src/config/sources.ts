/**
 * Gathers the text of every option from flags, environment and file, the strongest one winning, and remembers where
 * each came from. Does not look at the texts: `resolve.ts` does. Only importer of `yaml`.
 */
import { parseDocument } from 'yaml';
import { suggestion } from './nearest.js';
import {
  isOptionName,
  isSwitch,
  mayBeGivenIn,
  OPTION_NAMES,
  optionOf,
  variableOf,
  type OptionName,
} from './options.js';
import type { Source } from './option.js';

/** Everything the configuration is made from, passed in so that resolving it is a pure function. */
export interface ConfigInputs {
  /** Texts of the flags by option name, in the order given. A `--no-x` flag is `x: ['no']`. */
  readonly flags: Readonly<Partial<Record<OptionName, readonly string[]>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Returns the whole text of a file, or throws an Error whose message says why it cannot. */
  readonly readFile: (path: string) => string;
  /** Returns the names in a directory, or throws an Error whose message says why it cannot. */
  readonly readDirectory: (path: string) => readonly string[];
  /** Whether the log goes to a terminal. */
  readonly isTTY: boolean;
}

/** The text or texts given for one option. */
export interface Given {
  readonly texts: readonly string[];
  readonly source: Source;
  /** Where exactly, for people: `--hold`, `RESPOOL_HOLD`, `hold in respool.yaml`. */
  readonly where: string;
}

/** What was given, by option. Options that nobody gave are absent: their default holds. */
export interface Gathered {
  readonly given: ReadonlyMap<OptionName, Given>;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

type Texts = ReadonlyMap<OptionName, Given>;

/** Collects what was given, strongest source first; throws nothing that a user's mistake could cause. */
export function gather(inputs: ConfigInputs): Gathered {
  const problems: string[] = [];
  const fromFlags = readFlags(inputs.flags);
  const { texts: fromEnv, warnings } = readEnvironment(inputs.env);
  const file = fromFlags.get('config') ?? fromEnv.get('config');
  const fromFile = file === undefined ? [] : readConfigFile(file.texts.at(-1)!, inputs, problems);
  return { given: new Map([...fromFile, ...fromEnv, ...fromFlags]), problems, warnings };
}

function readFlags(flags: ConfigInputs['flags']): Texts {
  const given = new Map<OptionName, Given>();
  for (const name of OPTION_NAMES) {
    const texts = flags[name];
    if (texts !== undefined) given.set(name, { texts, source: 'flag', where: flagOf(name, texts) });
  }
  return given;
}

/** The flag as it was written: a switch that is off was `--no-name`. */
function flagOf(name: OptionName, texts: readonly string[]): string {
  return isSwitch(name) && texts.at(-1) === 'no' ? `--no-${name}` : `--${name}`;
}

/** Kubernetes puts these into every container of a namespace with a service called `respool`. */
const KUBERNETES_SERVICE = /^RESPOOL_(SERVICE_|PORT$|PORT_)/;

function readEnvironment(env: ConfigInputs['env']): { texts: Texts; warnings: string[] } {
  const given = new Map<OptionName, Given>();
  const warnings: string[] = [];
  const variables = new Map(
    OPTION_NAMES.filter((name) => mayBeGivenIn(name, 'environment')).map((name) => [
      variableOf(name),
      name,
    ]),
  );
  for (const [variable, text] of Object.entries(env)) {
    // An empty variable is what `${X:-}` in a compose file leaves behind: it means "not set".
    if (!variable.startsWith('RESPOOL_') || text === undefined || text === '') continue;
    const name = variables.get(variable);
    if (name !== undefined) {
      const texts = optionOf(name).repeatable ? text.split(',').map((part) => part.trim()) : [text];
      given.set(name, { texts, source: 'environment', where: variable });
    } else if (!KUBERNETES_SERVICE.test(variable)) {
      warnings.push(
        `${variable} is ignored: there is no such option${suggestion(variable, [...variables.keys()])}`,
      );
    }
  }
  return { texts: given, warnings };
}

/** Longest configuration file that is read. */
const MAX_FILE_CHARACTERS = 1_000_000;

function readConfigFile(
  path: string,
  inputs: ConfigInputs,
  problems: string[],
): [OptionName, Given][] {
  let entries: [string, unknown][];
  try {
    entries = parseYaml(inputs.readFile(path));
  } catch (error) {
    problems.push(`config: ${path}: ${(error as Error).message}`);
    return [];
  }
  const given: [OptionName, Given][] = [];
  const names = OPTION_NAMES.filter((name) => mayBeGivenIn(name, 'file'));
  for (const [key, value] of entries) {
    if (value === null) continue;
    if (!isOptionName(key)) {
      problems.push(
        `config: ${path}: there is no option ${JSON.stringify(key)}${suggestion(key, names)}`,
      );
    } else if (!mayBeGivenIn(key, 'file')) {
      problems.push(`config: ${path}: ${key} is not accepted in a file; ${insteadOfFile(key)}`);
    } else {
      const texts = textsOf(value, optionOf(key).repeatable === true);
      if (texts === null)
        problems.push(`config: ${path}: ${key} holds a structure; allowed: ${shapeOf(key)}`);
      else given.push([key, { texts, source: 'file', where: `${key} in ${path}` }]);
    }
  }
  return given;
}

function insteadOfFile(name: OptionName): string {
  return optionOf(name).secret
    ? `use ${name}-file or ${variableOf(name)}`
    : `use --${name} or ${variableOf(name)}`;
}

function shapeOf(name: OptionName): string {
  return optionOf(name).repeatable ? 'one value or a list of values' : 'one value';
}

/** The entries of a YAML mapping. Throws an Error with line and reason when the text is not one. */
function parseYaml(text: string): [string, unknown][] {
  if (text.length > MAX_FILE_CHARACTERS)
    throw new Error(`longer than ${MAX_FILE_CHARACTERS} characters`);
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw new Error(error.message.split('\n', 1)[0]!.replace(/:$/, ''));
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  if (content === null || content === undefined) return [];
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new Error('not a mapping of options to values, as in "listen: 127.0.0.1:6380"');
  }
  return Object.entries(content);
}

function textsOf(value: unknown, repeatable: boolean): string[] | null {
  const values: unknown[] = repeatable && Array.isArray(value) ? value : [value];
  const texts = values.map((item) =>
    typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean'
      ? String(item)
      : null,
  );
  return texts.length > 0 && texts.every((item) => item !== null) ? texts : null;
}
