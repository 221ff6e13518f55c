/**
 * From a source to its script without its sha1, for sources that were seen lately: clients say the same few again and
 * again. A look at up to 512 of its bytes says where it would be; whether it is there, all its bytes decide.
 */
import type { Script } from './script.js';

const PLACES = 1024;
const LOOKS = 128;
const LOOK_BYTES = 4;

export class RecentSources {
  private readonly scripts: (Script | null)[] = new Array<Script | null>(PLACES).fill(null);

  find(source: Buffer): Script | null {
    const script = this.scripts[placeOf(source)]!;
    return script !== null && script.source.equals(source) ? script : null;
  }

  /** In the place of one that looks alike. */
  put(script: Script): void {
    this.scripts[placeOf(script.source)] = script;
  }

  remove(script: Script): void {
    const place = placeOf(script.source);
    if (this.scripts[place] === script) this.scripts[place] = null;
  }
}

/** A short source is looked at whole, a long one here and there. */
function placeOf(source: Buffer): number {
  const { length } = source;
  const step = LOOK_BYTES * Math.ceil(length / (LOOKS * LOOK_BYTES));
  const end = length - LOOK_BYTES;
  let hash = length;
  let at = 0;
  for (; at <= end; at += step) {
    const look =
      source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
    hash = Math.imul(hash ^ look, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < length; at += 1) hash = Math.imul(hash ^ source[at]!, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}
