/** Builds the frames of replies that the sidecar gives itself, in the protocol that the client speaks. */

/** The protocol version that a client has chosen with HELLO. */
export type RespVersion = 2 | 3;

/** A value as Redis would send it: in RESP3 with its own type, in RESP2 as what stands for it there. */
export type ReplyValue =
  | null
  | string
  | Buffer
  | number
  | boolean
  | SimpleString
  | readonly ReplyValue[]
  | ReadonlyMap<string, ReplyValue>;

/** A status line (`+OK`) instead of a bulk string; it must not contain line breaks. */
export class SimpleString {
  constructor(readonly text: string) {}
}

/**
 * One reply frame. Strings are UTF-8. Whole numbers are integers, others doubles (RESP2: strings); true and false are 1
 * and 0 in both, as Redis' own commands say it; maps are flat arrays in RESP2.
 */
export function encodeReply(value: ReplyValue, resp: RespVersion): Buffer {
  const pieces: Uint8Array[] = [];
  append(pieces, value, resp);
  return Buffer.concat(pieces);
}

function append(pieces: Uint8Array[], value: ReplyValue, resp: RespVersion): void {
  if (value === null) line(pieces, resp === 3 ? '_' : '$-1');
  else if (typeof value === 'string' || Buffer.isBuffer(value)) bulk(pieces, Buffer.from(value));
  else if (typeof value === 'number') appendNumber(pieces, value, resp);
  else if (typeof value === 'boolean') line(pieces, `:${Number(value)}`);
  else if (value instanceof SimpleString) line(pieces, `+${value.text}`);
  else if (value instanceof Map) appendMap(pieces, value as ReadonlyMap<string, ReplyValue>, resp);
  else appendArray(pieces, value as readonly ReplyValue[], resp);
}

function appendNumber(pieces: Uint8Array[], value: number, resp: RespVersion): void {
  if (Number.isSafeInteger(value)) line(pieces, `:${value}`);
  else if (resp === 3) line(pieces, `,${value}`);
  else bulk(pieces, Buffer.from(String(value)));
}

function appendArray(pieces: Uint8Array[], values: readonly ReplyValue[], resp: RespVersion): void {
  line(pieces, `*${values.length}`);
  for (const value of values) append(pieces, value, resp);
}

function appendMap(
  pieces: Uint8Array[],
  map: ReadonlyMap<string, ReplyValue>,
  resp: RespVersion,
): void {
  line(pieces, resp === 3 ? `%${map.size}` : `*${map.size * 2}`);
  for (const [name, value] of map) {
    append(pieces, name, resp);
    append(pieces, value, resp);
  }
}

function bulk(pieces: Uint8Array[], bytes: Uint8Array): void {
  line(pieces, `$${bytes.length}`);
  pieces.push(bytes, CRLF);
}

function line(pieces: Uint8Array[], text: string): void {
  pieces.push(Buffer.from(`${text}\r\n`));
}

const CRLF = Buffer.from('\r\n');

/** Text for people: a bulk string, in RESP3 a verbatim string that says it is text. UTF-8. */
export function encodeText(text: string, resp: RespVersion): Buffer {
  const bytes = Buffer.from(text);
  const head = resp === 3 ? `=${bytes.length + 4}\r\ntxt:` : `$${bytes.length}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes, CRLF]);
}
