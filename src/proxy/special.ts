/** A command that did not pass unseen, as the files that deal with it hand it around. */
import type { SessionEffect } from '../command/table.js';

export interface Special {
  readonly id: number;
  readonly effect: SessionEffect;
  readonly frame: Buffer;
  /** The name first. */
  readonly args: readonly Buffer[];
}
