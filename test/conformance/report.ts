/**
 * Differences between the two sides: what they are, how they are printed, which ones are accepted.
 */
import type { Outcome } from './lock-step.js';

/** One difference, with all that is needed to see it again. */
export interface Difference {
  /** `single RESP2`, `transaction RESP3`, `cut at 17`, the title of a scenario. */
  readonly mode: string;
  readonly command: string;
  readonly sent: string;
  readonly direct: string;
  readonly through: string;
}

const MAX_SHOWN_CHARACTERS = 400;
const MAX_LISTED = 60;

/** Bytes as a string literal that can be pasted into a test; long ones keep both ends. */
export function escaped(bytes: Buffer | string): string {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1');
  const shown =
    text.length <= MAX_SHOWN_CHARACTERS
      ? text
      : `${text.slice(0, 250)}<${text.length - 350} more>${text.slice(-100)}`;
  const quoted = JSON.stringify(shown).replaceAll('\\u0000', '\\0');

  return quoted.replace(/[\x7f-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}

/** An outcome for people: its frames, and how it ended if it did not just go on. */
export function describeOutcome(outcome: Outcome): string {
  const frames = outcome.frames.map(escaped).join(' ');
  const rest = outcome.rest === '' ? '' : ` rest ${escaped(outcome.rest)}`;
  return outcome.ending === 'open' ? frames : `${frames} [${outcome.ending}${rest}]`;
}

/** All differences, the first of each command and mode first, then how many more there are. */
export function report(differences: readonly Difference[]): string {
  const seen = new Set<string>();
  const isFirst = ({ mode, command }: Difference): boolean => {
    const key = `${mode} ${command}`;
    return seen.has(key) ? false : seen.add(key) !== undefined;
  };
  const firsts = differences.filter(isFirst);
  const others = differences.filter((difference) => !firsts.includes(difference));
  const listed = [...firsts, ...others].slice(0, MAX_LISTED).map(printed);
  const more = differences.length - listed.length;
  return [`${differences.length} differences`, ...listed, more > 0 ? `… and ${more} more` : '']
    .join('\n')
    .trimEnd();
}

function printed({ mode, command, sent, direct, through }: Difference): string {
  return `${command} (${mode})\n    sent    ${sent}\n    direct  ${direct}\n    through ${through}`;
}
