/**
 * A terminal that shows one picture after the other in the same place. A picture is written in one go, line over line, so
 * that nothing flickers; it is cut to the terminal's size, so that nothing scrolls. What was there before comes back in
 * the end. Knows nothing of what it shows.
 */
import type { Output } from './host.js';

export type Style = 'plain' | 'bold' | 'dim' | 'good' | 'notice' | 'trouble' | 'danger';

/** Pieces of text, each in a style of its own. No control characters. */
export type Line = readonly (readonly [text: string, style: Style])[];

/** Select Graphic Rendition, ECMA-48. */
const CODES: Readonly<Record<Style, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  good: '1;32',
  notice: '1;34',
  trouble: '1;33',
  danger: '1;31',
};

/** The other screen of the terminal, without a cursor; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';
const USUAL_SIZE = { columns: 80, rows: 24 };

export class Terminal {
  constructor(
    private readonly output: Output,
    private readonly hasColours: boolean,
  ) {
    output.write(ENTER);
  }

  get columns(): number {
    return this.size.columns;
  }

  /** Shows this instead of what is there. */
  show(lines: readonly Line[]): void {
    const { columns, rows } = this.size;
    const drawn = lines.slice(0, rows).map((line) => this.draw(line, columns) + REST_OF_LINE);
    this.output.write(HOME + drawn.join('\r\n') + REST_OF_SCREEN);
  }

  /** Gives the screen back; `last` stays on it. */
  leave(last: readonly Line[]): void {
    const { columns } = this.size;
    this.output.write(LEAVE + last.map((line) => `${this.draw(line, columns)}\n`).join(''));
  }

  private get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.output.size ?? USUAL_SIZE;
    // A terminal that does not know its size says 0.
    return { columns: columns || USUAL_SIZE.columns, rows: rows || USUAL_SIZE.rows };
  }

  private draw(line: Line, columns: number): string {
    let room = columns;
    let drawn = '';
    for (const [text, style] of line) {
      const shown = [...text].slice(0, room).join('');
      room -= [...shown].length;
      const code = this.hasColours ? CODES[style] : '';
      drawn += code === '' ? shown : `\x1b[${code}m${shown}\x1b[0m`;
    }
    return drawn;
  }
}
