/**
 * Clients over losses, outages, scripts that run too long and scripts that are forgotten, in random orders: each command
 * is answered once, in its place, and runs as it may.
 */
import { test } from 'node:test';
import { seededRandom } from '../conformance/random.js';
import { FUZZ_SEED } from '../helpers/fuzz.js';
import { checkBusy, checkEffects, checkReplies } from '../helpers/order-checks.js';
import { OrderStage } from '../helpers/order-stage.js';

const ROUNDS = 150;
const STEPS = 60;
const SCRIPTS = ['one', 'two'];

for (const [what, scripts] of [
  ['losses and outages', []],
  ['losses, outages, busy scripts and forgotten ones', SCRIPTS],
] as const) {
  test(`I1, I4, I5: in ${ROUNDS} random orders of ${what}`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const stage = new OrderStage(seededRandom(FUZZ_SEED + round * 7919), scripts);
      try {
        for (let step = 0; step < STEPS; step += 1) await stage.step();
        await stage.drain();
        for (const talker of stage.talkers) {
          checkReplies(talker);
          checkEffects(stage, talker);
          checkBusy(talker);
        }
      } catch (error) {
        const told = `RESPOOL_FUZZ_SEED=${FUZZ_SEED}, round ${round}: ${(error as Error).message}`;
        throw new Error(`${told}\n${stage.history.join('\n')}`, { cause: error });
      }
    }
  });
}
