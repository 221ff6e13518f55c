/**
 * The composition root: what is built, started and drained, and in which order. The only file that knows every part.
 *
 *   start: admin ─► engine ─► upstream (lanes, probe) ─► outages (journal, breaker, replay) ─► listeners ─► ready
 *   drain: not ready ─► listeners ─► clients ─► outages ─► upstream ─► engine ─► admin
 */
import type { Transport } from '../base/byte-stream.js';
import { systemClock, type Clock } from '../base/clock.js';
import { silentLogger, type Logger } from '../base/logger.js';
import { VERSION } from '../base/version.js';
import { isFailureReply } from '../breaker/failure.js';
import { IdentityRegister, type Identity } from '../command/connection-state.js';
import type { OutageRules } from '../command/rules.js';
import { COMMANDS } from '../command/table.js';
import type { Config } from '../config/config.js';
import { formatAddress } from '../config/addresses.js';
import { describeUpstream } from '../config/upstream-url.js';
import type { ConnectionOptions } from '../downstream/connection.js';
import { Listener } from '../downstream/listener.js';
import { Outbox } from '../downstream/outbox.js';
import { maxBulkBytes, type EmbeddedEngine } from '../embedded/engine.js';
import { createProcessEngine } from '../embedded/process-engine.js';
import { mayBeRefused, refusedInProcess } from '../embedded/refused.js';
import { createWasmEngine } from '../embedded/wasm-engine.js';
import { createAdminServer, type AdminServer } from '../metrics/admin-server.js';
import { createMetrics } from '../metrics/metrics.js';
import { NEVER_AWAY_GAUGES, type Gauges } from '../metrics/metric.js';
import type { Backend } from '../proxy/backend.js';
import { Clients } from '../proxy/clients.js';
import type { ProxyContext } from '../proxy/context.js';
import { Observer } from '../proxy/observer.js';
import type { OutageView } from '../proxy/outage-view.js';
import { NEVER_AWAY, type Condition, type SidecarStatus } from '../proxy/status.js';
import { encodeCommand } from '../resp/encoder.js';
import { Session } from '../session/session.js';
import { dial } from '../upstream/dial.js';
import { Probe } from '../upstream/probe.js';
import { socketTransport, type SocketAddress } from '../upstream/socket-transport.js';
import { Upstream, type UpstreamOptions } from '../upstream/upstream.js';
import { openOutages, withoutOutages, type Outages } from './outages.js';

export interface Sidecar {
  /** Rejects with an Error for people when it cannot start; nothing is left running then that keeps the process alive. */
  start(): Promise<void>;
  /** Finishes what is in flight and stops. */
  drain(): Promise<void>;
  /** These outage rules hold from now on. */
  useRules(rules: OutageRules): void;
  status(): SidecarStatus;
}

export interface SidecarDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
}

/** How long the upstream may be silent over a script or another slow command. */
const SLOW_TIMEOUT_MS = 120_000;
const PROBE_PERIOD_MS = 1000;
/** For the outage store to boot, or to be made again from a long journal. */
const STORE_PATIENCE_MS = 10_000;

export function createSidecar(config: Config, deps: SidecarDependencies): Sidecar {
  return new RunningSidecar(config, deps);
}

/** `respool check`: reaches the configured upstream once. Resolves with what it says of itself, rejects for people. */
export async function dialUpstream(config: Config): Promise<string> {
  const deps = { logger: silentLogger, clock: systemClock };
  const engine = upstreamEngine(config, deps);
  await engine?.start();
  try {
    const identity = new IdentityRegister().identityOf(credentialsOf(config));
    const transport = engine ?? socketTransport(addressOf(config));
    return await dial({
      transport,
      identity,
      clock: deps.clock,
      timeoutMs: config.upstreamTimeoutMs,
    });
  } finally {
    await engine?.stop();
  }
}

