/**
 * From the grammar of COMMAND DOCS to argument lists that the command should accept: the required
 * ones alone, each option alone, each alternative, repeated arguments once, twice and three times,
 * and everything together. Values keep their type, so that `mutations.ts` knows how to spoil them.
 */
import type { Argument, CommandEntry } from './command-table.js';
import { valueOf, type Dumps } from './vocabulary.js';

/** One argument with the type that the grammar gives it; `token` is a keyword such as `EX`. */
export interface Value {
  readonly type: 'key' | 'integer' | 'double' | 'string' | 'token';
  readonly name: string;
  readonly bytes: string | Buffer;
}

export type Sentence = readonly Value[];

const MAX_BLOCK_VARIANTS = 8;

/** The canonical sentence (required arguments only) first, then its variants. */
export function sentencesOf(entry: CommandEntry, dumps: Dumps): Sentence[] {
  const builder = new SentenceBuilder(entry, dumps);
  return builder.sequences(entry.args).map((values) => builder.finish(values));
}

class SentenceBuilder {
  readonly #entry: CommandEntry;
  readonly #dumps: Dumps;

  constructor(entry: CommandEntry, dumps: Dumps) {
    this.#entry = entry;
    this.#dumps = dumps;
  }

  /** All variants of a list of arguments. */
  sequences(args: readonly Argument[]): Value[][] {
    const alternatives = args.map((arg) => this.#alternatives(arg));
    const isOptional = args.map((arg) => arg.flags.has('optional'));
    const build = (choose: (index: number) => Value[] | undefined): Value[] =>
      args.flatMap((_, index) => choose(index) ?? []);
    const canonical = (index: number): Value[] | undefined =>
      isOptional[index] === true ? undefined : alternatives[index]?.[0];

    const result = [build(canonical)];
    alternatives.forEach((options, position) => {
      for (const option of isOptional[position] === true ? options : options.slice(1)) {
        result.push(build((index) => (index === position ? option : canonical(index))));
      }
    });
    if (isOptional.filter(Boolean).length > 1) {
      result.push(build((index) => alternatives[index]?.[0]));
      result.push(build((index) => alternatives[index]?.at(-1)));
    }
    return result;
  }

  /** Gives repeated keys and words different values, and `numkeys` the number of keys after it. */
  finish(values: readonly Value[]): Sentence {
    return values.map((value, position) => {
      if (value.name !== 'numkeys') return value;
      let keys = 0;
      while (values[position + 1 + keys]?.type === 'key') keys += 1;
      return { ...value, bytes: String(keys) };
    });
  }

  #alternatives(arg: Argument): Value[][] {
    const single = this.#singles(arg, 0);
    if (!arg.flags.has('multiple')) return single.map((values) => this.#withToken(arg, values));
    const [first = []] = single;
    const second = this.#singles(arg, 1)[0] ?? first;
    const third = this.#singles(arg, 2)[0] ?? first;
    const repeats = [...single, [...first, ...second], [...first, ...second, ...third]];
    if (!arg.flags.has('multiple_token')) return repeats.map((v) => this.#withToken(arg, v));
    const twice = [...this.#withToken(arg, first), ...this.#withToken(arg, second)];
    return [...single.map((values) => this.#withToken(arg, values)), twice];
  }

  #withToken(arg: Argument, values: Value[]): Value[] {
    if (arg.token === undefined || arg.type === 'pure-token') return values;
    return [tokenValue(arg.name, arg.token), ...values];
  }

  /** What one occurrence of `arg` can look like, without its own token. */
  #singles(arg: Argument, index: number): Value[][] {
    switch (arg.type) {
      case 'pure-token':
        return [[tokenValue(arg.name, arg.token ?? '')]];
      case 'oneof':
        return arg.children.flatMap((child) => this.#alternativesAt(child, index));
      case 'block': {
        const children = arg.children.map((child) => this.#indexed(child, index));
        return index === 0
          ? this.sequences(arg.children).slice(0, MAX_BLOCK_VARIANTS)
          : [children.flat()];
      }
      default:
        return [[this.#leaf(arg, index)]];
    }
  }

  #alternativesAt(child: Argument, index: number): Value[][] {
    return index === 0 ? this.#alternatives(child) : [this.#indexed(child, index)];
  }

  #indexed(child: Argument, index: number): Value[] {
    if (child.flags.has('optional')) return [];
    return this.#withToken(child, this.#singles(child, index)[0] ?? []);
  }

  #leaf(arg: Argument, index: number): Value {
    const bytes = valueOf(this.#entry, arg, index, this.#dumps);
    const type =
      arg.type === 'key' || arg.type === 'double'
        ? arg.type
        : arg.type === 'integer' || arg.type === 'unix-time'
          ? 'integer'
          : 'string';
    return { type, name: arg.name, bytes };
  }
}

function tokenValue(name: string, token: string): Value {
  return { type: 'token', name, bytes: token };
}
