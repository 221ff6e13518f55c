/** Random words and ids from a source of chance that is passed in. */

/** 32 bits. */
export function randomWord(random: () => number): number {
  return Math.floor(random() * 2 ** 32);
}

/** Lower-case hex digits. */
export function randomHex(random: () => number, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
}
