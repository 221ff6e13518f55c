/**
 * What a scenario is, and what it reports: a table, and which of the goals that the project has set itself it reached.
 */
import type { Builds } from './peers.js';
import { format, table } from './table.js';

/** What every scenario is told. */
export interface Settings extends Builds {
  readonly rounds: number;
  /** Factor on counts: 1 to measure, far less to see that the bench works. */
  readonly scale: number;
}

/** Something to measure; it starts its own servers and stops them. */
export interface Scenario {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  /** It compares two builds: without `--compare` there is nothing to run. */
  readonly needsOtherBuild?: true;
  run(settings: Settings): Promise<Report>;
}

/** A goal and what was measured. NaN means that a peer was missing. */
export interface Goal {
  readonly what: string;
  readonly bound: 'at least' | 'at most';
  readonly wanted: number;
  readonly measured: number;
  /** Such as "MB"; none for a ratio. */
  readonly unit?: string;
  /** After the point, where there is a unit; 0 if not given. */
  readonly digits?: number;
}

/** A scenario's outcome. */
export interface Report {
  /** How it was measured, one sentence or two. */
  readonly method: string;
  readonly table: string;
  readonly goals: readonly Goal[];
}

/** A count, scaled: never less than `minimum`. */
export function scaled(settings: Settings, count: number, minimum = 1): number {
  return Math.max(minimum, Math.round(count * settings.scale));
}

/** The goals as a table. */
export function goalsTable(goals: readonly Goal[]): string {
  return table(['goal', 'asked', 'measured', 'reached'], goals.map(goalRow));
}

function goalRow({ what, bound, wanted, measured, unit, digits }: Goal): string[] {
  const quantity = (value: number): string =>
    unit === undefined ? `${format(value, 2)} ×` : `${format(value, digits)} ${unit}`;
  const sign = bound === 'at least' ? '≥' : '≤';
  return [
    what,
    `${sign} ${quantity(wanted)}`,
    quantity(measured),
    verdict(bound, wanted, measured),
  ];
}

function verdict(bound: Goal['bound'], wanted: number, measured: number): string {
  if (Number.isNaN(measured)) return 'not measured';
  return (bound === 'at least' ? measured >= wanted : measured <= wanted) ? 'yes' : '**no**';
}
