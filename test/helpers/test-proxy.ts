/**
 * The sidecar's inside without its sockets: clients on stream pairs, an upstream on fake streams, and a clock that stands
 * still. The test plays both ends: what clients send, and what the upstream says.
 */
import { silentLogger } from '../../src/base/logger.js';
import { IdentityRegister, type Identity } from '../../src/command/connection-state.js';
import { Outbox } from '../../src/downstream/outbox.js';
import type { Backend } from '../../src/proxy/backend.js';
import type { ProxyContext } from '../../src/proxy/context.js';
import { Dispatcher } from '../../src/proxy/dispatcher.js';
import { Observer } from '../../src/proxy/observer.js';
import { ScriptLookup, type Scripts } from '../../src/proxy/script-lookup.js';
import { withoutScripting } from '../../src/proxy/scripting.js';
import { ScriptRegistry } from '../../src/script/registry.js';
import { Session } from '../../src/session/session.js';
import { BUSY_WORDS, CANNOT_SERVE, NO_SCRIPT } from '../../src/upstream/unserved.js';
import { Upstream } from '../../src/upstream/upstream.js';
import { FakeClock } from './fake-clock.js';
import { FakeTransport, type FakeStream } from './fake-transport.js';
import { encodeCommand } from './raw-client.js';
import { STATUS_HEALTHY } from './sample-status.js';
import { TestClient, turn } from './test-client.js';
import { TestOutage } from './test-outage.js';

export const HOLD_MS = 1000;
export const BUSY_WAIT_MS = 10_000;
/** A lane that was lost right after it was made is made again no sooner. */
const REMADE_WITHIN_MS = 110;

export interface TestProxyOptions {
  password?: string;
  /** The sidecar's own credentials; none, usually. */
  credentials?: Identity['credentials'];
  /** Connections ask for their ids, and lost ones are killed before anything is said again. Default: false. */
  isFenced?: boolean;
  /** Scripts pass as they come. Default: they are learned and healed. */
  passesScripts?: boolean;
  /** What is not passed on. Default: everything is. */
  refusal?: ProxyContext['refusal'];
}

export class TestProxy {
  readonly clock = new FakeClock();
  readonly outbox = new Outbox(this.clock);
  readonly transport = new FakeTransport();
  readonly observer = new Observer();
  readonly identities = new IdentityRegister();
  readonly upstream: Upstream;
  readonly outage: TestOutage;
  readonly #context: ProxyContext;
  readonly #dispatchers = new Set<Dispatcher>();
  readonly #isFenced: boolean;
  #lanes = 0;
  readonly scripts: Scripts;

