/**
 * Reads the rules file: a YAML list of `{command, prefix, class}`, command or prefix or both. Finds everything that is
 * wrong with it, by line; what the rules mean is the business of `command/rules.ts`.
 */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml';
import { allowedClasses, type OutageRule, type RuleClass } from '../command/rules.js';
import { COMMAND_NAMES, OTHER_COMMAND } from '../command/table.js';
import { suggestion } from './nearest.js';

export interface RulesFile {
  /** Those that are right; to be used only when there are no problems. */
  readonly rules: readonly OutageRule[];
  /** For people, each with its line, in the order of the file. */
  readonly problems: readonly string[];
}

const MAX_CHARACTERS = 1_000_000;
const MAX_RULES = 1000;
const MAX_PREFIX_CHARACTERS = 1000;
const MAX_SHOWN_CHARACTERS = 50;
const EXAMPLE = "a list of rules, as in - {prefix: 'lock:', class: refuse}";

/** The rules in `text`, which came from `file`; throws nothing that a user's mistake could cause. */
export function parseRules(text: string, file: string): RulesFile {
  const reader = new RulesReader(file);
  reader.read(text);
  return { rules: reader.rules, problems: reader.problems };
}

const FIELDS = ['command', 'prefix', 'class'] as const;
type Field = (typeof FIELDS)[number];
type Entry = Readonly<Partial<Record<Field, Node>>>;

class RulesReader {
  readonly rules: OutageRule[] = [];
  readonly problems: string[] = [];
  private readonly lines = new LineCounter();
  private readonly firstLineOf = new Map<string, number>();

  constructor(private readonly file: string) {}

  read(text: string): void {
    if (text.length > MAX_CHARACTERS) {
      this.problems.push(
        `rules: ${this.file}: longer than ${MAX_CHARACTERS} characters; allowed: a shorter file`,
      );
      return;
    }
    const document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false });
    for (const { message, pos } of document.errors) this.complain(pos[0], message);
    const list = document.contents;
    if (this.problems.length > 0 || list === null || isNull(list)) return;
    if (!isSeq(list)) this.complain(offsetOf(list), `not a list; allowed: ${EXAMPLE}`);
    else if (list.items.length > MAX_RULES)
      this.complain(offsetOf(list), `${list.items.length} rules; allowed: at most ${MAX_RULES}`);
    else for (const item of list.items) this.readRule(item, offsetOf(list));
  }

  private readRule(item: Node | null, listOffset: number): void {
    if (!isMap(item)) {
      this.complain(item === null ? listOffset : offsetOf(item), `not a rule; allowed: ${EXAMPLE}`);
      return;
    }
    const before = this.problems.length;
    const entry = this.fieldsOf(item);
    const offset = offsetOf(item);
    const isForNothing = entry.command === undefined && entry.prefix === undefined;
    if (isForNothing && this.problems.length === before)
      this.complain(offset, 'a rule for nothing; allowed: with command, prefix or both');
    const command = entry.command === undefined ? null : this.commandOf(entry.command);
    const prefix = entry.prefix === undefined ? null : this.prefixOf(entry.prefix);
    if (entry.class === undefined)
      this.complain(offset, 'class is missing; allowed: buffer, refuse or drop');
    else if (this.problems.length === before) this.addRule(command, prefix, entry.class);
  }

  private fieldsOf(item: YAMLMap): Entry {
    const entry: Partial<Record<Field, Node>> = {};
    for (const { key, value } of item.items as { key: Node; value: Node | null }[]) {
      const name = String(key);
      const field = FIELDS.find((one) => one === name);
      if (field !== undefined && value !== null && !isNull(value)) entry[field] = value;
      else if (field !== undefined) this.complain(offsetOf(key), `${field} is empty`);
      else {
        const why = `there is no field ${shown(name)}${suggestion(name, FIELDS)}`;
        this.complain(offsetOf(key), `${why}; allowed: ${FIELDS.join(', ')}`);
      }
    }
    return entry;
  }

  private commandOf(node: Node): string | null {
    const value = valueOf(node);
    const name = typeof value === 'string' ? value.toLowerCase() : '';
    if (COMMAND_NAMES.indexOf(name) > OTHER_COMMAND && allowedClasses(name).length > 0) return name;
    this.complain(offsetOf(node), whyNotCommand(name));
    return null;
  }

  private prefixOf(node: Node): string | null {
    const value = valueOf(node);
    if (typeof value === 'string' && value !== '' && value.length <= MAX_PREFIX_CHARACTERS)
      return value;
    this.complain(
      offsetOf(node),
      `prefix is not allowed; allowed: text of 1 to ${MAX_PREFIX_CHARACTERS} characters (numbers in quotes)`,
    );
    return null;
  }

  private addRule(command: string | null, prefix: string | null, node: Node): void {
    const allowed = allowedClasses(command);
    const word = String(valueOf(node));
    const asked = allowed.find((one): one is RuleClass => one === word);
    if (asked === undefined) {
      const of = command === null ? '' : ` for ${command}`;
      const why = `class ${shown(word)} is not allowed${of}${suggestion(word, allowed)}`;
      this.complain(offsetOf(node), `${why}; allowed: ${allowed.join(', ')}`);
      return;
    }
    const line = this.lineOf(offsetOf(node));
    const target = JSON.stringify([command, prefix]);
    const earlier = this.firstLineOf.get(target);
    if (earlier !== undefined)
      this.complain(offsetOf(node), `the same command and prefix as in line ${earlier}`);
    else this.firstLineOf.set(target, line);
    this.rules.push({ command, prefix, class: asked });
  }

  private complain(offset: number, what: string): void {
    this.problems.push(`rules: ${this.file}: line ${this.lineOf(offset)}: ${what}`);
  }

  private lineOf(offset: number): number {
    return this.lines.linePos(offset).line;
  }
}

function whyNotCommand(name: string): string {
  if (name === '') return 'command is not allowed; allowed: the name of one command';
  if (COMMAND_NAMES.indexOf(name) > OTHER_COMMAND)
    return `command ${name} cannot have a rule; allowed: commands that work on data, and PUBLISH`;
  const hint = suggestion(name, COMMAND_NAMES.slice(OTHER_COMMAND + 1));
  return `command ${shown(name)} is not known${hint}; allowed: a command without its subcommand`;
}

function shown(word: string): string {
  return JSON.stringify(word.slice(0, MAX_SHOWN_CHARACTERS));
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Null for what is no scalar, such as a list or an alias. */
function valueOf(node: Node): unknown {
  return isScalar(node) ? node.value : null;
}

function isNull(node: Node): boolean {
  return isScalar(node) && node.value === null;
}
