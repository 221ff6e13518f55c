/** Clients over losses and outages in random orders: each command is answered once, in its place, and runs as it may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplyFramer } from '../../src/resp/reply-framer.js';
import { seededRandom } from '../conformance/random.js';
import { FUZZ_SEED, integerBelow, type Random } from '../helpers/fuzz.js';
import { MarkingServer } from '../helpers/marking-server.js';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const ROUNDS = 150;
const STEPS = 60;

interface Asked {
  readonly command: string;
  /** Of a transaction: the marks that EXEC answers with. */
  readonly marks: readonly string[];
}

/** A client, what it has asked for, and what it was told. */
class Talker {
  readonly asked: Asked[] = [];
  private heard = '';

  constructor(
    private readonly client: ProxyClient,
    readonly name: string,
  ) {}

  async say(random: Random, nextMark: () => number): Promise<void> {
    const commands: Asked[] = [];
    for (let left = 1 + integerBelow(random, 4); left > 0; left -= 1) {
      if (random() < 0.7) commands.push(this.plain(random, nextMark));
      else commands.push(...this.transaction(random, nextMark));
    }
    // In one breath, or in two.
    const cut = integerBelow(random, commands.length + 1);
    for (const part of [commands.slice(0, cut), commands.slice(cut)]) {
      this.asked.push(...part);
      if (part.length > 0) await this.client.say(...part.map(({ command }) => command));
    }
  }

  async listen(): Promise<void> {
    this.heard += (await this.client.received()).replaceAll('|', '\r\n');
  }

  /** By command: its reply, with blanks for line ends. */
  get replies(): string[] {
    const bytes = Buffer.from(this.heard);
    const framer = new ReplyFramer();
    const replies: string[] = [];
    for (let pos = 0; pos < bytes.length;) {
      const end = framer.scan(bytes, pos, bytes.length, 1);
      replies.push(bytes.toString('latin1', pos, end).replaceAll('\r\n', ' '));
      pos = end;
    }
    return replies;
  }

  private plain(random: Random, nextMark: () => number): Asked {
    const mark = String(nextMark());
    const kind = integerBelow(random, 3);
    const command = [`GET ${mark}`, `SET ${this.name} ${mark}`, `RPUSH ${this.name} ${mark}`][
      kind
    ]!;
    return { command, marks: [mark] };
  }

  private transaction(random: Random, nextMark: () => number): Asked[] {
    const queued = Array.from({ length: integerBelow(random, 3) }, () =>
      this.plain(random, nextMark),
    );
    const marks = queued.flatMap((one) => one.marks);
    return [
      { command: 'MULTI', marks: [] },
      ...queued.map(({ command }) => ({ command, marks: [] })),
      { command: 'EXEC', marks },
    ];
  }
}

/** The sidecar with two clients, an upstream and an outage store, and everything that can happen to them. */
class Stage {
  readonly proxy = new TestProxy().connected();
  readonly upstream = new MarkingServer(this.proxy.transport);
  readonly store = new MarkingServer(this.proxy.outage.transport);
  readonly talkers = ['ann', 'bob'].map((name) => new Talker(this.proxy.client(), name));
  readonly history: string[] = [];
  /** What has taken effect, or will by replay, in this order: `RPUSH ann 18`. */
  readonly effects: string[] = [];
  private journaled = 0;
  private ran = 0;
  private mark = 10;

  constructor(private readonly random: Random) {
    // The lane has been greeted; it is not to be opened again.
    this.proxy.lane.open = () => this.proxy.lane;
  }

  async step(): Promise<void> {
    const { random, proxy, upstream, store } = this;
    const { mode } = proxy.outage;
    const at = integerBelow(random, 4);
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
    for (let turn = 1; idleTurns < 10 && turn < 1000; turn += 1) {
      if (proxy.outage.mode !== 'through') {
        this.listenToStore();
        this.store.answerAll();
        proxy.outage.journal.settle();
      }
      proxy.clock.advance(50);
      const isIdle = !this.upstream.answerAll() && proxy.outage.mode === 'through';
      idleTurns = isIdle ? idleTurns + 1 : 0;
      await this.settle();
      if (turn % 20 === 0 && proxy.outage.mode !== 'through') this.turn();
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

function isError(reply: string): boolean {
  return reply.startsWith('-');
}

/** Whether this may be the reply to `asked`, and no other command's. */
function answers({ command, marks }: Asked, reply: string): boolean {
  if (isError(reply)) return /^-(UNKNOWNOUTCOME|UNAVAILABLE|EXECABORT) /.test(reply);
  if (command === 'MULTI') return reply === '+OK ';
  if (command === 'EXEC') {
    const told = reply.split(' ').filter((word) => /^:?\d+$/.test(word));
    return (
      reply.startsWith(`*${marks.length} `) &&
      told.map((word) => word.replace(':', '')).join() === marks.join()
    );
  }
  if (marks.length === 0) return reply === '+QUEUED ';
  return reply === `:${marks[0]} ` || reply === `$2 ${marks[0]} ` || reply === `$3 ${marks[0]} `;
}

/** I1: as many replies as commands, each its own. */
function checkReplies({ asked, replies, name }: Talker): void {
  assert.equal(replies.length, asked.length, `I1: ${name} is owed a reply`);
  asked.forEach((one, index) =>
    assert.ok(answers(one, replies[index]!), `I1: ${name}: ${one.command} → ${replies[index]}`),
  );
}

/** The marks of all RPUSHes of `name` that took effect, in order. */
function pushedBy(stage: Stage, name: string): number[] {
  return stage.effects
    .filter((command) => command.startsWith(`RPUSH ${name} `))
    .map((command) => Number(command.split(' ')[2]));
}

/** What may not run twice has run once when its client was told so, and at most once otherwise. */
function checkEffects(stage: Stage, { asked, replies, name }: Talker): void {
  const effects = pushedBy(stage, name);
  assert.deepEqual(
    effects,
    effects.toSorted((a, b) => a - b),
    `I4: out of order: ${name}`,
  );
  const times = (mark: string): number => effects.filter((one) => one === Number(mark)).length;
  let queued: string[] = [];
  asked.forEach(({ command, marks }, index) => {
    const reply = replies[index]!;
    if (command === 'MULTI') queued = [];
    const pushed = /^RPUSH \w+ (\d+)$/.exec(command)?.[1];
    if (pushed !== undefined && marks.length === 0) queued.push(pushed);
    const concerned =
      command === 'EXEC' ? queued : pushed !== undefined && marks.length > 0 ? [pushed] : [];
    for (const mark of concerned) {
      const where = `${name}: RPUSH ${mark} → ${reply}`;
      assert.ok(times(mark) <= 1, `I5: twice: ${where}`);
      if (!isError(reply)) assert.equal(times(mark), 1, `L: lost: ${where}`);
      else if (!reply.startsWith('-UNKNOWNOUTCOME'))
        assert.equal(times(mark), 0, `E: untrue: ${where}`);
    }
  });
}

test(`I1, I4, I5: in ${ROUNDS} random orders of losses and outages`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const stage = new Stage(seededRandom(FUZZ_SEED + round * 7919));
    try {
      for (let step = 0; step < STEPS; step += 1) await stage.step();
      await stage.drain();
      for (const talker of stage.talkers) {
        checkReplies(talker);
        checkEffects(stage, talker);
      }
    } catch (error) {
      const told = `RESPOOL_FUZZ_SEED=${FUZZ_SEED}, round ${round}: ${(error as Error).message}`;
      throw new Error(`${told}\n${stage.history.join('\n')}`, { cause: error });
    }
  }
});
