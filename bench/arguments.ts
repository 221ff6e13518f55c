/**
 * The command line of the benchmark. `npm run bench -- --help` prints what is here.
 */
import { parseArgs } from 'node:util';

/** What a run was asked to do. */
export interface BenchArguments {
  /** Names of the scenarios to run; empty means all of them. */
  only: string[];
  /** How often every target takes its turn. */
  rounds: number;
  /** Factor on every count of requests: 1 for numbers, far less to see that the bench works. */
  scale: number;
  /** Whether bench/README.md gets the numbers. */
  write: boolean;
  /** Another build's main.js that takes its turns as well, for before and after in one run. */
  compare: string | null;
}

export const USAGE = `usage: npm run bench -- [options]

  --only a,b       only these scenarios (see below)
  --rounds N       every target takes its turn N times; medians are printed (default 5, with --quick 1)
  --quick          counts so small that the numbers mean nothing: to see that the bench works
  --compare FILE   one more target: another build's dist/main.js
  --write          put the tables into bench/README.md
  --help
`;

const DEFAULT_ROUNDS = 5;
const QUICK_SCALE = 0.005;

/** Reads the arguments; null if help was asked for. Throws an Error that says what is wrong with them. */
export function parseArguments(argv: readonly string[]): BenchArguments | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      compare: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  if (values.write && values.quick) throw new Error('--quick measures nothing worth writing down');
  const rounds = Number(values.rounds ?? (values.quick ? 1 : DEFAULT_ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number');
  return {
    only: values.only.flatMap((names) => names.split(',')).filter((name) => name !== ''),
    rounds,
    scale: values.quick ? QUICK_SCALE : 1,
    write: values.write,
    compare: values.compare ?? null,
  };
}
