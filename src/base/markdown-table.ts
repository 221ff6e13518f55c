/**
 * Tables in generated documentation. Cells are Markdown already; only what would break the table is escaped.
 */

/** A Markdown table with a final newline. Cells are Markdown; a `|` in them is escaped. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return line(header) + line(header.map(() => '---')) + rows.map(line).join('');
}
