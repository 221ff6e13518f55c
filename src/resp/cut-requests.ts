/** Takes request frames apart that a framer has already checked. */
import { COMMAND, RequestFramer } from './request-framer.js';

/** The frames that stand back to back in `requests`, as views of it. Throws when they are not whole. */
export function cutRequests(requests: Buffer): Buffer[] {
  const framer = new RequestFramer(Infinity);
  const frames: Buffer[] = [];
  for (let pos = 0; pos < requests.length;) {
    if (framer.next(requests, pos, requests.length) !== COMMAND)
      throw new Error('requests that were kept are whole frames');
    frames.push(requests.subarray(pos, framer.frameEnd));
    pos = framer.frameEnd;
  }
  return frames;
}
