/**
 * Figures as people read them, the same on the status page, in the terminal and in sentences. No locale: what is read
 * aloud on the phone at night is what the other one sees.
 */

/** `1,204`. Fractions are rounded. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** `1 client`, `1,204 clients`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `512 B`, `3.4 kB`, `256.0 MB`: in steps of 1024, as the options count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** step).toFixed(1)} ${units[step - 1]}`;
}

/** `42 s`, `3 min 5 s`, `2 h 0 min`, `12 d 4 h`: whole ones of two units, the large ones. */
export function formatSeconds(seconds: number): string {
  const whole = Math.floor(seconds);
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(whole / unit));
  if (minutes === 0) return `${whole} s`;
  if (hours === 0) return `${minutes} min ${whole % 60} s`;
  if (days === 0) return `${hours} h ${minutes! % 60} min`;
  return `${days} d ${hours! % 24} h`;
}

/** `a moment`, `42 s`: how long something lasted that is over. */
export function formatSpell(seconds: number): string {
  return seconds < 1 ? 'a moment' : formatSeconds(seconds);
}

/** `0.28 ms`, `12 ms`, `1.4 s`: two digits that count. */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  if (milliseconds >= 10) return `${Math.round(milliseconds)} ms`;
  return `${milliseconds.toFixed(milliseconds >= 1 ? 1 : 2)} ms`;
}

/** Text of others on one line of a terminal: what could move the cursor or change a colour is a question mark. */
export function printable(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').replace(/[\p{Cc}\p{Cf}]/gu, '?');
}
