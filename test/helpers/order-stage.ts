/** The stage of the random orders: the sidecar with two clients, and everything that can happen to them. */
import { integerBelow, type Random } from './fuzz.js';
import { MarkingServer } from './marking-server.js';
import { Talker } from './order-talker.js';
import { TestProxy } from './test-proxy.js';

/** The sidecar with two clients, an upstream and an outage store, and everything that can happen to them. */
export class OrderStage {
  readonly proxy = new TestProxy().connected();
  readonly upstream = new MarkingServer(this.proxy.transport);
  readonly store = new MarkingServer(this.proxy.outage.transport);
  readonly talkers: readonly Talker[];
  readonly history: string[] = [];
  /** What has taken effect, or will by replay, in this order: `RPUSH ann 18`. */
  readonly effects: string[] = [];
  private journaled = 0;
  private ran = 0;
  private mark = 10;

  /** `scripts`: sources that clients run; the upstream forgets them, and is busy with them, at any time. */
  constructor(
    private readonly random: Random,
    private readonly scripts: readonly string[] = [],
  ) {
    for (const source of scripts) this.proxy.scripts.registry.learn(Buffer.from(source));
    this.talkers = ['ann', 'bob'].map((name) => new Talker(this.proxy.client(), name, scripts));
    // The lane has been greeted; it is not to be opened again.
    this.proxy.lane.open = () => this.proxy.lane;
  }

  async step(): Promise<void> {
    const { random, proxy, upstream, store } = this;
    const { mode } = proxy.outage;
    const at = integerBelow(random, 4);
    if (this.scripts.length > 0 && random() < 0.15) this.beScripted();
    const roll = random();
    if (roll < 0.3) {
      this.note(`client ${at % 2} speaks`);
      await this.talkers[at % 2]!.say(random, () => (this.mark += 1));
    } else if (roll < 0.55) {
      this.note('the upstream answers');
      upstream.answer(at, 1 + integerBelow(random, 4));
    } else if (roll < 0.7 && mode !== 'through') {
      this.note('the store answers');
      this.listenToStore();
      store.answer(at, 1 + integerBelow(random, 4));
    } else if (roll < 0.8) {
      this.note('the journal settles');
      proxy.outage.journal.settle(1 + integerBelow(random, 3));
    } else if (roll < 0.86 && mode !== 'outage') {
      this.note('a connection is lost');
      upstream.lose(at, integerBelow(random, 3));
    } else if (roll < 0.94) {
      this.note(`from ${mode} onwards`);
      this.turn();
    } else {
      this.note('time passes');
      proxy.clock.advance(20 + integerBelow(random, 100));
    }
    await this.settle();
  }

  /** What is outstanding is answered, and the outage ends. */
  async drain(): Promise<void> {
    const { proxy } = this;
    let idleTurns = 0;
    this.upstream.isBusy = false;
    for (let turn = 1; idleTurns < 10 && turn < 1000; turn += 1) {
      if (proxy.outage.mode !== 'through') {
        this.listenToStore();
        this.store.answerAll();
        proxy.outage.journal.settle();
      }
      proxy.clock.advance(50);
      const isThrough = proxy.outage.mode === 'through' && !proxy.upstream.busy.isBusy;
      const isIdle = !this.upstream.answerAll() && isThrough;
      idleTurns = isIdle ? idleTurns + 1 : 0;
      await this.settle();
      if (turn % 20 === 0 && proxy.outage.mode !== 'through') this.turn();
    }
  }

  /** A script begins to run, or ends, or all are forgotten. */
  private beScripted(): void {
    const { upstream } = this;
    if (this.random() < 0.4) {
      this.note('scripts are forgotten');
      upstream.scripts.clear();
    } else {
      upstream.isBusy = !upstream.isBusy;
      this.note(upstream.isBusy ? 'the upstream is busy' : 'the upstream is not busy any more');
    }
  }

  private note(what: string): void {
    this.history.push(what);
  }

  private async settle(): Promise<void> {
    this.collect();
    this.proxy.clock.endTick();
    for (const talker of this.talkers) await talker.listen();
    this.proxy.clock.endTick();
  }

  private collect(): void {
    const { contents } = this.proxy.outage.journal;
    for (const record of contents.slice(this.journaled))
      this.effects.push(...(record.match(/(SET|RPUSH) \w+ \d+/g) ?? []));
    this.effects.push(...this.upstream.ran.slice(this.ran));
    this.journaled = contents.length;
    this.ran = this.upstream.ran.length;
  }

  /** The next change of an outage, where it may come. */
  private turn(): void {
    const { proxy } = this;
    switch (proxy.outage.mode) {
      case 'through':
        this.upstream.listen();
        proxy.begin();
        this.store.use(proxy.outage.transport);
        proxy.outage.lane.open = () => proxy.outage.lane;
        return;
      case 'outage':
        proxy.upstream.resume();
        return proxy.outage.enter('replaying');
      case 'replaying':
      case 'change-over':
        if (proxy.outage.desk.isIdle) proxy.end();
        else proxy.outage.enter('change-over');
    }
  }

  private listenToStore(): void {
    this.store.listen();
    this.proxy.clock.endTick();
  }
}
