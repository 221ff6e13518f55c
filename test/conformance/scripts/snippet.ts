/**
 * A snippet: one Lua script, and how it is called. The corpus of them is in the files beside this
 * one, grouped by what they are about; `all.ts` puts them together.
 */
import type { Words } from '../fixture.js';

/** Snippets by their names; a source alone is called with EVAL, without keys and arguments. */
export type Snippets = Readonly<Record<string, string | Snippet>>;

/** One script. */
export interface Snippet {
  /** For FCALL a library, whose function `f` is called. */
  readonly source: string;
  readonly keys?: readonly string[];
  readonly args?: readonly (string | Buffer)[];
  /** Without it, EVAL. EVALSHA is preceded by SCRIPT LOAD, FCALL by FUNCTION LOAD. */
  readonly call?: 'EVAL' | 'EVAL_RO' | 'EVALSHA' | 'FCALL' | 'FCALL_RO';
  /** The number of keys as it is sent; without it, how many there are. */
  readonly numkeys?: string;
  /** Commands that are sent before it. */
  readonly before?: readonly Words[];
}
