/**
 * `respool [serve]`: runs the sidecar until it is asked to stop. The first SIGTERM or SIGINT drains and exits 0; a second
 * one exits now, with 1. SIGHUP reads some files again.
 */
import { createLogger, type Logger } from '../base/logger.js';
import type { Resolution } from '../config/resolve.js';
import type { CliHost, Startable } from './host.js';
import { reload } from './reload.js';

export async function serve(
  host: CliHost,
  { config, warnings }: Resolution & { ok: true },
): Promise<number> {
  const logger = createLogger({
    level: config.logLevel,
    format: config.logFormat,
    write: (line) => host.stdout.write(line),
    wallMs: () => host.clock.wallMs(),
  });
  for (const warning of warnings) logger.warn('configuration', { warning });
  const sidecar = host.createSidecar(config, { logger, clock: host.clock });
  const stopped = whenStopped(host, sidecar, logger);
  host.onReloadSignal(() => reload({ config, sidecar, logger, readFile: host.readFile }));
  return Promise.race([startFailure(host, sidecar), stopped]);
}

/** Starts the sidecar; resolves with 1 when it cannot start, and never when it can. */
async function startFailure(host: CliHost, sidecar: Startable): Promise<number> {
  try {
    await sidecar.start();
  } catch (error) {
    host.stderr.write(`respool: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  return new Promise(() => {});
}

function whenStopped(host: CliHost, sidecar: Startable, logger: Logger): Promise<number> {
  return new Promise((resolve) => {
    let draining = false;
    host.onStopSignal((signal) => {
      if (draining) {
        logger.warn('exiting without draining', { signal });
        resolve(1);
        return;
      }
      draining = true;
      logger.info('stop requested', { signal });
      sidecar.drain().then(
        () => resolve(0),
        (error: unknown) => {
          logger.error('draining failed', { error: String(error) });
          resolve(1);
        },
      );
    });
  });
}
