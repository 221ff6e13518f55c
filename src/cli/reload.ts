/**
 * What SIGHUP reads again while the sidecar runs: the rules file, the listener's certificates, and the folder of scripts. A file with mistakes
 * changes nothing, and the log says which one and why.
 */
import type { Logger } from '../base/logger.js';
import { OutageRules } from '../command/rules.js';
import type { Config } from '../config/config.js';
import { readListenerTls } from '../config/pem.js';
import { parseRules } from '../config/rules-file.js';
import type { CliHost, Startable } from './host.js';

/** Whom the files are read for. */
export interface Reloading {
  readonly config: Config;
  readonly sidecar: Startable;
  readonly logger: Logger;
  readonly readFile: CliHost['readFile'];
}

/** Reads again everything that can be read again. */
export function reload(running: Reloading): void {
  const { config, logger } = running;
  const { directory } = config.scripts;
  if (config.rulesPath === null && config.tls === null && directory === null)
    logger.warn('nothing to read again: no rules file, no certificate, no folder of scripts');
  if (config.rulesPath !== null) reloadRules(running, config.rulesPath);
  if (config.tls !== null) reloadCertificates(running);
  if (directory !== null) void reloadScripts(running, directory);
}

function reloadRules({ sidecar, logger, readFile }: Reloading, path: string): void {
  try {
    const { rules, problems } = parseRules(readFile(path), path);
    for (const problem of problems) logger.error('the rules stay as they were', { path, problem });
    if (problems.length > 0) return;
    sidecar.useRules(new OutageRules(rules));
    logger.info('rules read again', { path, rules: rules.length });
  } catch (error) {
    logger.error('the rules stay as they were', { path, problem: (error as Error).message });
  }
}

function reloadCertificates({ config, sidecar, logger, readFile }: Reloading): void {
  const { tlsPaths } = config;
  const problems: string[] = [];
  const tls = readListenerTls(tlsPaths, readFile, problems);
  for (const problem of problems) logger.error('the certificates stay as they were', { problem });
  if (tls === null) return;
  sidecar.useCertificates(tls);
  logger.info('certificates read again', { ...tlsPaths });
}

async function reloadScripts({ sidecar, logger }: Reloading, directory: string): Promise<void> {
  try {
    await sidecar.reloadScripts();
    logger.info('scripts read again', { directory });
  } catch (error) {
    const problem = (error as Error).message;
    logger.error('the scripts stay as they were', { directory, problem });
  }
}
