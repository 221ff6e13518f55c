/** The whole corpus: subjects and their snippets. Names are unique in all of it. */
import { bit, cmsgpack, struct } from './binary.js';
import { calls } from './calls.js';
import { cjson } from './cjson.js';
import { conversions } from './conversions.js';
import { errors } from './errors.js';
import { flags } from './flags.js';
import { functions } from './functions.js';
import { numbers } from './numbers.js';
import { resp3 } from './resp3.js';
import { sandbox } from './sandbox.js';
import type { Snippets } from './snippet.js';
import { tables, text } from './tables.js';

export const CORPUS: Readonly<Record<string, Snippets>> = {
  'values that are returned': conversions,
  numbers,
  tables,
  'text and patterns': text,
  'commands and their errors': calls,
  'errors of the script': errors,
  'the sandbox': sandbox,
  RESP3: resp3,
  cjson,
  cmsgpack,
  struct,
  bit,
  'flags and ways to call': flags,
  functions,
};
