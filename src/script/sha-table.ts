/**
 * Scripts by sha1, found with the digits as a client has written them: nothing is decoded and no string is made. The
 * first seven digits are a number, scripts that share it (one pair in 2^28) form a chain.
 */
import type { Script } from './script.js';

const SHA_DIGITS = 40;
const KEY_DIGITS = 7;

/** By byte: the value of a hex digit of either case; -1 for anything else. */
const DIGIT_VALUES = new Int8Array(256).fill(-1);
/** By byte: as Redis folds the digits of EVALSHA (evalGenericCommand in eval.c). */
const LOWER_CASE = new Uint8Array(256).map((_, byte) => byte);
for (const digit of '0123456789abcdefABCDEF') {
  const byte = digit.charCodeAt(0);
  DIGIT_VALUES[byte] = Number.parseInt(digit, 16);
  LOWER_CASE[byte] = digit.toLowerCase().charCodeAt(0);
}

export class ShaTable {
  private readonly chains = new Map<number, Script>();
  private scripts = 0;

  get count(): number {
    return this.scripts;
  }

  /** The script whose sha1 is spelled by `digits`, in either case; null when there is none. */
  find(digits: Uint8Array): Script | null {
    if (digits.length !== SHA_DIGITS) return null;
    let script = this.chains.get(keyOf(digits)) ?? null;
    while (script !== null && !spells(digits, script.sha)) script = script.next;
    return script;
  }

  /** There is none of this sha1 yet. */
  add(script: Script): void {
    const key = keyOfText(script.sha);
    script.next = this.chains.get(key) ?? null;
    this.chains.set(key, script);
    this.scripts += 1;
  }

  /** `script` is in the table. */
  remove(script: Script): void {
    const key = keyOfText(script.sha);
    const first = this.chains.get(key)!;
    if (first !== script) {
      let before = first;
      while (before.next !== script) before = before.next!;
      before.next = script.next;
    } else if (script.next === null) {
      this.chains.delete(key);
    } else {
      this.chains.set(key, script.next);
    }
    script.next = null;
    this.scripts -= 1;
  }
}

/** Negative, and so nobody's, when one of them is no digit. */
function keyOf(digits: Uint8Array): number {
  let key = 0;
  for (let index = 0; index < KEY_DIGITS; index += 1) {
    key = (key << 4) | DIGIT_VALUES[digits[index]!]!;
  }
  return key;
}

function keyOfText(sha: string): number {
  return Number.parseInt(sha.slice(0, KEY_DIGITS), 16);
}

function spells(digits: Uint8Array, sha: string): boolean {
  for (let index = 0; index < SHA_DIGITS; index += 1) {
    if (LOWER_CASE[digits[index]!] !== sha.charCodeAt(index)) return false;
  }
  return true;
}
