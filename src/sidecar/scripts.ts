/**
 * The scripts of the whole process, put together: the registry, the file that keeps it beside the journal, the folder of
 * scripts known from the start, and whom to ask about the ones that nobody has told the source of.
 */
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { ScriptsConfig } from '../config/config.js';
import { ScriptLookup, type Scripts } from '../proxy/script-lookup.js';
import { ScriptRegistry } from '../script/registry.js';
import { readScriptDirectory } from '../script/script-directory.js';
import { ScriptFile } from '../script/script-file.js';
import type { Upstream } from '../upstream/upstream.js';

export interface ScriptShelfOptions {
  readonly config: ScriptsConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly upstream: Upstream;
  /** Where the journal is; null: nothing outlives the process. */
  readonly directory: string | null;
}

const FILE_NAME = 'scripts.resp';

export class ScriptShelf implements Scripts {
  readonly registry: ScriptRegistry;
  readonly lookup: ScriptLookup;
  private file: ScriptFile | null = null;

  private constructor(private readonly options: ScriptShelfOptions) {
    const { config, clock, upstream } = options;
    this.registry = new ScriptRegistry({ maxBytes: config.maxBytes });
    this.lookup = new ScriptLookup({
      clock,
      registry: this.registry,
      busy: upstream.busy,
      ask: (command, answered) => upstream.ask(command, answered),
    });
  }

  /** Null when scripts are to pass as they come. Rejects, for people, when the folder cannot be read. */
  static async open(options: ScriptShelfOptions): Promise<ScriptShelf | null> {
    if (options.config.mode === 'pass') return null;
    const shelf = new ScriptShelf(options);
    const { directory, clock, logger } = options;
    await shelf.reload();
    if (directory !== null) {
      const path = join(directory, FILE_NAME);
      shelf.file = await ScriptFile.open({ path, registry: shelf.registry, clock, logger });
    }
    return shelf;
  }

  /** Reads the folder anew. Rejects for people; what was known stays known then. */
  async reload(): Promise<void> {
    const { directory } = this.options.config;
    if (directory !== null) this.registry.preload(await readScriptDirectory(directory));
  }

  async close(): Promise<void> {
    await this.file?.close();
  }
}
