/**
 * Plain writes: those that can be buffered in an outage without a look at their arguments. Whatever is said to them, their
 * class is `buffer`, they go into the journal as they came, and their first argument is their only key. How many arguments
 * they have may matter (SET with more than a value may ask a question), and no more than that.
 */
import { OUTAGE_CLASSES } from './outage-class.js';
import { NEEDS_JOURNAL_FORM } from './journal-form.js';
import { COMMANDS } from './table.js';

const ANY_NUMBER = 2 ** 31 - 1;

/** By id: up to how many arguments, the name included, the command is a plain write; 0: never. */
export const PLAIN_WRITE_ARGUMENTS = Int32Array.from(COMMANDS, ({ name, effect, keys }, id) => {
  if (name === 'set') return 3;
  const isAlwaysBuffered = effect === 'none' && OUTAGE_CLASSES[id] === 'buffer';
  if (!isAlwaysBuffered || NEEDS_JOURNAL_FORM[id] === 1) return 0;
  if (keys === '1') return ANY_NUMBER;
  return keys === '1..' ? 2 : 0;
});