class RunningSidecar implements Sidecar {
  private readonly observer = new Observer();
  private readonly identities = new IdentityRegister();
  private readonly outbox: Outbox;
  private readonly engine: EmbeddedEngine | null;
  private readonly transport: Transport;
  private readonly identity: Identity;
  private readonly startedAt: number;
  private phase: 'starting' | 'ready' | 'draining' = 'starting';
  private upstream: Upstream | null = null;
  private probe: Probe | null = null;
  private probeFailed = false;
  private outages: Outages | null = null;
  private clients: Clients | null = null;
  private listeners: Listener[] = [];
  private admin: AdminServer | null = null;

  constructor(
    private readonly config: Config,
    private readonly deps: SidecarDependencies,
  ) {
    this.startedAt = deps.clock.now();
    this.outbox = new Outbox(deps.clock);
    this.engine = upstreamEngine(config, deps);
    this.transport = this.engine ?? socketTransport(addressOf(config));
    this.identity = this.identities.identityOf(credentialsOf(config));
  }

  async start(): Promise<void> {
    const { config, deps } = this;
    this.admin = this.createAdmin();
    await this.admin?.start();
    await this.engine?.start();
    const upstream = this.createUpstream();
    this.upstream = upstream;
    if (this.engine === null) await this.expectOutages(upstream);
    this.clients = this.createClients(
      upstream,
      this.outages ?? withoutOutages(upstream, deps.clock),
    );
    this.outages?.health.start();
    for (const address of config.listen) {
      const listener = new Listener(address, (socket) => this.clients!.accept(socket));
      await listener.start();
      this.listeners.push(listener);
    }
    this.phase = 'ready';
    deps.logger.info('ready', {
      version: VERSION,
      listen: config.listen.map(formatAddress).join(' '),
      upstream: describeUpstream(config.upstream),
      admin: config.admin === null ? 'off' : formatAddress(config.admin),
    });
  }

  async drain(): Promise<void> {
    this.phase = 'draining';
    for (const listener of this.listeners) listener.stop();
    await this.clients?.drain(this.config.drainMs);
    this.probe?.close();
    await this.outages?.close();
    this.upstream?.close();
    await this.engine?.stop();
    await this.admin?.stop();
    this.deps.logger.info('stopped', { clients: this.clients?.count ?? 0 });
  }

  useRules(rules: OutageRules): void {
    this.outages?.useRules(rules);
  }

  status(): SidecarStatus {
    return {
      version: VERSION,
      uptimeSeconds: Math.round((this.deps.clock.now() - this.startedAt) / 100) / 10,
      condition: this.condition,
      upstream: {
        url: describeUpstream(this.config.upstream),
        connected: this.isConnected,
        lanes: this.upstream?.readyLaneCount ?? 0,
      },
      ...(this.outages?.status() ?? NEVER_AWAY),
      clients: { connected: this.clients?.count ?? 0, pinned: this.clients?.pinnedCount ?? 0 },
    };
  }

  private get condition(): Condition {
    if (this.phase === 'draining') return 'draining';
    const mode = this.outages?.mode ?? 'through';
    if (mode !== 'through') return mode === 'outage' ? 'outage' : 'replaying';
    return this.isConnected ? 'healthy' : 'holding';
  }

  private get isConnected(): boolean {
    return (this.upstream?.isConnected ?? false) && !this.probeFailed;
  }

  private createUpstream(): Upstream {
    const { config, observer } = this;
    return new Upstream({
      ...this.upstreamOptions(),
      transport: this.transport,
      identity: this.identity,
      initialDb: config.upstream.kind === 'embedded' ? 0 : config.upstream.db,
      timeoutMs: config.upstreamTimeoutMs,
      holdMs: config.holdMs,
      sharedLanes: config.sharedLanes,
      isFenced: config.upstream.kind !== 'embedded',
      onFailure: (reason, cause) => {
        observer.upstreamFailed(reason);
        // Whose credentials are wrong says nothing of the upstream.
        if (reason !== 'credentials') this.outages?.health.upstreamFailed(cause);
      },
      onHoldExpired: (cause) => this.outages?.health.holdExpired(cause),
    });
  }

