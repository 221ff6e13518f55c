/**
 * What the commands need from the process they run in and from the composition root. `main.ts` provides the real one;
 * nothing else in cli/ touches `process`.
 */
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { OutageRules } from '../command/rules.js';
import type { Config } from '../config/config.js';
import type { Surroundings } from '../sidecar/surroundings.js';
import type { UpstreamFacts } from '../upstream/dial.js';
import type { ListenerTls } from '../config/pem.js';

/** Where text goes, or bytes as they are. A write never throws, also when nobody reads any more. */
export interface Output {
  write(text: string | Uint8Array): void;
  readonly isTTY: boolean;
  /** Of the terminal at this moment; none where it is no terminal. */
  readonly size?: { readonly columns: number; readonly rows: number };
}

/** A sidecar as the command line sees it. */
export interface Startable {
  /** Rejects with an Error whose message is for people, e.g. when an address is in use. */
  start(): Promise<void>;
  /** Resolves when nothing is in flight any more, or when the time for that is over. */
  drain(): Promise<void>;
  /** These outage rules hold from now on. */
  useRules(rules: OutageRules): void;
  /** Reads the folder of scripts again. Rejects for people; they stay as they were then. */
  reloadScripts(): Promise<void>;
  /** New clients of a listener that speaks TLS get these certificates. */
  useCertificates(tls: ListenerTls): void;
}

/** The process around a command. */
export interface CliHost {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly readFile: (path: string) => string;
  /** The names in a directory. */
  readonly readDirectory: (path: string) => readonly string[];
  /**
   * What this process writes to the directory will be its owner's: where that is not so by itself, and the process is
   * root's, it becomes the owner's for the rest of its life. Returns the path by which the directory is reached from then
   * on. Throws an Error for people.
   */
  readonly enterAsOwner: (directory: string) => string;
  readonly clock: Clock;
  /** Resolves after `delayMs`; unlike the clock's timers it keeps the process alive. */
  readonly sleep: (delayMs: number) => Promise<void>;
  /** Calls `handler` at each request to stop (SIGTERM, SIGINT), which then no longer ends the process by itself. */
  readonly onStopSignal: (handler: (signal: string) => void) => void;
  /** Calls `handler` at each request to read again what can be read again (SIGHUP). */
  readonly onReloadSignal: (handler: () => void) => void;
  readonly createSidecar: (
    config: Config,
    deps: { readonly logger: Logger; readonly clock: Clock },
  ) => Startable;
  /** Connects, logs in and asks what the upstream allows; rejects with an Error for people when nobody can be reached. */
  readonly dialUpstream: (config: Config) => Promise<UpstreamFacts>;
  /** What this machine grants the configuration. */
  readonly lookAround: (config: Config) => Promise<Surroundings>;
}
