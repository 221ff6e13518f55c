/**
 * Plain tables for a terminal, for `check` and `status`. Knows nothing of what it aligns, and no colours: the output is
 * also read by scripts.
 */

/** One line per row, columns padded to the widest cell (up to 60 characters), two spaces between them. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.min(60, Math.max(widths[column] ?? 0, cell.length));
    });
  }
  return rows
    .map(
      (row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd() + '\n',
    )
    .join('');
}
