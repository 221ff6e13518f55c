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
import type { Config } from '../config/config.js';
import { formatAddress } from '../config/addresses.js';
import type { ListenerTls } from '../config/pem.js';
import { describeUpstream } from '../config/upstream-url.js';
import type { ConnectionOptions } from '../downstream/connection.js';
import { Handshakes } from '../downstream/handshakes.js';
import { Listener } from '../downstream/listener.js';
import { Outbox } from '../downstream/outbox.js';
import { maxBulkBytes, type EmbeddedEngine } from '../embedded/engine.js';
import { createProcessEngine } from '../embedded/process-engine.js';
import { createWasmEngine } from '../embedded/wasm-engine.js';
import { createAdminServer, type AdminServer } from '../metrics/admin-server.js';
import { createMetrics } from '../metrics/metrics.js';
import { StatusPage } from '../metrics/status-page.js';
import { NEVER_AWAY_GAUGES, NO_SCRIPTS, type Gauges } from '../metrics/metric.js';
import type { Backend } from '../proxy/backend.js';
import { Clients } from '../proxy/clients.js';
import { Observer } from '../proxy/observer.js';
import type { OutageView } from '../proxy/outage-view.js';
import {
  type BusyStatus,
  type Condition,
  inSeconds,
  NEVER_AWAY,
  NOT_BUSY,
  type SidecarStatus,
} from '../proxy/status.js';
import { Session } from '../session/session.js';
import type { SpanOrigin } from '../tracing/otlp.js';
import { createTracing, type Tracing } from '../tracing/tracing.js';
import { dial, type UpstreamFacts } from '../upstream/dial.js';
import { failureReason } from '../upstream/failure.js';
import { Probe } from '../upstream/probe.js';
import { socketTransport, type SocketAddress } from '../upstream/socket-transport.js';
import { BUSY_WORDS, CANNOT_SERVE, NO_SCRIPT } from '../upstream/unserved.js';
import { Upstream, type UpstreamOptions } from '../upstream/upstream.js';
import { Chronicle } from './chronicle.js';
import { openOutages, withoutOutages, type Outages } from './outages.js';
import { refusalsOf } from './refusals.js';
import { ScriptShelf } from './scripts.js';

export interface Sidecar {
  /** Rejects with an Error for people when it cannot start; nothing is left running then that keeps the process alive. */
  start(): Promise<void>;
  /** Finishes what is in flight and stops. */
  drain(): Promise<void>;
  /** These outage rules hold from now on. */
  useRules(rules: OutageRules): void;
  /** Reads the folder of scripts again. Rejects for people; they stay as they were then. */
  reloadScripts(): Promise<void>;
  /** New clients of a listener that speaks TLS get these. */
  useCertificates(tls: ListenerTls): void;
  status(): SidecarStatus;
}

export interface SidecarDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
}

/** How long the upstream may be silent over a script or another slow command. */
const SLOW_TIMEOUT_MS = 120_000;
const PROBE_PERIOD_MS = 1000;
const HANDSHAKE_TIMEOUT_MS = 5000;
/** A client that is served soon needs some milliseconds of them; see `downstream/handshakes.ts`. */
const MAX_HANDSHAKES = 512;
/** For the outage store to boot, or to be made again from a long journal. */
const STORE_PATIENCE_MS = 10_000;

export function createSidecar(config: Config, deps: SidecarDependencies): Sidecar {
  return new RunningSidecar(config, deps);
}

