/**
 * What options name but do not hold: passwords and PEM texts in files. Everything is read once, here, so that a missing
 * file is one more problem in the list at start and not a surprise at the first connection.
 */
import { OutageRules } from '../command/rules.js';
import type { ReadMaterial, UpstreamTls } from './config.js';
import { loginOf, tlsPathsOf } from './config.js';
import { SOURCES } from './option.js';
import type { OptionName, Values } from './options.js';
import { readListenerTls, readPem } from './pem.js';
import { parseRules } from './rules-file.js';
import type { ConfigInputs, Gathered, Given } from './sources.js';

/** Longest password that is taken from a file. */
const MAX_PASSWORD_CHARACTERS = 1000;

type GivenByName = Gathered['given'];

/** Reads every file that an option names, and looks into every directory; what cannot be read or used is added to `problems`. */
export function readMaterial(
  values: Values,
  given: GivenByName,
  inputs: ConfigInputs,
  problems: string[],
): ReadMaterial {
  const attempt = <T>(
    name: OptionName,
    path: string | null,
    how: (path: string) => T,
  ): T | null => {
    if (path === null) return null;
    try {
      return how(path);
    } catch (error) {
      problems.push(`${name}: ${JSON.stringify(path)} cannot be read: ${(error as Error).message}`);
      return null;
    }
  };
  const read = (name: OptionName, path: string | null): string | null =>
    attempt(name, path, inputs.readFile);
  // What is in it is read where it can be read again (`script/script-directory`).
  attempt('scripts-dir', values['scripts-dir'], inputs.readDirectory);
  const password = (name: 'requirepass-file' | 'upstream-password-file'): string | null =>
    checkPassword(name, read(name, values[name]), problems);
  const pem = (name: 'upstream-tls-ca' | 'upstream-tls-cert' | 'upstream-tls-key'): Buffer | null =>
    readPem(name, values[name], inputs.readFile, problems);
  const listenerTls = readListenerTls(tlsPathsOf(values), inputs.readFile, problems);
  const upstreamTls: UpstreamTls = {
    ca: pem('upstream-tls-ca'),
    cert: pem('upstream-tls-cert'),
    key: pem('upstream-tls-key'),
    servername: values['upstream-tls-servername'],
  };
  const inUrl = loginOf(values.upstream)?.password ?? null;
  return {
    requirepass: strongest(
      'requirepass',
      given,
      [
        ['requirepass-file', password('requirepass-file')],
        ['requirepass', values.requirepass],
      ],
      problems,
    ),
    upstreamPassword: strongest(
      'upstream password',
      given,
      [
        ['upstream-password-file', password('upstream-password-file')],
        ['upstream-password', values['upstream-password']],
        ...(inUrl === null ? [] : [['upstream', inUrl] as const]),
      ],
      problems,
    ),
    listenerTls,
    upstreamTls,
    rules: rulesIn(values.rules, read('rules', values.rules), problems),
    isTTY: inputs.isTTY,
  };
}

function rulesIn(path: string | null, content: string | null, problems: string[]): OutageRules {
  if (path === null || content === null) return new OutageRules([]);
  const file = parseRules(content, path);
  problems.push(...file.problems);
  return new OutageRules(file.problems.length === 0 ? file.rules : []);
}

/** One password may be given in several ways; the strongest source wins, and two of equal strength are a mistake. */
function strongest(
  what: string,
  given: GivenByName,
  ways: readonly (readonly [OptionName, string | null])[],
  problems: string[],
): string | null {
  const rank = (where: Given): number => SOURCES.indexOf(where.source);
  const candidates = ways
    .flatMap(([name, value]) => {
      const where = given.get(name);
      return where === undefined ? [] : [{ where, value }];
    })
    .sort((a, b) => rank(a.where) - rank(b.where));
  const [first, second] = candidates;
  if (first === undefined) return null;
  if (second !== undefined && rank(first.where) === rank(second.where)) {
    problems.push(
      `${what}: given twice, in ${first.where.where} and in ${second.where.where}; allowed: one of them`,
    );
  }
  return first.value;
}

function checkPassword(
  name: OptionName,
  content: string | null,
  problems: string[],
): string | null {
  if (content === null) return null;
  const password = content.replace(/\r?\n$/, '');
  if (password !== '' && password.length <= MAX_PASSWORD_CHARACTERS && !/[\r\n\0]/.test(password))
    return password;
  const found = password === '' ? 'is empty' : 'holds more than a password';
  problems.push(
    `${name}: the file ${found}; allowed: one line of 1 to ${MAX_PASSWORD_CHARACTERS} characters`,
  );
  return null;
}
