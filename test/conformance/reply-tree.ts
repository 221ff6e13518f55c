/**
 * Reply frames as trees: what the masks look into and what the report prints. It reads whole frames
 * only (`reply-scanner.ts` found their ends) and can write a tree back byte for byte, so a masked
 * comparison still tells `+OK` from `$2 OK` and one null from the other. It shares no code with the
 * product, which is what it judges.
 */

/** One-line values: status, error, integer, double, big number, boolean, null. */
export interface Line {
  readonly type: '+' | '-' | ':' | ',' | '(' | '#' | '_';
  readonly text: string;
}

/** Length-prefixed values: bulk, verbatim, bulk error; null only as `$-1`. Text is latin1. */
export interface Bulk {
  readonly type: '$' | '=' | '!';
  readonly text: string | null;
}

/**
 * Aggregates; null only as `*-1`. A map has keys and values in turn, an attribute too, and then, as
 * its last item, the value that it annotates.
 */
export interface Aggregate {
  readonly type: '*' | '~' | '>' | '%' | '|';
  readonly items: readonly Reply[] | null;
}

export type Reply = Line | Bulk | Aggregate;

/** The value of one whole frame. */
export function parseFrame(frame: Buffer): Reply {
  return new TreeReader(frame.toString('latin1')).read();
}

/** The exact bytes (latin1) that `parseFrame` reads as this value. */
export function encodeReply(reply: Reply): string {
  if ('items' in reply) {
    if (reply.items === null) return `${reply.type}-1\r\n`;
    const isPaired = reply.type === '%' || reply.type === '|';
    const count = isPaired ? Math.floor(reply.items.length / 2) : reply.items.length;
    return `${reply.type}${count}\r\n${reply.items.map(encodeReply).join('')}`;
  }
  if (isLine(reply)) return `${reply.type}${reply.text}\r\n`;
  if (reply.text === null) return `${reply.type}-1\r\n`;
  return `${reply.type}${reply.text.length}\r\n${reply.text}\r\n`;
}

/** True for an error in either form. */
export function isError(reply: Reply): boolean {
  return reply.type === '-' || reply.type === '!';
}

/** The value as plain JavaScript, maps as arrays of pairs in turn: for reading tables, not for judging. */
export function plain(reply: Reply): unknown {
  if ('items' in reply) return reply.items?.map(plain) ?? null;
  return reply.type === ':' ? Number(reply.text) : reply.text;
}

function isLine(reply: Line | Bulk): reply is Line {
  return reply.type !== '$' && reply.type !== '=' && reply.type !== '!';
}

class TreeReader {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Reply {
    const lineEnd = this.#text.indexOf('\r\n', this.#position);
    const type = this.#text.charAt(this.#position);
    const line = this.#text.slice(this.#position + 1, lineEnd);
    this.#position = lineEnd + 2;
    switch (type) {
      case '$':
      case '=':
      case '!':
        return { type, text: line === '-1' ? null : this.#payload(Number(line)) };
      case '*':
      case '~':
      case '>':
        return { type, items: line === '-1' ? null : this.#items(Number(line)) };
      case '%':
        return { type, items: this.#items(Number(line) * 2) };
      case '|':
        return { type, items: this.#items(Number(line) * 2 + 1) };
      case '+':
      case '-':
      case ':':
      case ',':
      case '(':
      case '#':
      case '_':
        return { type, text: line };
      default:
        throw new Error(`not a reply type: ${JSON.stringify(type)}`);
    }
  }

  #payload(sizeBytes: number): string {
    const text = this.#text.slice(this.#position, this.#position + sizeBytes);
    this.#position += sizeBytes + 2;
    return text;
  }

  #items(count: number): Reply[] {
    return Array.from({ length: count }, () => this.read());
  }
}
