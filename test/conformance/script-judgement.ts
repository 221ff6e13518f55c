/**
 * Whether runs of the corpus on Redis and on the embedded engine differ as they are listed to:
 * nowhere else, and there really.
 */
import { encodeReply, parseFrame, type Reply } from './reply-tree.js';
import type { Difference } from './report.js';
import { SCRIPT_DIFFERENCES, type Wording } from './script-differences.js';
import { differencesBetween, type ScriptRun } from './script-runs.js';

/** How the differences of some runs stand to the list. */
export interface Judgement {
  /** Differences that are not listed. */
  readonly unlisted: readonly Difference[];
  /** Listed, and not seen: wordings and names of snippets. */
  readonly unseen: readonly string[];
}

/** Judges pairs of runs, on Redis and on the embedded engine, by `listed`. */
export function judge(
  pairs: readonly (readonly [mode: string, redis: ScriptRun, embedded: ScriptRun])[],
  listed = SCRIPT_DIFFERENCES,
): Judgement {
  const wordings = listed.flatMap((difference) => difference.wordings ?? []);
  const snippets = listed.flatMap((difference) => difference.snippets ?? []);
  const seen = new Set<Wording | string>();
  const unlisted = pairs.flatMap(([mode, redis, embedded]) =>
    differencesBetween(mode, redis, embedded).filter(({ command: name }) => {
      if (snippets.includes(name)) return !seen.add(name);
      const needed = reworded(valueOf(redis, name), valueOf(embedded, name), wordings);
      for (const wording of needed ?? []) seen.add(wording);
      return needed === null;
    }),
  );
  const unseen = [...wordings, ...snippets].filter((entry) => !seen.has(entry));
  return { unlisted, unseen: unseen.map(String) };
}

/** All replies to one snippet as one value. */
function valueOf(run: ScriptRun, name: string): Reply {
  return { type: '*', items: (run.get(name) ?? []).map(parseFrame) };
}

/** The wordings that make one value the other; null where they do not. */
function reworded(one: Reply, other: Reply, wordings: readonly Wording[]): Wording[] | null {
  if (encodeReply(one) === encodeReply(other)) return [];
  if (one.type !== other.type) return null;
  if ('items' in one && 'items' in other) {
    const [items, others] = [one.items ?? [], other.items ?? []];
    if (items.length === 0 || items.length !== others.length) return null;
    const needed = items.map((item, i) => reworded(item, others[i]!, wordings));
    return needed.includes(null) ? null : needed.flatMap((some) => some ?? []);
  }
  if ('items' in one || 'items' in other || one.text === null) return null;
  let text = one.text;
  const needed: Wording[] = [];
  for (const wording of wordings) {
    const next = withWording(text, wording);
    if (next !== text) needed.push(wording);
    text = next;
    if (text === other.text) return needed;
  }
  return null;
}

function withWording(text: string, [redis, embedded]: Wording): string {
  return typeof embedded === 'string'
    ? text.replace(redis, embedded)
    : text.replace(redis, embedded);
}
