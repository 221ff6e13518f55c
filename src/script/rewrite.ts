/**
 * EVALSHA as EVAL: the same command, with the script's source in the place of its sha1. Pure; what the client sees is the
 * same reply.
 *
 *   *4 $7 EVALSHA $40 e0e1f9fa… $1 1 $1 k        what came
 *   *4 $4 EVAL    $13 return 'hi'; $1 1 $1 k     what is sent
 *      └─ replaced ──────────────┘ └ as it was
 */

const LINE_FEED = 10;
const EVALSHA_BYTES = 'EVALSHA'.length;

/**
 * `frame`, a whole EVALSHA or EVALSHA_RO, as EVAL or EVAL_RO of `source`; from the number of keys on byte for byte.
 * `args` are the frame's arguments, views of it. The result is a buffer of its own.
 */
export function withSource(frame: Buffer, args: readonly Buffer[], source: Buffer): Buffer {
  const sha = args[1]!;
  const name = args[0]!.length === EVALSHA_BYTES ? '$4\r\nEVAL' : '$7\r\nEVAL_RO';
  const head = Buffer.from(`${name}\r\n$${source.length}\r\n`, 'latin1');
  const countEnd = frame.indexOf(LINE_FEED) + 1;
  const restStart = sha.byteOffset - frame.byteOffset + sha.length;
  const count = frame.subarray(0, countEnd);
  return Buffer.concat([count, head, source, frame.subarray(restStart)]);
}