  constructor({
    password,
    credentials = null,
    isFenced = false,
    passesScripts = false,
    refusal = () => null,
  }: TestProxyOptions = {}) {
    this.#isFenced = isFenced;
    const { clock, transport, observer, outbox, identities } = this;
    const identity = identities.identityOf(credentials);
    this.upstream = new Upstream({
      transport,
      identity,
      initialDb: 0,
      clock,
      random: () => 0.5,
      logger: silentLogger,
      traffic: observer,
      timeoutMs: 2000,
      slowTimeoutMs: 60_000,
      busyWaitMs: 60_000,
      holdMs: HOLD_MS,
      sharedLanes: 1,
      maxPinned: 10,
      isFenced,
      onFailure: () => undefined,
      unservedWords: [...CANNOT_SERVE, ...BUSY_WORDS, NO_SCRIPT],
      onBusyChange: () => this.#dispatchers.forEach((dispatcher) => dispatcher.busyChanged()),
      onDelivered: () => outbox.flush(),
    });
    const registry = new ScriptRegistry({ maxBytes: 1024 * 1024 });
    const lookup = new ScriptLookup({
      clock,
      registry,
      busy: this.upstream.busy,
      ask: (command, answered) => this.upstream.ask(command, answered),
    });
    this.scripts = { registry, lookup };
    this.outage = new TestOutage({
      clock,
      outbox,
      identities,
      identity,
      fences: () => this.upstream.fences,
      modeChanged: () => this.#dispatchers.forEach((dispatcher) => dispatcher.modeChanged()),
    });
    this.#context = {
      clock,
      observer,
      upstream: this.#backend(),
      outage: this.outage,
      scripts: passesScripts ? null : this.scripts,
      busyWaitMs: BUSY_WAIT_MS,
      losesSightOfBlocked: false,
      password: password === undefined ? null : Buffer.from(password),
      control: { status: () => STATUS_HEALTHY, outage: null },
      upstreamTimeoutMs: 2000,
      newSession: () => new Session(identity, this.upstream.homeState, identities),
      isStranger: (one) => one.credentials === null && this.upstream.refusesStrangers,
      refusal,
      filterPassing: passesScripts ? (passes) => passes : withoutScripting,
      lingers: () => undefined,
      left: (client) => this.#dispatchers.delete(client as Dispatcher),
    };
  }

  /** The stream of the first shared lane. */
  get lane(): FakeStream {
    return this.transport.streams[0]!;
  }
  /** The stream opened last: the connection of whoever needed one of its own. */
  get own(): FakeStream {
    return this.transport.last;
  }

  /** The home lane is connected and has got its name. */
  connected(): this {
    this.#greet(this.lane.open());
    return this;
  }

  /** A lost connection has been made again: opened, and told what waited for it. Returns its stream. */
  remade(): FakeStream {
    const before = this.transport.streams.length;
    this.clock.advance(REMADE_WITHIN_MS);
    const stream = this.transport.streams[before] ?? this.transport.last;
    stream.open();
    this.clock.endTick();
    return stream;
  }

  /** The same of the home lane, which says its name first. */
  remadeLane(): FakeStream {
    const stream = this.remade();
    this.#greet(stream);
    this.clock.endTick();
    return stream;
  }

  /** The upstream is away: its connections are given up, and the outage store stands in for it. */
  begin(): this {
    this.outage.startStore();
    this.outage.enter('outage');
    this.upstream.suspend(new Error('gone'));
    this.clock.endTick();
    return this;
  }

  /** It is back; what the journal holds is on its way to it. */
  returned(): this {
    const before = this.transport.streams.length;
    this.upstream.resume();
    this.outage.enter('replaying');
    this.clock.endTick();
    this.#greet(this.transport.streams[before]!.open());
    return this;
  }

  /** It has everything: commands go through again, and the store ends. */
  end(): this {
    this.outage.enter('through');
    this.outage.endStore();
    this.clock.endTick();
    return this;
  }

  client(): ProxyClient {
    const handlerFor = (connection: TestClient['connection']): Dispatcher => {
      const dispatcher = new Dispatcher(connection, this.#context);
      this.#dispatchers.add(dispatcher);
      return dispatcher;
    };
    return new ProxyClient(this, handlerFor);
  }

  /** Answers what a lane says first: its name, and what the upstream calls it, `id=1 addr=lane:1`. */
  #greet(lane: FakeStream): void {
    this.#lanes += 1;
    const info = `id=${this.#lanes} addr=lane:${this.#lanes}`;
    lane.sent();
    lane.say(`+OK\r\n${this.#isFenced ? `$${info.length}\r\n${info}\r\n` : ''}`);
  }

  #backend(): Backend {
    const { upstream } = this;
    return {
      pool: upstream.pool,
      silence: upstream.silence,
      kills: upstream.kills,
      demotion: upstream.demotion,
      busy: upstream.busy,
      laneFor: (session) => upstream.lane(session.identity, session.state),
      identityOf: (session) => session.identity,
    };
  }
}

export class ProxyClient {
  readonly #end: TestClient;
  #seen = 0;

  constructor(
    private readonly proxy: TestProxy,
    handlerFor: (connection: TestClient['connection']) => Dispatcher,
  ) {
    const { clock, outbox } = proxy;
    this.#end = new TestClient({ clock, outbox, handlerFor }).reading();
  }

  get isClosed(): boolean {
    return this.#end.sawEnd || this.#end.socket.destroyed;
  }

  /** Sends commands, each given as its words, in one chunk, and ends the tick. */
  async say(...commands: string[]): Promise<void> {
    await this.sendBytes(
      Buffer.concat(commands.map((command) => encodeCommand(...command.split(' ')))),
    );
  }

  async sendBytes(bytes: Buffer): Promise<void> {
    await this.#end.send(bytes);
    this.proxy.clock.endTick();
    await turn();
  }

  /** What has come since the last look, with `|` for line ends. */
  async received(): Promise<string> {
    this.proxy.clock.endTick();
    await turn();
    const all = this.#end.chunks.join('');
    const fresh = all.slice(this.#seen);
    this.#seen = all.length;
    return fresh.replaceAll('\r\n', '|');
  }

  /** Stops sending; the client still reads. */
  endInput(): Promise<void> {
    return this.#end.endInput();
  }

  /** Is hung up on by the sidecar. */
  hangUp(): void {
    this.#end.connection.finish(null);
  }

  /** Is gone without a word. */
  async vanish(): Promise<void> {
    this.#end.socket.destroy();
    await turn();
  }
}

/** For `TestOutage.serves`: the upstream is what it is, and always was. */
export const NEVER_SERVED = (): boolean => false;
