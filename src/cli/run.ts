/**
 * Chooses the command and reports what is wrong with how it was called. The exit codes of the program are made here: 0
 * done, 1 failed, 2 called or configured wrongly.
 */
import type { Invocation } from './arguments.js';
import { parseArguments } from './arguments.js';
import { check } from './check.js';
import type { CliHost } from './host.js';
import { journal } from './journal.js';
import type { JournalRequest } from './journal-arguments.js';
import { serve } from './serve.js';
import { status } from './status.js';
import { resolveAdmin, resolveConfig, resolveJournalDirectory } from '../config/resolve.js';
import type { ConfigInputs } from '../config/sources.js';

/** Exit code when the arguments or the configuration are wrong. */
const USAGE = 2;

/** Runs the command that the arguments ask for, to its end. Resolves with the exit code; rejects only for a bug. */
export async function runCli(host: CliHost): Promise<number> {
  const invocation = parseArguments(host.argv, host);
  if ('exitCode' in invocation) return invocation.exitCode;
  const inputs: ConfigInputs = {
    flags: invocation.flags,
    env: host.env,
    readFile: host.readFile,
    readDirectory: host.readDirectory,
    isTTY: host.stdout.isTTY,
  };
  if (invocation.journal !== null) return runJournal(host, invocation, invocation.journal, inputs);
  return invocation.command === 'status'
    ? runStatus(host, invocation, inputs)
    : runConfigured(host, invocation, inputs);
}

async function runJournal(
  host: CliHost,
  invocation: Invocation,
  request: JournalRequest,
  inputs: ConfigInputs,
): Promise<number> {
  const resolution = resolveJournalDirectory(inputs);
  const problems = [...invocation.problems, ...(resolution.ok ? [] : resolution.problems)];
  if (!resolution.ok || problems.length > 0) return reportProblems(host, problems, 'arguments');
  return journal(host, { ...request, directory: resolution.directory });
}

async function runStatus(
  host: CliHost,
  invocation: Invocation,
  inputs: ConfigInputs,
): Promise<number> {
  const resolution = resolveAdmin(inputs);
  const problems = [...invocation.problems, ...(resolution.ok ? [] : resolution.problems)];
  if (!resolution.ok || problems.length > 0) return reportProblems(host, problems);
  return status(host, resolution.admin, invocation.watch);
}

async function runConfigured(
  host: CliHost,
  invocation: Invocation,
  inputs: ConfigInputs,
): Promise<number> {
  const resolution = resolveConfig(inputs);
  const problems = [...invocation.problems, ...(resolution.ok ? [] : resolution.problems)];
  if (!resolution.ok || problems.length > 0) return reportProblems(host, problems);
  if (invocation.command === 'serve') return serve(host, resolution);
  return check(host, resolution, invocation.json ? 'json' : 'text');
}

function reportProblems(
  host: CliHost,
  problems: readonly string[],
  subject = 'configuration',
): number {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  host.stderr.write(`respool: ${count} with the ${subject}\n`);
  for (const problem of problems) host.stderr.write(`  ${problem}\n`);
  return USAGE;
}
