/**
 * What the engine said before it gave up, made into something a person can act on. Shared by both engines: they log the
 * same lines, because they are the same program.
 */
import { EmbeddedEngineError } from './engine.js';

const KEPT_LINES = 12;
/** `42:M 21 Nov 2026 06:43:23.921 * text`; the date is left out, as the log around it has one. */
const LINE_PREFIX = /^\d+:\w \d.*? [.\-*#] /;
const SNAPSHOT_TROUBLE = /rdb|loading|short read|crc|corrupt|unexpected/i;

/** The last lines of an engine's log. */
export class LastLines {
  private readonly lines: string[] = [];

  add(line: string): void {
    this.lines.push(line.replace(LINE_PREFIX, ''));
    if (this.lines.length > KEPT_LINES) this.lines.shift();
  }

  /**
   * The error for an engine that did not boot. A snapshot that cannot be loaded is never skipped: what a person would
   * lose by starting empty is for them to decide.
   */
  bootFailure(reason: string, snapshotFile: string | null): EmbeddedEngineError {
    const trouble = this.lines.filter((line) => SNAPSHOT_TROUBLE.test(line));
    if (snapshotFile === null || trouble.length === 0) {
      const said = [reason, ...this.lines.slice(-3)].join('; ');
      return new EmbeddedEngineError(`the embedded Valkey did not boot: ${said}`);
    }
    const said = [...trouble.slice(-3), reason].join('; ');
    return new EmbeddedEngineError(
      `the snapshot ${snapshotFile} cannot be loaded and is left as it is: ` +
        `move it away to start empty, or put a good copy in its place (${said})`,
    );
  }
}
