/**
 * Reads a Dockerfile and a .dockerignore far enough to stage an image by hand: instructions in
 * order, grouped by stage. It knows the forms that this project uses, and throws on others.
 */

export interface Instruction {
  readonly name: string;
  /** Everything after the name, continuation lines joined with spaces. */
  readonly text: string;
}

/** The instructions from one FROM to the next. */
export interface Stage {
  /** Its name after AS, or its index. */
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  /** The stage it copies from; null is the build context. */
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly target: string;
}

export function parseDockerfile(text: string): Stage[] {
  const stages: { name: string; instructions: Instruction[] }[] = [];
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  const whole = lines.join('\n').replace(/\\\n\s*/g, '');
  for (const line of whole.split('\n')) {
    const match = /^\s*([A-Z]+)\s+(.+)$/.exec(line);
    if (match === null) throw new Error(`Dockerfile: not an instruction: ${line}`);
    const [, name = '', rest = ''] = match;
    if (name === 'FROM') {
      const alias = /\sAS\s+(\S+)$/i.exec(rest)?.[1] ?? String(stages.length);
      stages.push({ name: alias, instructions: [] });
    }
    stages.at(-1)?.instructions.push({ name, text: rest });
  }
  return stages;
}

/** The texts of a stage's instructions of one name. */
export function textsOf(stage: Stage, name: string): string[] {
  return stage.instructions.filter((one) => one.name === name).map(({ text }) => text);
}

export function parseCopy(text: string): Copy {
  const words = text.split(/\s+/);
  const options = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const from = options.map((option) => /^--from=(.+)$/.exec(option)?.[1]);
  if (from.length > 1 || from.includes(undefined) || paths.length < 2) {
    throw new Error(`Dockerfile: a form of COPY that is not known here: ${text}`);
  }
  return { from: from[0] ?? null, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
}

/** `["a", "b"]` of ENTRYPOINT, or after CMD in a HEALTHCHECK; throws on a shell form. */
export function parseExecForm(text: string): string[] {
  const parsed: unknown = JSON.parse(/(\[.*\])\s*$/.exec(text)?.[1] ?? 'null');
  if (!Array.isArray(parsed) || !parsed.every((word) => typeof word === 'string')) {
    throw new Error(`Dockerfile: not the exec form: ${text}`);
  }
  return parsed;
}

/** `A=1 B=2` of ENV. */
export function parseEnv(text: string): Record<string, string> {
  const pairs = text.split(/\s+/).map((pair): [string, string] => {
    const [name = '', ...value] = pair.split('=');
    return [name, value.join('=')];
  });
  return Object.fromEntries(pairs);
}

/** Whether .dockerignore keeps a path (relative, with `/`) out of the build context. */
export function isIgnored(path: string, dockerignore: string): boolean {
  const prefixes = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  let ignored = false;
  for (const line of dockerignore.split('\n')) {
    const pattern = line.trim();
    if (pattern === '' || pattern.startsWith('#')) continue;
    const regex = patternToRegex(pattern.replace(/^!/, ''));
    if (prefixes.some((prefix) => regex.test(prefix))) ignored = !pattern.startsWith('!');
  }
  return ignored;
}

function patternToRegex(pattern: string): RegExp {
  const source = pattern
    .replace(/^\/|\/$/g, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (glob) => {
      if (glob === '?') return '[^/]';
      if (glob === '*') return '[^/]*';
      return glob === '**' ? '.*' : '(?:.*/)?';
    });
  return new RegExp(`^${source}$`);
}
