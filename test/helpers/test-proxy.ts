/**
 * The sidecar's inside without its sockets: clients on stream pairs, an upstream on fake streams, and a clock that stands
 * still. The test plays both ends: what clients send, and what the upstream says.
 */
import { silentLogger } from '../../src/base/logger.js';
import { IdentityRegister } from '../../src/command/connection-state.js';
import { Outbox } from '../../src/downstream/outbox.js';
import type { ProxyContext } from '../../src/proxy/context.js';
import { Dispatcher } from '../../src/proxy/dispatcher.js';
import { Observer } from '../../src/proxy/observer.js';
import { Session } from '../../src/session/session.js';
import { Upstream } from '../../src/upstream/upstream.js';
import { FakeClock } from './fake-clock.js';
import { FakeTransport, type FakeStream } from './fake-transport.js';
import { encodeCommand } from './raw-client.js';
import { TestClient, turn } from './test-client.js';

export const HOLD_MS = 1000;

export interface TestProxyOptions {
  password?: string;
}

export class TestProxy {
  readonly clock = new FakeClock();
  readonly outbox = new Outbox(this.clock);
  readonly transport = new FakeTransport();
  readonly observer = new Observer();
  readonly upstream: Upstream;
  readonly #context: ProxyContext;

  constructor({ password }: TestProxyOptions = {}) {
    const { clock, transport, observer, outbox } = this;
    const identities = new IdentityRegister();
    const identity = identities.identityOf(null);
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
      holdMs: HOLD_MS,
      sharedLanes: 1,
      maxPinned: 10,
      onFailure: () => undefined,
      onDelivered: () => outbox.flush(),
    });
    this.#context = {
      clock,
      observer,
      pool: this.upstream.pool,
      silence: this.upstream.silence,
      password: password === undefined ? null : Buffer.from(password),
      upstreamTimeoutMs: 2000,
      newSession: () => new Session(identity, this.upstream.homeState, identities),
      laneFor: (session) => this.upstream.lane(session.identity, session.state),
      isStranger: (one) => one.credentials === null && this.upstream.refusesStrangers,
      refusal: () => null,
      filterPassing: (passes) => passes,
      lingers: () => undefined,
      left: () => undefined,
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
    this.lane.open();
    this.lane.say('+OK\r\n');
    this.lane.sent();
    return this;
  }

  client(): ProxyClient {
    return new ProxyClient(this, this.#context);
  }
}

export class ProxyClient {
  readonly #end: TestClient;
  #seen = 0;

  constructor(
    private readonly proxy: TestProxy,
    context: ProxyContext,
  ) {
    const { clock, outbox } = proxy;
    const handlerFor = (connection: TestClient['connection']): Dispatcher =>
      new Dispatcher(connection, context);
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