  /** The store is near and takes as long to boot as it takes; what it counts is not the upstream's. */
  private createStoreUpstream(transport: Transport): Upstream {
    return new Upstream({
      ...this.upstreamOptions(),
      transport,
      identity: this.identities.identityOf(null),
      initialDb: 0,
      timeoutMs: STORE_PATIENCE_MS,
      holdMs: STORE_PATIENCE_MS,
      sharedLanes: 1,
      logger: silentLogger,
      traffic: new Observer(),
      isFenced: false,
      unservedWords: [],
      onFailure: () => undefined,
    });
  }

  private upstreamOptions(): CommonOptions {
    const { config, deps, observer } = this;
    return {
      clock: deps.clock,
      random: Math.random,
      logger: deps.logger,
      traffic: observer,
      slowTimeoutMs: Math.max(SLOW_TIMEOUT_MS, config.upstreamTimeoutMs),
      maxPinned: config.maxPinned,
      onDelivered: () => {
        this.outbox.flush();
        return this.outbox.takeRetaining();
      },
    };
  }

  private async expectOutages(upstream: Upstream): Promise<void> {
    const { config, deps, observer, identity, identities } = this;
    this.probe = this.createProbe(upstream);
    this.outages = await openOutages({
      config,
      clock: deps.clock,
      logger: deps.logger,
      random: Math.random,
      observer,
      upstream,
      identity,
      identities,
      probe: this.probe,
      createEngine: () => createEngine(config, deps, null),
      createStoreUpstream: (transport) => this.createStoreUpstream(transport),
      connect: (events) => upstream.openConnection(events),
      flush: () => this.outbox.flush(),
      onModeChange: () => this.clients?.modeChanged(),
    });
  }

  private createProbe(upstream: Upstream): Probe {
    const { config, deps, identity } = this;
    return new Probe({
      address: addressOf(config),
      identity,
      clock: deps.clock,
      logger: deps.logger,
      silence: upstream.silence,
      periodMs: PROBE_PERIOD_MS,
      timeoutMs: config.upstreamTimeoutMs,
      key: `${config.journal.cursorPrefix}probe`,
      isFailure: isFailureReply,
      owesWrites: () => (this.outages?.journal.pendingRecords ?? 0) > 0,
      isWatching: () => (this.outages?.breaker.state ?? 'closed') === 'closed',
      onResult: (problem) => {
        this.probeFailed = problem !== null;
        if (problem === null) this.outages?.breaker.succeeded();
        else this.outages?.health.upstreamFailed(problem);
      },
    });
  }

  private createClients(upstream: Upstream, outage: OutageView): Clients {
    const { config, deps, observer } = this;
    const connection: ConnectionOptions = {
      outbox: this.outbox,
      traffic: observer,
      maxBulkBytes: this.engine === null ? config.maxBulkBytes : this.embeddedBulkBytes,
      outputLimitBytes: config.clientOutputLimitBytes,
    };
    const context = {
      clock: deps.clock,
      observer,
      upstream: backendOf(upstream),
      outage,
      control: { status: () => this.status(), outage: this.outages?.control() ?? null },
      password: config.requirepass === null ? null : Buffer.from(config.requirepass),
      upstreamTimeoutMs: config.upstreamTimeoutMs,
      newSession: () => new Session(this.identity, upstream.homeState, this.identities),
      isStranger: (identity: Identity) =>
        identity.credentials === null && upstream.refusesStrangers,
      ...(this.engine === null ? PASS_EVERYTHING : REFUSE_WHAT_NEEDS_A_SERVER),
    };
    return new Clients({ clock: deps.clock, maxClients: config.maxClients, connection, context });
  }

  private get embeddedBulkBytes(): number {
    return Math.min(this.config.maxBulkBytes, maxBulkBytes(this.config.embeddedMaxMemoryBytes));
  }

  private createAdmin(): AdminServer | null {
    const { admin } = this.config;
    if (admin === null) return null;
    const metrics = createMetrics({
      version: VERSION,
      observer: this.observer,
      gauges: () => this.gauges(),
    });
    return createAdminServer({
      address: admin,
      isReady: () => this.phase === 'ready',
      status: () => this.status(),
      metrics,
    });
  }

