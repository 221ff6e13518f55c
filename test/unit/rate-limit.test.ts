import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox } from '../../src/downstream/outbox.js';
import { RateLimit } from '../../src/downstream/rate-limit.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { RecordingHandler, TestClient, turn } from '../helpers/test-client.js';

/** A client that may send 100 commands per second, 10 at once. */
class Stage {
  readonly clock = new FakeClock();
  readonly handler = new RecordingHandler();
  readonly client: TestClient;
  limit!: RateLimit;
  slowedDown = 0;

  constructor() {
    const { clock, handler } = this;
    this.client = new TestClient({
      clock,
      outbox: new Outbox(clock),
      handlerFor: (connection) =>
        (this.limit = new RateLimit(handler, {
          perSecond: 100,
          burst: 10,
          clock,
          resume: () => connection.resume(),
          onSlowedDown: () => (this.slowedDown += 1),
        })),
    });
  }

  /** Sends `count` commands in one chunk: GET passes unseen, `name` may not. */
  send(count: number, name = 'GET'): Promise<void> {
    return this.client.send(Buffer.concat(Array(count).fill(encodeCommand(name, 'k'))));
  }

  async afterMs(durationMs: number): Promise<number> {
    for (let at = 0; at < durationMs; at += 10) {
      this.clock.advance(10);
      await turn();
    }
    return this.taken;
  }

  /** Commands that the handler has got. */
  get taken(): number {
    return this.handler.bytes.split('*2\r\n').length - 1;
  }
}

for (const name of ['GET', 'SELECT']) {
  test(`${name}: a burst passes at once, the rest at the rate`, async () => {
    const stage = new Stage();
    await stage.send(50, name);
    assert.equal(stage.taken, 10);
    assert.equal(await stage.afterMs(100), 20);
    assert.equal(await stage.afterMs(200), 40);
    assert.equal(await stage.afterMs(1000), 50);
    assert.equal(stage.clock.timerCount, 0);
    assert.ok(stage.slowedDown > 0);
  });
}

test('what was not used is saved up, and no more than the burst', async () => {
  const stage = new Stage();
  await stage.afterMs(60_000);
  await stage.send(10);
  assert.equal(stage.taken, 10);
  await stage.send(30);
  assert.equal(stage.taken, 10);
  assert.equal(await stage.afterMs(50), 15);
});

test('a client within its rate never waits', async () => {
  const stage = new Stage();
  for (let n = 1; n <= 50; n += 1) {
    await stage.send(1);
    assert.equal(stage.taken, n);
    await stage.afterMs(10);
  }
  assert.equal(stage.slowedDown, 0);
});

test('a command that the handler puts off costs nothing', async () => {
  const stage = new Stage();
  stage.handler.stalling.add('select');
  await stage.send(1, 'SELECT');
  for (let n = 0; n < 20; n += 1) stage.client.connection.resume();
  stage.handler.stalling.clear();
  stage.client.connection.resume();
  await stage.send(9);
  assert.equal(stage.taken, 10);
});

test('an input that ends while it waits is taken to its end', async () => {
  const stage = new Stage();
  await stage.send(15);
  await stage.client.endInput();
  await stage.afterMs(100);
  assert.equal(stage.taken, 15);
  assert.equal(stage.handler.events.at(-1), 'input ended');
});

test('once it is lifted, what waits passes at once', async () => {
  const stage = new Stage();
  await stage.send(50);
  stage.limit.lift();
  assert.equal(stage.taken, 50);
  await stage.send(50);
  assert.equal(stage.taken, 100);
});
