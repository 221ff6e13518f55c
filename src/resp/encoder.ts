/** Builds frames: requests that the sidecar sends itself, and the few replies that it gives itself. */

export type Argument = string | number | Uint8Array;

const CRLF = Buffer.from('\r\n');

/** A request as an array of bulk strings. Strings are UTF-8. */
export function encodeCommand(parts: readonly Argument[]): Buffer {
  const pieces: Uint8Array[] = [Buffer.from(`*${parts.length}\r\n`)];
  for (const part of parts) {
    const bytes = typeof part === 'object' ? part : Buffer.from(String(part));
    pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF);
  }
  return Buffer.concat(pieces);
}

/** An error line. `text` begins with its code word (`ERR …`); line breaks in it become spaces, as Redis does. */
export function encodeError(text: string): Buffer {
  return Buffer.from(`-${text.replace(/[\r\n]/g, ' ')}\r\n`, 'latin1');
}

export const OK_REPLY = Buffer.from('+OK\r\n');
export const RESET_REPLY = Buffer.from('+RESET\r\n');
