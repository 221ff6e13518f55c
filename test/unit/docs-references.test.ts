/** Hand-written documentation names files and functions; here they are looked up, so that a renamed one is noticed. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { projectFiles, projectRoot, readProjectFile } from '../helpers/project.js';

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...['docs', 'examples'].flatMap((folder) =>
    projectFiles(folder).map((file) => `${folder}/${file}`),
  ),
].filter((file) => file.endsWith('.md'));

/** Text outside of code blocks: what stands in them is not prose. */
function proseOf(page: string): string {
  return readProjectFile(page).replace(/^```[\s\S]*?^```$/gm, '');
}

test('every relative link of the documentation leads to a file of the project', () => {
  const broken: string[] = [];
  for (const page of PAGES) {
    for (const [, target = ''] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|#)/.test(target)) continue;
      const path = normalize(join(dirname(page), target.replace(/#.*$/, '')));
      if (!existsSync(join(projectRoot, path))) broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every decision is in the list of decisions', () => {
  const list = readProjectFile('docs/decisions/README.md');
  const pages = projectFiles('docs/decisions').filter((file) => file !== 'README.md');
  assert.deepEqual(
    pages.filter((file) => !list.includes(`](${file})`)),
    [],
  );
});

test('every file and function that docs/architecture.md and the decisions name exists', () => {
  const sources = projectFiles('src');
  const missing: string[] = [];
  for (const page of PAGES.filter((name) => /architecture|decisions/.test(name))) {
    for (const [, file = '', name] of proseOf(page).matchAll(REFERENCE)) {
      if (name === undefined && !file.includes('/')) continue;
      // A path, or where it is clear which one is meant, the file's name alone.
      const named = sources.filter((path) => `/${path}`.endsWith(`/${file}.ts`));
      const found =
        name === undefined ? named : named.filter((path) => mentions(`src/${path}`, name));
      if (found.length === 0) missing.push(`${page}: ${file} › ${name ?? ''}`);
    }
  }
  assert.deepEqual(missing, []);
});

/** `proxy/route` and `proxy/route › passTable`; what ends in a slash is a folder. */
const REFERENCE = /`((?:[a-z]+\/)?[a-z-]+)(?:\s›\s(\w+))?`/g;

function mentions(path: string, name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(readProjectFile(path));
}
