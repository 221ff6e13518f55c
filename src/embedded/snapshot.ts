/**
 * Taking the snapshot: SAVE, and what may be in its way. Shared by both engines, because both write an RDB file the
 * way Valkey does: beside the old one, synced, renamed. Restoring needs no code here: Valkey loads the file at boot.
 */
import { access, constants, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { EmbeddedEngineError } from './engine.js';
import type { EngineTalk } from './engine-talk.js';

/** How long a script that is running when the engine is to be saved is given to end once it has been killed. */
const BUSY_PATIENCE_MS = 5_000;
const BUSY_RETRY_MS = 50;

/**
 * Makes sure before the boot that a snapshot could be written at the end: creates the directory, and throws an
 * EmbeddedEngineError when it cannot be used.
 */
export async function prepareSnapshot(file: string | null): Promise<void> {
  if (file === null) return;
  try {
    await mkdir(dirname(file), { recursive: true });
    await access(dirname(file), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new EmbeddedEngineError(`the snapshot ${file} could not be written: ${String(cause)}`, {
      cause,
    });
  }
}

/** Saves and returns true, or logs why that was not possible and returns false; the old snapshot is then untouched. */
export async function takeSnapshot(
  talk: EngineTalk,
  file: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<boolean> {
  const startMs = clock.now();
  try {
    let reply = await talk.command('SAVE');
    while (reply.startsWith('-BUSY') && clock.now() - startMs < BUSY_PATIENCE_MS) {
      await talk.command('SCRIPT', 'KILL');
      await talk.command('FUNCTION', 'KILL');
      await new Promise<void>((resolve) => clock.after(BUSY_RETRY_MS, resolve));
      reply = await talk.command('SAVE');
    }
    if (!reply.startsWith('+')) throw new Error(reply.slice(1));
    logger.info('embedded snapshot written', {
      file,
      milliseconds: Math.round(clock.now() - startMs),
    });
    return true;
  } catch (error) {
    logger.error('embedded snapshot not written: the one before is still there', {
      file,
      reason: String(error),
    });
    return false;
  }
}
