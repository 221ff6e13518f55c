/** An upstream connection over a fake stream and a clock that stands still, and what it told its owner. */
import {
  FRESH_STATE,
  IdentityRegister,
  type ConnectionState,
  type Identity,
} from '../../src/command/connection-state.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import type { ErrorJudge } from '../../src/resp/reply-framer.js';
import {
  UpstreamConnection,
  type ConnectionKind,
  type ConnectionOptions,
  type Unsent,
  type UpstreamTraffic,
} from '../../src/upstream/connection.js';
import type { FenceRegister } from '../../src/upstream/fences.js';
import { PROMPT, type Patience } from '../../src/upstream/in-flight.js';
import type { ReplyReceiver } from '../../src/upstream/receiver.js';
import type { ReplyWatch } from '../../src/upstream/reply-watch.js';
import { Silence } from '../../src/upstream/silence.js';
import { FakeClock } from './fake-clock.js';
import { FakeTransport, type FakeStream } from './fake-transport.js';

export class TestTraffic implements UpstreamTraffic {
  upstreamBytesIn = 0;
  upstreamBytesOut = 0;
  readonly replies: string[] = [];

  replied(kind: ConnectionKind, milliseconds: number, count: number): void {
    this.replies.push(`${kind} ${count} in ${milliseconds} ms`);
  }
}

export interface TestConnectionOptions {
  kind?: ConnectionKind;
  identity?: Identity;
  isClients?: boolean;
  state?: ConnectionState;
  clock?: FakeClock;
  silence?: Silence;
  timeoutMs?: number;
  slowTimeoutMs?: number;
  busyWaitMs?: number;
  transport?: FakeTransport;
  fences?: FenceRegister;
  unserved?: ErrorJudge;
  ask?: NonNullable<ConnectionOptions['ask']>;
  watch?: ReplyWatch;
}

/** Options of a connection over fakes, for what makes connections itself. */
export function connectionOptions(
  options: TestConnectionOptions & { clock: FakeClock; transport: FakeTransport },
): ConnectionOptions {
  return {
    kind: 'shared',
    identity: new IdentityRegister().identityOf(null),
    state: FRESH_STATE,
    timeoutMs: 2000,
    slowTimeoutMs: 60_000,
    busyWaitMs: 60_000,
    silence: new Silence(options.clock),
    traffic: new TestTraffic(),
    ...options,
  };
}

export class TestConnection {
  readonly clock: FakeClock;
  readonly silence: Silence;
  readonly traffic = new TestTraffic();
  readonly stream: FakeStream;
  readonly connection: UpstreamConnection;
  /** `ready`, `lost: <why>`, `drain`. */
  readonly events: string[] = [];
  /** How often receivers were told to write. */
  deliveries = 0;
  /** What they then say of the chunk. */
  isRetained = false;
  lost: { cause: Error; unsent: Unsent } | null = null;

  constructor(options: TestConnectionOptions = {}) {
    this.clock = options.clock ?? new FakeClock();
    this.silence = options.silence ?? new Silence(this.clock);
    const transport = options.transport ?? new FakeTransport();
    const { clock, silence, traffic } = this;
    this.connection = new UpstreamConnection(
      { ...connectionOptions({ ...options, clock, silence, transport }), traffic },
      {
        onReady: () => this.events.push('ready'),
        onLost: (_, cause, unsent) => {
          this.lost = { cause, unsent };
          this.events.push(`lost: ${cause.message}`);
        },
        onDrain: () => this.events.push('drain'),
        onDelivered: () => {
          this.deliveries += 1;
          return this.isRetained;
        },
      },
    );
    this.stream = transport.last;
  }

  /** Opened, for a connection that has nothing to say first. */
  opened(): this {
    this.stream.open();
    this.clock.endTick();
    return this;
  }

  /** Sends commands, each given as its words, as one run. */
  readonly send = (receiver: ReplyReceiver, ...commands: string[]): void =>
    this.sendWith(PROMPT, receiver, ...commands);

  readonly sendWith = (
    patience: Patience,
    receiver: ReplyReceiver,
    ...commands: string[]
  ): void => {
    const bytes = Buffer.concat(commands.map((command) => encodeCommand(command.split(' '))));
    this.connection.send(receiver, bytes, 0, bytes.length, commands.length, patience);
  };
}
