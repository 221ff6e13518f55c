/**
 * Finds what somebody who mistyped an option probably meant. Used for flags, variables and keys of the file alike; it
 * knows only words.
 */

/** The candidate that differs from `word` in at most two places (one in three of a short word), or null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const tolerance = Math.min(2, Math.ceil(word.length / 3));
  let best: string | null = null;
  let bestDistance = tolerance + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean …?`, to be put behind a complaint, or nothing. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const candidate = nearest(word, candidates);
  return candidate === null ? '' : `; did you mean ${candidate}?`;
}

/** Levenshtein distance, row by row; `limit` when it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return Math.min(row[b.length]!, limit);
}
