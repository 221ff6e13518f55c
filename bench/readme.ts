/**
 * The numbers in bench/README.md: each scenario has a block of its own between two comments, so that one can be measured
 * again without the others. What is outside of the blocks is written by people and left alone.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';

/** Puts `body` between `<!-- name -->` and `<!-- /name -->`. Throws if the text has no such block. */
export function replaceBlock(text: string, name: string, body: string): string {
  const [opening, closing] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = text.indexOf(opening);
  const end = text.indexOf(closing);
  if (start < 0 || end < start) throw new Error(`bench/README.md has no block "${name}"`);
  return `${text.slice(0, start + opening.length)}\n\n${body.trim()}\n\n${text.slice(end)}`;
}

/** Rewrites the blocks in `file`. */
export function writeBlocks(file: string, blocks: ReadonlyMap<string, string>): void {
  let text = readFileSync(file, 'utf8');
  for (const [name, body] of blocks) text = replaceBlock(text, name, body);
  writeFileSync(file, text);
}

/** When and in which company it was measured: others on the same machine make all numbers worse. */
export function occasion(): string {
  const minute = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return `${minute} UTC, load average before it ${(loadavg()[0] ?? 0).toFixed(1)}`;
}

/** The machine and the versions, as a list. */
export function machine(): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const lines = [
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores shared by everything, ${gigabytes} GB`,
    `Linux ${release()}, everything on 127.0.0.1`,
    `journals and append-only files on ${filesystem()}`,
    `Node.js ${process.versions.node}, V8 ${process.versions.v8}`,
    versionOf('redis-server', ['--version'], /v=(\S+)/),
    versionOf('nutcracker', ['--version'], /nutcracker-(\S+)/),
    versionOf('haproxy', ['-v'], /version (\S+)/),
  ];
  return lines.map((line) => `- ${line}\n`).join('');
}

/** A durable write to memory would cost nothing: what the temporary directory lies on. */
function filesystem(): string {
  const output = execFileSync('df', ['--output=fstype', tmpdir()], { encoding: 'utf8' });
  return output.trim().split('\n').at(-1) ?? 'an unknown file system';
}

function versionOf(program: string, args: readonly string[], pattern: RegExp): string {
  try {
    // nutcracker prints its version on stderr.
    const shell = `${program} ${args.join(' ')} 2>&1`;
    const output = execFileSync('sh', ['-c', shell], { encoding: 'utf8' });
    return `${program} ${pattern.exec(output)?.[1] ?? 'of an unknown version'}`;
  } catch {
    return `${program}: not installed`;
  }
}
