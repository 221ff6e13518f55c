/**
 * Where the project's files are, for tests that read them: the compiled tests run from build/, or
 * from any other output directory when started inside the clone.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's root directory. */
export const projectRoot = nearest('scripts/prepare.mjs') ?? process.cwd();

/** The built program: beside this build if it has one, otherwise the clone's. */
export function mainFile(): string {
  return join(nearest('dist/main.js') ?? projectRoot, 'dist', 'main.js');
}

/** A project file's text. */
export function readProjectFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

/** All files under a directory of the project, relative to it, with `/`, sorted. */
export function projectFiles(directory: string): string[] {
  const root = join(projectRoot, directory);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** The closest directory above this file that contains `path`. */
function nearest(path: string): string | null {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (directory !== dirname(directory)) {
    if (existsSync(join(directory, path))) return directory;
    directory = dirname(directory);
  }
  return null;
}
