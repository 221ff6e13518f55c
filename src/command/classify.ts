/**
 * From the bytes of a command's name to its id, without making a string: the only look at a command's content that the
 * hot path takes. Open addressing over a hash of the case-folded bytes; a hit is always verified byte by byte.
 */
import { COMMAND_NAMES, OTHER_COMMAND } from './table.js';

const SLOTS = 2048;
const MAX_NAME_BYTES = Math.max(...COMMAND_NAMES.map((name) => name.length));
const FOLD = 0x20;

const slots = new Int16Array(SLOTS);
const names: readonly Uint8Array[] = COMMAND_NAMES.map((name) => Buffer.from(name));

/** Folds to lower case. Bytes that are no letters may collide; the comparison sorts that out. */
function hash(buffer: Uint8Array, start: number, length: number): number {
  let value = length;
  for (let index = start; index < start + length; index += 1) {
    value = (Math.imul(value, 31) + (buffer[index]! | FOLD)) | 0;
  }
  return (value ^ (value >>> 11)) & (SLOTS - 1);
}

for (let id = 1; id < names.length; id += 1) {
  let slot = hash(names[id]!, 0, names[id]!.length);
  while (slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  slots[slot] = id;
}

/** The id of the command named by `buffer[start, start + length)`, in any case; OTHER_COMMAND when there is none. */
export function classify(buffer: Uint8Array, start: number, length: number): number {
  if (length > MAX_NAME_BYTES) return OTHER_COMMAND;
  let slot = hash(buffer, start, length);
  for (;;) {
    const id = slots[slot]!;
    if (id === 0 || sameName(names[id]!, buffer, start, length)) return id;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

function sameName(name: Uint8Array, buffer: Uint8Array, start: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let index = 0; index < length; index += 1) {
    const byte = buffer[start + index]!;
    const folded = byte >= 65 && byte <= 90 ? byte | FOLD : byte;
    if (folded !== name[index]) return false;
  }
  return true;
}
