/**
 * Takes the arguments of a request apart: positions only, no byte is copied or decoded. Stands behind the framer, on the
 * way of everything that is written while the upstream is away, so it trusts what the framer has checked.
 */

const CR = 13;
const ZERO = 48;

/**
 * The arguments of one complete request frame (an array of bulk strings that a framer has accepted), the command's name
 * first. They are views of `frame`: what outlives it must be copied.
 */
export function splitArguments(frame: Buffer): Buffer[] {
  const args: Buffer[] = [];
  let left = 0;
  let at = 1;
  for (; frame[at] !== CR; at += 1) left = left * 10 + (frame[at]! - ZERO);
  for (; left > 0; left -= 1) {
    // Over the line feed and the dollar of `…\r\n$n\r\n`.
    let length = 0;
    for (at += 3; frame[at] !== CR; at += 1) length = length * 10 + (frame[at]! - ZERO);
    const start = at + 2;
    at = start + length;
    args.push(frame.subarray(start, at));
  }
  return args;
}

/** How many arguments the frame has, the command's name included. */
export function argumentCount(frame: Buffer): number {
  let count = 0;
  for (let at = 1; frame[at] !== CR; at += 1) count = count * 10 + (frame[at]! - ZERO);
  return count;
}
