/** Catches a sidecar in the moment that decides whether a replay is exactly once: its EXEC is sent and not answered. */
import type { ChaosForwarder, Direction } from './chaos-forwarder.js';

/** A replay batch sets the cursor; the question before it only watches and gets it. */
const BATCH = /SET\r\n\$\d+\r\nrespool:cursor:/i;
/** The answers to a transaction that is executed in the same write. */
const BATCH_ANSWER = /^(\*.*)?\+OK\r\n(\+QUEUED\r\n)+/s;

/**
 * Resolves when a connection through `network` has sent a replay batch. That connection is silent from there on until
 * `network.heal()`: `toServer` the batch itself is stopped, `toClient` it runs and only its answer is stopped.
 * Takes the forwarder's `watch`, and gives it back.
 */
export function untilReplayBatch(network: ChaosForwarder, direction: Direction): Promise<void> {
  return new Promise((resolve) => {
    const found = (): 'hold' => {
      network.watch = null;
      resolve();
      return 'hold';
    };
    network.watch = (chunk, seen) => {
      if (seen !== 'toServer' || !BATCH.test(chunk.toString('latin1'))) return 'pass';
      if (direction === 'toServer') return found();
      network.watch = (answer, side) => {
        const isAnswer = side === 'toClient' && BATCH_ANSWER.test(answer.toString('latin1'));
        return isAnswer ? found() : 'pass';
      };
      return 'pass';
    };
  });
}
