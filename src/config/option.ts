/**
 * What one line of the option table says. The lines themselves are in `options.ts` and `later-options.ts`; this file is
 * apart from both so that neither needs the other.
 */
import type { Kind } from './kinds.js';

/** Where a value came from, strongest first. */
export const SOURCES = ['flag', 'environment', 'file', 'default'] as const;
export type Source = (typeof SOURCES)[number];

/** Headings of help and documentation, in their order. */
export const GROUPS = [
  'Clients',
  'Upstream',
  'Embedded engine',
  'Outages',
  'Journal',
  'Scripts and cache',
  'Operation',
] as const;

/** One line of the table. */
export interface Option<T = unknown> {
  readonly group: (typeof GROUPS)[number];
  readonly kind: Kind<T>;
  /** As a user would write it; null when there is none, and the value is then null too. */
  readonly default: string | null;
  /** Says what holds without a value where null alone does not. */
  readonly defaultHelp?: string;
  readonly help: string;
  /** May be given several times; the value is an array. */
  readonly repeatable?: true;
  /** Where it may be given; everywhere unless said. */
  readonly givenIn?: readonly Source[];
  /** Its value is shown as `***`. */
  readonly secret?: true;
  /** Accepted and validated, but a later version is the first to act on it. */
  readonly later?: true;
}
