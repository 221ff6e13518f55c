/**
 * The upstream's own command table, read from a running server: COMMAND for names, arity and flags,
 * COMMAND DOCS for the grammar of arguments. Everything the generator covers is derived from it, so
 * a newer Redis with more commands makes the conformance test ask for cases of them.
 */
import { connectRaw } from '../helpers/raw-client.js';
import { parseFrame, plain } from './reply-tree.js';

/** One node of COMMAND DOCS' argument grammar. */
export interface Argument {
  readonly name: string;
  readonly type: string;
  readonly token?: string;
  readonly flags: ReadonlySet<string>;
  readonly children: readonly Argument[];
}

/** One command, or one subcommand of a container (`path` then has two words). */
export interface CommandEntry {
  /** Lower case, `config|get` for subcommands. */
  readonly name: string;
  readonly path: readonly string[];
  readonly arity: number;
  readonly flags: ReadonlySet<string>;
  readonly group: string;
  readonly args: readonly Argument[];
  readonly isContainer: boolean;
}

/** Every command and subcommand of the server at `port`, by name, sorted. */
export async function readCommandTable(port: number): Promise<CommandEntry[]> {
  const client = await connectRaw(port);
  const docs = pairs(plainFrame(await client.command('COMMAND', 'DOCS')));
  const table = plainFrame(await client.command('COMMAND')) as unknown[][];
  await client.close();
  const entries = table.flatMap((row) => entriesOf(row, docs));
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function entriesOf(row: readonly unknown[], docs: Map<string, unknown>): CommandEntry[] {
  const name = row[0] as string;
  const doc = pairs(docs.get(name) ?? []);
  const subcommands = row[9] as unknown[][];
  const subdocs = pairs(doc.get('subcommands') ?? []);
  const own = entryOf(row, doc, String(doc.get('group')), subcommands.length > 0);
  const theirs = subcommands.map((sub) =>
    entryOf(sub, pairs(subdocs.get(sub[0] as string) ?? []), own.group, false),
  );
  return [own, ...theirs];
}

function entryOf(
  row: readonly unknown[],
  doc: Map<string, unknown>,
  group: string,
  isContainer: boolean,
): CommandEntry {
  const name = row[0] as string;
  return {
    name,
    path: name.split('|'),
    arity: row[1] as number,
    flags: new Set(row[2] as string[]),
    group,
    args: ((doc.get('arguments') ?? []) as unknown[]).map(argumentOf),
    isContainer,
  };
}

function argumentOf(raw: unknown): Argument {
  const fields = pairs(raw);
  const token = fields.get('token') as string | undefined;
  return {
    name: fields.get('name') as string,
    type: fields.get('type') as string,
    ...(token === undefined ? {} : { token }),
    flags: new Set((fields.get('flags') ?? []) as string[]),
    children: ((fields.get('arguments') ?? []) as unknown[]).map(argumentOf),
  };
}

function plainFrame(frame: Buffer): unknown {
  return plain(parseFrame(frame));
}

function pairs(flat: unknown): Map<string, unknown> {
  const list = flat as unknown[];
  const map = new Map<string, unknown>();
  for (let i = 0; i + 1 < list.length; i += 2) map.set(list[i] as string, list[i + 1]);
  return map;
}
