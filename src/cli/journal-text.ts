/** Request frames as a person reads them. */
import { TRANSACTION } from '../journal/record.js';
import { cutRequests } from '../resp/cut-requests.js';
import { decodeArguments } from '../resp/decoder.js';

/** Longer arguments are cut; their length is told. */
const MOST_CHARACTERS = 80;
const MOST_ARGUMENTS = 32;

/** One line per command; a transaction is framed by MULTI and EXEC. Frames that cannot be read are said to be so. */
export function describeFrames({
  flags,
  bytes,
}: {
  readonly flags: number;
  readonly bytes: Buffer;
}): string[] {
  let lines: string[];
  try {
    lines = cutRequests(bytes).map((frame) => describeCommand(decodeArguments(frame)));
  } catch {
    lines = [`${bytes.length} bytes that are no commands`];
  }
  return (flags & TRANSACTION) === 0 ? lines : ['MULTI', ...lines, 'EXEC'];
}

function describeCommand(args: readonly Buffer[]): string {
  const shown = args.slice(0, MOST_ARGUMENTS).map(quoted);
  const left = args.length - shown.length;
  return [...shown, ...(left === 0 ? [] : [`… ${left} more arguments`])].join(' ');
}

/** As redis-cli writes it: plain words as they are, everything else in quotes, what is not ASCII as \xNN. */
function quoted(arg: Buffer): string {
  const text = arg.toString('latin1', 0, MOST_CHARACTERS);
  const rest = arg.length > MOST_CHARACTERS ? `… (${arg.length} bytes)` : '';
  if (/^[\w.:/@+*-]+$/.test(text)) return text + rest;
  const escaped = text.replace(/[\\"]|[^ -~]/g, (character) => {
    if (character === '\\' || character === '"') return `\\${character}`;
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"${rest}`;
}
