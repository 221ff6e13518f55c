/**
 * `respool [serve]`: runs the sidecar until it is asked to stop. The first SIGTERM or SIGINT drains and exits 0; a second
 * one exits now, with 1. SIGHUP reads the rules file again.
 */
import { createLogger, type Logger } from '../base/logger.js';
import { OutageRules } from '../command/rules.js';
import type { Config } from '../config/config.js';
import type { Resolution } from '../config/resolve.js';
import { parseRules } from '../config/rules-file.js';
import type { CliHost, Startable } from './host.js';

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
  host.onReloadSignal(() => reloadRules(host, config, sidecar, logger));
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

/** A file with mistakes changes nothing. */
function reloadRules(host: CliHost, config: Config, sidecar: Startable, logger: Logger): void {
  const path = config.rulesPath;
  if (path === null) return logger.warn('nothing to read again: there is no rules file');
  try {
    const { rules, problems } = parseRules(host.readFile(path), path);
    for (const problem of problems) logger.error('the rules stay as they were', { path, problem });
    if (problems.length > 0) return;
    sidecar.useRules(new OutageRules(rules));
    logger.info('rules read again', { path, rules: rules.length });
  } catch (error) {
    logger.error('the rules stay as they were', { path, problem: (error as Error).message });
  }
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