  private gauges(): Gauges {
    const { upstream, clients, config } = this;
    return {
      upstreamUp: this.isConnected,
      downstreamConnections: clients?.count ?? 0,
      downstreamConnectionsLimit: config.maxClients,
      downstreamPendingBytes: clients?.unreadBytes ?? 0,
      sharedConnections: upstream?.readyLaneCount ?? 0,
      pinnedConnections: upstream?.pool.lentCount ?? 0,
      idleConnections: upstream?.pool.idleCount ?? 0,
      pinnedConnectionsLimit: config.maxPinned,
      upstreamPendingBytes: upstream?.pendingBytes ?? 0,
      inFlightCommands: upstream?.commandsInFlight ?? 0,
      waitingCommands: upstream?.waitingCommands ?? 0,
      outage: this.outages?.gauges() ?? NEVER_AWAY_GAUGES,
    };
  }
}

/** What the upstream and the outage store have in common. */
type CommonOptions = Pick<
  UpstreamOptions,
  'clock' | 'random' | 'logger' | 'traffic' | 'slowTimeoutMs' | 'maxPinned' | 'onDelivered'
>;

function backendOf(upstream: Upstream): Backend {
  return {
    pool: upstream.pool,
    silence: upstream.silence,
    laneFor: (session) => upstream.lane(session.identity, session.state),
    identityOf: (session) => session.identity,
  };
}

type Refusal = Pick<ProxyContext, 'refusal' | 'filterPassing'>;

const PASS_EVERYTHING: Refusal = { refusal: () => null, filterPassing: (passes) => passes };

/** The embedded engine answers in the refused command's place, and so in its order, with the error that says why. */
const REFUSE_WHAT_NEEDS_A_SERVER: Refusal = {
  refusal(commandId, args) {
    const subcommand = args[1]?.toString('latin1').toLowerCase() ?? null;
    const settings = args.slice(2).map((argument) => argument.toString('latin1'));
    const text = refusedInProcess(COMMANDS[commandId]!.name, subcommand, settings);
    return text === null
      ? null
      : encodeCommand(['EVAL', 'return redis.error_reply(ARGV[1])', 0, text]);
  },
  filterPassing: (passes) =>
    passes.map((passing, id) => (mayBeRefused(COMMANDS[id]!.name) ? 0 : passing)),
};

/** The engine that is the upstream, if it is embedded. */
function upstreamEngine(config: Config, deps: SidecarDependencies): EmbeddedEngine | null {
  if (config.upstream.kind !== 'embedded') return null;
  return createEngine(config, deps, config.embeddedSnapshotPath);
}

function createEngine(
  config: Config,
  { logger, clock }: SidecarDependencies,
  snapshotFile: string | null,
): EmbeddedEngine {
  const options = {
    maxMemoryBytes: config.embeddedMaxMemoryBytes,
    snapshotFile,
    logger,
    clock,
  };
  if (config.embeddedEngine === 'wasm') return createWasmEngine(options);
  const unixTransport = (path: string): Transport => socketTransport({ kind: 'unix', path });
  return createProcessEngine({ ...options, unixTransport });
}

function addressOf({ upstream, upstreamTls }: Config): SocketAddress {
  switch (upstream.kind) {
    case 'tcp':
      return { ...upstream, tls: upstream.tls ? upstreamTls : null };
    case 'unix':
      return upstream;
    case 'embedded':
      throw new Error('the embedded engine has no address');
  }
}

function credentialsOf({ upstream }: Config): Identity['credentials'] {
  if (upstream.kind === 'embedded' || upstream.password === null) return null;
  const { user, password } = upstream;
  // Kept byte for byte: what goes over the wire is the UTF-8 of what was configured.
  const wire = (text: string): string => Buffer.from(text).toString('latin1');
  return { user: user === null ? null : wire(user), password: wire(password) };
}
