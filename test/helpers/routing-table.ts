/** The tables of docs/routing.md, as the tests of routing read them: the checked-in word of what goes where. */
import { readProjectFile } from './project.js';

/** By its first cell, without the marks of code: the other cells of each row under `heading`. */
export function routingTable(heading: string): Map<string, string[]> {
  const section = readProjectFile('docs/routing.md')
    .split(`## ${heading}\n`)[1]!
    .split('\n## ')[0]!;
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((row) => {
      const [label, ...cells] = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim());
      return [label!, cells];
    }),
  );
}
