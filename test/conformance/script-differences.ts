/**
 * Where scripts on the embedded engine (Valkey 9.1 as WebAssembly) answer otherwise than on Redis
 * 7.0, one by one, each with its reason. A difference that is not here fails the test, and so does
 * one that is here and does not show; docs/compatibility.md prints this table.
 */

/** One difference that users may see. */
export interface ScriptDifference {
  readonly what: string;
  readonly redis: string;
  readonly embedded: string;
  readonly reason: string;
  /** Texts that differ wherever they occur, the rest of the reply being the same; */
  readonly wordings?: readonly Wording[];
  /** or the snippets whose answers differ altogether. */
  readonly snippets?: readonly string[];
}

/** What Redis says, and what the engine says in its place. */
export type Wording = readonly [redis: RegExp, embedded: string | ((text: string) => string)];

const X86 = 'C leaves open what becomes of such a number; x86 and WebAssembly differ';
const WASM32 = 'the engine is WebAssembly with 32 bits, where a C `long` has four bytes';

export const SCRIPT_DIFFERENCES: readonly ScriptDifference[] = [
  {
    what: 'the end of an error: which script',
    redis: '`script: <sha1>, on @user_script:3.`',
    embedded: '`script: on @user_script:3.`; the line is the same',
    reason: 'Valkey 9 leaves the name out',
    wordings: [[/ script: (?:[0-9a-f]{40}|f), on (\S+:\d+\.)$/, ' script: on $1']],
  },
  {
    what: 'the wording of some errors; their first word is the same',
    redis: '`Unknown Redis command called from script`, `redis.log() requires …`',
    embedded: '`Unknown command called from script`, `server.log() requires …`',
    reason: 'Valkey does not call itself Redis',
    wordings: [
      [/This Redis command is not allowed/, 'This Valkey command is not allowed'],
      [/Unknown Redis command called/, 'Unknown command called'],
      [/args calling Redis command/, 'args calling command'],
      [/for this redis lib call/, 'for this call'],
      [/Lua redis lib command arguments/, 'Command arguments'],
      [/\bredis\.(log|setresp)\(\)/, 'server.$1()'],
      [/calling redis\.register_function/, 'calling server.register_function'],
      [/Invalid debug level/, 'Invalid log level'],
      [/Unexpected engine in script shebang: #!(\S+)/, "Could not find scripting engine '$1'"],
      [/(No matching script\.) Please use EVAL\./, '$1'],
      [/Error registering functions: ERR (Function already exists)/, '$1'],
      [/Error registering functions: ERR Library (names can only)/, 'Function $1'],
    ],
    snippets: ['a subcommand that nobody knows'],
  },
  {
    what: 'fractions that are given to a command or returned as `{double = …}`',
    redis: '`0.10000000000000001`: 17 digits',
    embedded: '`0.1`: as many digits as it takes; the number is the same',
    reason: 'Redis does so from 7.2 on',
    wordings: [[/^-?\d+(\.\d+)?(e[+-]?\d+)?$/, shortest]],
    snippets: ['INCRBYFLOAT'],
  },
  {
    what: 'numbers beyond 64 bits, infinity and not-a-number, returned as integers',
    redis: 'the smallest integer, whatever the number',
    embedded: 'the integer that is closest, 0 for not-a-number',
    reason: X86,
    snippets: ['more than 64 bits', 'far more than 64 bits', 'infinity', 'not a number'],
  },
  {
    what: "`string.format('%d')`, `struct` with `i8`, `l` and `T`, beyond 32 bits",
    redis: 'works with 64 bits',
    embedded: 'cuts off at 32 bits: store such numbers as text',
    reason: WASM32,
    snippets: [
      'string.format of a large integer',
      'struct: a negative integer of 8 bytes',
      'struct: sizes that depend on the machine',
    ],
  },
  {
    what: '`cmsgpack.pack` of whole numbers beyond 64 bits',
    redis: 'packs a double',
    embedded: 'packs the closest integer',
    reason: X86,
    snippets: ['cmsgpack: whole numbers of more than 64 bits'],
  },
  {
    what: 'the order in which `pairs` and `cjson.encode` go through fields',
    redis: 'some order, the same in each run',
    embedded: 'some other order, the same in each run; a list’s order is its own',
    reason: 'the order is that of a hash table; Lua promises none',
    snippets: [
      'pairs goes through fields in one order',
      'cjson: an object of several keys has one order',
    ],
  },
  {
    what: 'blocking commands in a script',
    redis: 'are refused',
    embedded: 'answer at once, as if their time were over',
    reason: 'Redis does so from 7.2 on',
    snippets: ['a command that would wait'],
  },
  {
    what: '`os.clock`',
    redis: 'there is no `os`',
    embedded: 'is there, and alone in `os`',
    reason: 'Redis has it from 7.4 on',
    snippets: ['os has a clock and nothing else', 'os.time', 'every global there is'],
  },
  {
    what: 'names of its own',
    redis: '`redis.REDIS_VERSION` is its version',
    embedded:
      'it is `7.2.4`, which Valkey is compatible with; `server` is `redis` by another name, with `VALKEY_VERSION` and `SERVER_NAME`',
    reason: 'another server',
    snippets: ['the version itself', "Valkey's own names", 'every function of redis'],
  },
];

/** The shortest text that is read as the same number. */
function shortest(text: string): string {
  const number = Number(text);
  return Math.abs(number) < 1e19 ? String(number) : number.toExponential();
}