/** `respool check`: asks the configured upstream what it allows. Rejects with an Error for people. */
export async function dialUpstream(config: Config): Promise<UpstreamFacts> {
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
      db: config.upstream.kind === 'embedded' ? 0 : config.upstream.db,
      keyPrefix: config.journal.cursorPrefix,
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
  private readonly tracing: Tracing;
  private phase: 'starting' | 'ready' | 'draining' = 'starting';
  private upstream: Upstream | null = null;
  private probe: Probe | null = null;
  private probeFailed = false;
  private outages: Outages | null = null;
  private scripts: ScriptShelf | null = null;
  private clients: Clients | null = null;
  private listeners: Listener[] = [];
  private handshakes: Handshakes | null = null;
  private admin: AdminServer | null = null;
  private readonly chronicle: Chronicle;

  constructor(
    private readonly config: Config,
    private readonly deps: SidecarDependencies,
  ) {
    this.startedAt = deps.clock.now();
    this.outbox = new Outbox(deps.clock);
    this.engine = upstreamEngine(config, deps);
    this.transport = this.engine ?? socketTransport(addressOf(config));
    this.identity = this.identities.identityOf(credentialsOf(config));
    this.chronicle = new Chronicle({
      clock: deps.clock,
      observer: this.observer,
      condition: () => this.condition,
      cause: () => this.outages?.cause ?? null,
      levels: () => ({
        journalRecords: this.outages?.journal.pendingRecords ?? 0,
        clients: this.clients?.count ?? 0,
      }),
    });
    this.tracing = createTracing({
      ...deps,
      random: Math.random,
      commandLog: config.commandLog,
      spans: config.spans,
      origin: { version: VERSION, server: serverOf(config) },
      counts: this.observer,
    });
  }

  async start(): Promise<void> {
    const { config, deps } = this;
    this.admin = this.createAdmin();
    await this.admin?.start();
    await this.engine?.start();
    const upstream = this.createUpstream();
    this.upstream = upstream;
    if (this.engine === null) await this.expectOutages(upstream);
    this.scripts = await this.openScripts(upstream);
    this.clients = this.createClients(
      upstream,
      this.outages ?? withoutOutages(upstream, deps.clock),
    );
    this.outages?.health.start();
    this.handshakes = this.createHandshakes();
    for (const address of config.listen) {
      const { handshakes } = this;
      const isPlain = address.kind === 'unix' || handshakes === null;
      const listener = new Listener(address, (socket) =>
        isPlain ? this.clients!.accept(socket) : handshakes.accept(socket),
      );
      await listener.start();
      this.listeners.push(listener);
    }
    this.phase = 'ready';
    this.chronicle.start();
    deps.logger.info('ready', {
      version: VERSION,
      listen: this.listeners.map(({ where }) => formatAddress(where)).join(' '),
      upstream: describeUpstream(config.upstream),
      admin: this.adminName,
    });
  }

  async drain(): Promise<void> {
    this.phase = 'draining';
    for (const listener of this.listeners) listener.stop();
    this.handshakes?.close();
    await this.clients?.drain(this.config.drainMs);
    this.probe?.close();
    await this.scripts?.close();
    await this.outages?.close();
    this.upstream?.close();
    await this.tracing.close();
    await this.engine?.stop();
    this.chronicle.stop();
    await this.admin?.stop();
    this.deps.logger.info('stopped', { clients: this.clients?.count ?? 0 });
  }

  async reloadScripts(): Promise<void> {
    await this.scripts?.reload();
  }

  useRules(rules: OutageRules): void {
    this.outages?.useRules(rules);
  }

  useCertificates(tls: ListenerTls): void {
    this.handshakes?.useMaterial(tls);
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
      ...this.chronicle.status(),
      busy: this.busy,
      clients: { connected: this.clients?.count ?? 0, pinned: this.clients?.pinnedCount ?? 0 },
    };
  }

  private get adminName(): string {
    const { admin } = this.config;
    if (admin === null || this.admin === null) return 'off';
    return formatAddress({ ...admin, port: this.admin.address().port });
  }

  private get condition(): Condition {
    if (this.phase === 'draining') return 'draining';
    const mode = this.outages?.mode ?? 'through';
    if (mode !== 'through') return mode === 'outage' ? 'outage' : 'replaying';
    return this.isConnected ? 'healthy' : 'holding';
  }

  private get busy(): BusyStatus {
    const { episodeMs, commandsWaited } = this.upstream?.busy ?? NO_EPISODE;
    if (episodeMs === null) return NOT_BUSY;
    return { active: true, sinceSeconds: inSeconds(episodeMs), waiting: commandsWaited };
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
      watch: this.tracing.watch('upstream'),
      onFailure: (reason, cause) => {
        observer.upstreamFailed(reason);
        this.outages?.health.upstreamFailed(cause);
      },
      onHoldExpired: (cause) => this.outages?.health.holdExpired(cause),
      unservedWords: [
        ...CANNOT_SERVE,
        ...(config.busyWaitMs > 0 ? BUSY_WORDS : []),
        ...(config.scripts.mode === 'heal' ? [NO_SCRIPT] : []),
      ],
      onBusyChange: (episodeMs) => this.busyChanged(episodeMs),
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
      watch: this.tracing.watch('outage'),
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
      busyWaitMs: config.busyWaitMs,
      maxPinned: config.maxPinned,
      onDelivered: () => {
        this.outbox.flush();
        return this.outbox.takeRetaining();
      },
    };
  }

  /** Beside the journal, where there is one. */
  private openScripts(upstream: Upstream): Promise<ScriptShelf | null> {
    const { config } = this;
    const directory = this.engine === null ? config.journal.directory : null;
    return ScriptShelf.open({
      ...this.deps,
      config: config.scripts,
      upstream,
      directory,
    });
  }

  private busyChanged(episodeMs: number | null): void {
    if (episodeMs !== null) this.observer.busyEpisodes.record(episodeMs, 1);
    this.clients?.busyChanged();
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
      onModeChange: () => {
        this.clients?.modeChanged();
        this.chronicle.noteCondition();
      },
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
      demotion: upstream.demotion,
      periodMs: PROBE_PERIOD_MS,
      timeoutMs: config.upstreamTimeoutMs,
      key: `${config.journal.cursorPrefix}probe`,
      isFailure: isFailureReply,
      owesWrites: () => (this.outages?.journal.pendingRecords ?? 0) > 0,
      isWatching: () => (this.outages?.breaker.state ?? 'closed') === 'closed',
      onResult: (problem) => {
        this.probeFailed = problem !== null;
        if (problem === null) {
          this.outages?.breaker.succeeded();
          return;
        }
        this.observer.upstreamFailed(failureReason(problem));
        this.outages?.health.upstreamFailed(problem);
      },
    });
  }

  private createClients(upstream: Upstream, outage: OutageView): Clients {
    const { config, deps, observer } = this;
    const connection: ConnectionOptions = {
      clock: deps.clock,
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
      scripts: this.scripts,
      busyWaitMs: config.busyWaitMs,
      losesSightOfBlocked: this.engine !== null,
      upstreamTimeoutMs: config.upstreamTimeoutMs,
      newSession: () => new Session(this.identity, upstream.homeState, this.identities),
      isStranger: (identity: Identity) =>
        identity.credentials === null && upstream.refusesStrangers,
      ...refusalsOf(config.commands, {
        isEmbedded: this.engine !== null,
        seesScripts: this.scripts !== null,
      }),
    };
    return new Clients({
      clock: deps.clock,
      maxClients: config.maxClients,
      clientRate: config.clientRate,
      connection,
      context,
    });
  }

  private createHandshakes(): Handshakes | null {
    const { config, deps, observer } = this;
    if (config.tls === null) return null;
    const reasons = new Set<string>();
    return new Handshakes({
      material: config.tls,
      clock: deps.clock,
      deadlineMs: HANDSHAKE_TIMEOUT_MS,
      maxPending: MAX_HANDSHAKES,
      onClient: (socket) => this.clients!.accept(socket),
      onFailed: (reason) => {
        observer.handshakesFailed += 1;
        // Anybody can cause it as often as they like.
        if (reasons.has(reason)) return;
        reasons.add(reason);
        deps.logger.info('a TLS handshake failed; more of this kind are only counted', { reason });
      },
    });
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
      page: new StatusPage({
        clock: this.deps.clock,
        status: () => this.status(),
        past: () => this.chronicle.past,
      }),
    });
  }

  private gauges(): Gauges {
    const { upstream, clients, config } = this;
    return {
      condition: this.condition,
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
      scripts: this.scripts?.registry ?? NO_SCRIPTS,
      isBusy: upstream?.busy.isBusy ?? false,
    };
  }
}

const NO_EPISODE = { episodeMs: null, commandsWaited: 0 };

/** What the upstream and the outage store have in common. */
type CommonOptions = Pick<
  UpstreamOptions,
  | 'clock'
  | 'random'
  | 'logger'
  | 'traffic'
  | 'slowTimeoutMs'
  | 'busyWaitMs'
  | 'maxPinned'
  | 'onDelivered'
>;

function backendOf(upstream: Upstream): Backend {
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

/** What spans call the upstream. */
function serverOf({ upstream }: Config): SpanOrigin['server'] {
  switch (upstream.kind) {
    case 'tcp':
      return { address: upstream.host, port: upstream.port };
    case 'unix':
      return { address: upstream.path, port: null };
    case 'embedded':
      return null;
  }
}

function credentialsOf({ upstream }: Config): Identity['credentials'] {
  if (upstream.kind === 'embedded' || upstream.password === null) return null;
  const { user, password } = upstream;
  // Kept byte for byte: what goes over the wire is the UTF-8 of what was configured.
  const wire = (text: string): string => Buffer.from(text).toString('latin1');
  return { user: user === null ? null : wire(user), password: wire(password) };
}
