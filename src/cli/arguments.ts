/**
 * The command line: which command, which flags. Flags are made from the option table and stay texts; reading them is
 * the configuration's business. Only importer of commander.
 */
import { Command, CommanderError, Option } from 'commander';
import { GROUPS } from '../config/option.js';
import { VERSION } from '../base/version.js';
import {
  isOptionName,
  isSwitch,
  mayBeGivenIn,
  OPTION_NAMES,
  optionOf,
  type OptionName,
} from '../config/options.js';
import { suggestion } from '../config/nearest.js';
import type { ConfigInputs } from '../config/sources.js';
import type { Output } from './host.js';
import { addJournalCommand, type JournalRequest } from './journal-arguments.js';

/** What the command line asks for. */
export interface Invocation {
  readonly command: 'serve' | 'check' | 'status' | 'journal';
  readonly flags: ConfigInputs['flags'];
  readonly watch: boolean;
  /** What `check` finds is to be read by a program. */
  readonly json: boolean;
  /** What `journal` is asked for; null for the other commands. */
  readonly journal: JournalRequest | null;
  /** What on the command line is no flag and no command; to be reported with the configuration's problems. */
  readonly problems: readonly string[];
}

/** Reads the arguments. When all is said already (`--help`, a flag without its value) the exit code comes back. */
export function parseArguments(
  argv: readonly string[],
  output: { readonly stdout: Output; readonly stderr: Output },
): Invocation | { readonly exitCode: number } {
  let invocation: Invocation | null = null;
  const program = createProgram((chosen) => (invocation = chosen));
  for (const command of withSubcommands(program)) {
    command.configureOutput({
      writeOut: (text) => output.stdout.write(text),
      writeErr: (text) => output.stderr.write(text.replace(/^error: /, 'respool: ')),
    });
  }
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { exitCode: error.exitCode === 0 ? 0 : 2 };
  }
  return invocation ?? { exitCode: 2 };
}

function createProgram(choose: (invocation: Invocation) => void): Command {
  const program = new Command('respool')
    .description('A Redis sidecar: point a Redis client at it instead of at Redis.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      '\nEach option is also an environment variable (--max-clients: RESPOOL_MAX_CLIENTS) and a line of the\n' +
        '--config file (max-clients: 500). Flags beat the environment, which beats the file.',
    );
  for (const option of createFlags()) program.addOption(option);

  const chosen =
    (name: Invocation['command']) => (own: { watch?: true; json?: true }, command: Command) =>
      choose({
        command: name,
        flags: flagsOf(program),
        watch: own.watch === true,
        json: own.json === true,
        journal: null,
        problems: leftovers(command.args, command),
      });
  program.action(chosen('serve'));
  program.command('serve').description('run the sidecar (the default)').action(chosen('serve'));
  program
    .command('check')
    .description('validate the configuration, print it, and say what will not work with it')
    .option('--json', 'for programs')
    .action(chosen('check'));
  program
    .command('status')
    .description('show what the sidecar at --admin is doing')
    .option('--watch', 'refresh each second')
    .action(chosen('status'));
  for (const command of program.commands)
    command.addHelpText('after', '\nIt takes the options of the sidecar: see respool --help.');
  addJournalCommand(program, (journal, directory, problems, command) => {
    const excess = leftovers(command.args.slice(journal.ids.length), command);
    choose({
      command: 'journal',
      flags: {
        ...flagsOf(program),
        ...(directory === undefined ? {} : { 'journal-dir': [directory] }),
      },
      watch: false,
      json: false,
      journal,
      problems: [...excess, ...problems],
    });
  });
  for (const command of withSubcommands(program)) {
    // What is unknown is not an error yet: it is reported together with everything else that is wrong.
    command.exitOverride().allowUnknownOption().allowExcessArguments();
    command.helpOption('-h, --help', 'print this help');
  }
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

const FLAG_NAMES = OPTION_NAMES.filter((name) => mayBeGivenIn(name, 'flag'));

function createFlags(): Option[] {
  return GROUPS.flatMap((group) =>
    FLAG_NAMES.filter((name) => optionOf(name).group === group).flatMap(flagsFor),
  );
}

/** The flags of one option: `--name <value>`, or `--name` and `--no-name`, of which help shows the useful one. */
function flagsFor(name: OptionName): Option[] {
  const { kind, group, help, later, default: fallback, defaultHelp } = optionOf(name);
  const notes = [
    ...(fallback === null && defaultHelp === undefined
      ? []
      : [`default: ${fallback ?? defaultHelp}`]),
    ...(later ? ['no effect yet'] : []),
  ];
  const heading = `${group}:`;
  if (isSwitch(name)) {
    const positive = new Option(`--${name}`, help).helpGroup(heading).hideHelp(fallback === 'yes');
    const negative = new Option(`--no-${name}`, `do not ${help}`);
    return [positive, negative.helpGroup(heading).hideHelp(fallback !== 'yes')];
  }
  return [
    new Option(
      `--${name} <${kind.placeholder}>`,
      notes.length === 0 ? help : `${help} (${notes.join('; ')})`,
    )
      .helpGroup(heading)
      .argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]),
  ];
}

function flagsOf(program: Command): ConfigInputs['flags'] {
  const values: Record<string, string[] | boolean | undefined> = program.opts();
  const flags: Partial<Record<OptionName, readonly string[]>> = {};
  for (const option of program.options) {
    const name = option.name().replace(/^no-/, '');
    const value = values[option.attributeName()];
    if (value === undefined || !isOptionName(name)) continue;
    flags[name] = typeof value === 'boolean' ? [value ? 'yes' : 'no'] : value;
  }
  return flags;
}

/** Complaints about arguments that nobody took: unknown flags, else words that are no command. */
function leftovers(args: readonly string[], command: Command): string[] {
  const unknown = args.filter((arg) => arg.startsWith('-'));
  if (unknown.length === 0) {
    const words = [...command.commands.map((each) => each.name()), '--help', '--version'];
    return args.map((arg) => {
      const others = words.filter((word) => word !== arg);
      return `${JSON.stringify(arg)} is not expected here${suggestion(arg, others)}`;
    });
  }
  const known = [
    ...FLAG_NAMES.map((name) => `--${name}`),
    '--watch',
    '--json',
    '--help',
    '--version',
  ];
  return unknown.map((arg) => {
    const flag = arg.split('=', 1)[0]!;
    return `${flag}: there is no such flag${suggestion(flag, known)}`;
  });
}
