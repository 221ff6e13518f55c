/**
 * The operator's word on what becomes of commands in an outage: rules per command, per key prefix, or both. Pure; the
 * file is read by `config/rules-file.ts`, and docs say the same in more words.
 *
 *   - { command: incr, class: buffer }                    page counters may be counted later
 *   - { prefix: 'lock:', class: refuse }                  whatever it is, and reading too
 *   - { prefix: 'cache:', class: drop }                   writes stay in the outage store and go with it
 *   - { command: set, prefix: 'cache:keep:', class: buffer }
 *
 * For each key the rule with the longest matching prefix holds (no prefix is the shortest); of two with the same prefix,
 * the one that names the command. A command with several keys gets the strictest class of them: refuse, wait, buffer,
 * drop. A rule never makes the outage store answer what it cannot know: `buffer` and `drop` change only writes that are
 * buffered anyway and those of `MAY_BE_BUFFERED`; a lock (SET NX), a pop, a transaction stay what they are.
 */
import { keysOf, MAY_NAME_KEYS } from './keys.js';
import { COMMANDS, type OutageClass } from './table.js';

/** What a rule can ask for. */
export const RULE_CLASSES = ['buffer', 'refuse', 'drop'] as const;
export type RuleClass = (typeof RULE_CLASSES)[number];

export interface OutageRule {
  /** Lower case, of the table; null: whatever the command is. */
  readonly command: string | null;
  /** Null: whatever the keys are, and for commands without keys. */
  readonly prefix: string | null;
  readonly class: RuleClass;
}

/**
 * Writes that are refused because their reply, or what they make of it, depends on data that is away, but that do upstream
 * in the end exactly what was asked for. Who does not look at the reply may have them buffered.
 */
const MAY_BE_BUFFERED: ReadonlySet<string> = new Set([
  ...['incr', 'incrby', 'incrbyfloat', 'decr', 'decrby', 'hincrby', 'hincrbyfloat', 'zincrby'],
  ...['zadd', 'geoadd', 'bitfield', 'lpushx', 'rpushx', 'getex', 'hgetex', 'pfmerge', 'bitop'],
  ...['expire', 'expireat', 'pexpire', 'pexpireat'],
  ...['hexpire', 'hexpireat', 'hpexpire', 'hpexpireat'],
  ...['sdiffstore', 'sinterstore', 'sunionstore', 'geosearchstore'],
  ...['zdiffstore', 'zinterstore', 'zrangestore', 'zunionstore'],
]);

const BUFFERABLE = COMMANDS.map(({ name }) => MAY_BE_BUFFERED.has(name));

/** The classes that a rule for this command may ask for; none where a rule could change nothing. Null: any command. */
export function allowedClasses(command: string | null): readonly RuleClass[] {
  if (command === null) return RULE_CLASSES;
  const { effect, outage } = COMMANDS.find(({ name }) => name === command)!;
  if (MAY_BE_BUFFERED.has(command) || outage === 'buffer') return RULE_CLASSES;
  if (WRITES_BY_ARGUMENT.has(command)) return RULE_CLASSES;
  const isOfConnection = effect !== 'none' && outage !== 'wait' && !READS_BY_ARGUMENT.has(command);
  return isOfConnection ? [] : ['refuse'];
}

/** Buffered in some of their forms; the others are never loosened. */
const WRITES_BY_ARGUMENT: ReadonlySet<string> = new Set(['set', 'msetex', 'hsetex', 'xadd']);
const READS_BY_ARGUMENT: ReadonlySet<string> = new Set(['xread', 'xreadgroup']);

interface Compiled {
  readonly prefix: Buffer | null;
  readonly class: RuleClass;
}

/** Strictest first. */
const STRICTNESS: readonly OutageClass[] = ['refuse', 'wait', 'buffer', 'drop', 'read', 'local'];

export class OutageRules {
  /** By id, the rules that may concern the command, the stronger ones first. */
  private readonly byId: readonly (readonly Compiled[])[];

  /** `rules` have passed validation; at most one for each pair of command and prefix. */
  constructor(readonly rules: readonly OutageRule[]) {
    this.isEmpty = rules.length === 0;
    const sorted = [...rules].sort(strongerFirst).map((rule) => ({
      command: rule.command,
      prefix: rule.prefix === null ? null : Buffer.from(rule.prefix),
      class: rule.class,
    }));
    this.byId = COMMANDS.map(({ name }, id) =>
      sorted.filter(
        ({ command, prefix }) =>
          (command ?? name) === name &&
          (prefix === null || MAY_NAME_KEYS[id] === 1) &&
          allowedClasses(name).length > 0,
      ),
    );
  }

  /** There is no rule: nobody need be asked. */
  readonly isEmpty: boolean;

  /** Whether `classOf` may say something else than the table for this command. */
  touches(id: number): boolean {
    return this.byId[id]!.length > 0;
  }

  /** The class of the command `id` called with `args`, where the table says `byTable`. */
  classOf(id: number, args: readonly Buffer[], byTable: OutageClass): OutageClass {
    const rules = this.byId[id]!;
    if (rules.length === 0) return byTable;
    const keys = MAY_NAME_KEYS[id] === 1 ? keysOf(id, args) : null;
    if (keys === null || keys.length === 0) return classUnder(ruleFor(rules, null), id, byTable);
    let strictest: OutageClass = 'local';
    for (const key of keys) {
      const one = classUnder(ruleFor(rules, key), id, byTable);
      if (STRICTNESS.indexOf(one) < STRICTNESS.indexOf(strictest)) strictest = one;
    }
    return strictest;
  }
}

function strongerFirst(a: OutageRule, b: OutageRule): number {
  const byPrefix = (b.prefix?.length ?? 0) - (a.prefix?.length ?? 0);
  return byPrefix === 0 ? Number(a.command === null) - Number(b.command === null) : byPrefix;
}

function ruleFor(rules: readonly Compiled[], key: Buffer | null): RuleClass | null {
  for (const rule of rules) {
    if (rule.prefix === null || (key !== null && startsWith(key, rule.prefix))) return rule.class;
  }
  return null;
}

function startsWith(key: Buffer, prefix: Buffer): boolean {
  if (key.length < prefix.length) return false;
  // Most keys differ in the first bytes: a native call would cost more.
  for (let at = 0; at < prefix.length; at += 1) if (key[at] !== prefix[at]) return false;
  return true;
}

function classUnder(asked: RuleClass | null, id: number, byTable: OutageClass): OutageClass {
  if (asked === null || asked === 'refuse') return asked ?? byTable;
  const isTaken = byTable === 'buffer' || (byTable === 'refuse' && BUFFERABLE[id]!);
  return isTaken ? asked : byTable;
}
