/** The order in which scripts were last used, the oldest first: a list through the scripts themselves. */
import type { Script } from './script.js';

export class Recency {
  private oldestScript: Script | null = null;
  private newestScript: Script | null = null;

  get oldest(): Script | null {
    return this.oldestScript;
  }

  /** `script` is in no list and becomes the newest. */
  add(script: Script): void {
    script.older = this.newestScript;
    if (this.newestScript === null) this.oldestScript = script;
    else this.newestScript.newer = script;
    this.newestScript = script;
  }

  /** `script` is in the list and becomes the newest. */
  use(script: Script): void {
    if (script === this.newestScript) return;
    this.remove(script);
    this.add(script);
  }

  remove(script: Script): void {
    const { older, newer } = script;
    if (older === null) this.oldestScript = newer;
    else older.newer = newer;
    if (newer === null) this.newestScript = older;
    else newer.older = older;
    script.older = null;
    script.newer = null;
  }

  /** Oldest first. The list must not change meanwhile. */
  *[Symbol.iterator](): Generator<Script> {
    for (let script = this.oldestScript; script !== null; script = script.newer) yield script;
  }
}
