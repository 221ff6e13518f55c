/**
 * What the embedded engine is not asked for, and what the client is told instead: commands that would end the engine,
 * hand its data to another server, or touch files and sockets that it does not have. Data only; `proxy/` applies it, in
 * transactions too. Scripts cannot reach any of these: Valkey flags them `noscript`, MIGRATE excepted, which fails for
 * want of a network. Commands that the engine itself refuses clearly (CLUSTER, MODULE LOAD without permission, CONFIG
 * REWRITE, ACL SAVE) are here only where its words would mislead.
 */

const STOP = 'stop the sidecar instead';
const ALONE = 'it has no replication';
const SNAPSHOT = 'a snapshot is taken when the sidecar stops, see --embedded-snapshot';

/** Command, or command and subcommand, in lowercase → why not. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['shutdown', STOP],
  ['replicaof', ALONE],
  ['slaveof', ALONE],
  ['failover', ALONE],
  ['sync', ALONE],
  ['psync', ALONE],
  ['replconf', ALONE],
  ['migrate', 'it has no network; use DUMP and RESTORE'],
  ['save', SNAPSHOT],
  ['bgsave', SNAPSHOT],
  ['bgrewriteaof', SNAPSHOT],
  ['debug', 'it would endanger everybody who uses this sidecar'],
  ['module|load', 'it cannot load native code'],
  ['module|loadex', 'it cannot load native code'],
  ['module|unload', 'its modules are built in'],
  ['config|rewrite', 'it has no configuration file; use the options of the sidecar'],
  ['acl|save', 'it has no ACL file'],
  ['acl|load', 'it has no ACL file'],
  ['script|debug', 'the debugger would stop the engine for everybody'],
]);

/** Parameters of CONFIG SET that would cut the engine off or end it; lowercase. */
const REFUSED_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['maxmemory', 'use --embedded-max-memory'],
  ['port', 'use --listen'],
  ['bind', 'use --listen'],
  ['protected-mode', 'only this sidecar can reach it'],
]);

const COMMANDS = new Set([...REFUSED.keys(), 'config|set'].map((name) => name.split('|')[0]!));

/** Whether any form of this command (lowercase name) may be refused: what must not take the fast path. */
export function mayBeRefused(name: string): boolean {
  return COMMANDS.has(name);
}

/**
 * The error line (without `-` and CRLF) for a command that the embedded engine is not asked for, or null when it is.
 * `name` and `subcommand` (the first argument) are lowercase; `settings` are the arguments after the subcommand as the
 * client sent them, looked at for CONFIG SET only.
 */
export function refusedInProcess(
  name: string,
  subcommand: string | null,
  settings: readonly string[] = [],
): string | null {
  const full = `${name}|${subcommand ?? ''}`;
  const known = REFUSED.has(name) ? name : full;
  const reason = REFUSED.get(known);
  if (reason !== undefined) return refusal(known.replace('|', ' ').toUpperCase(), reason);
  return full === 'config|set' ? refusedSetting(settings) : null;
}

/** What a script must not call: it ends the engine (a call through a pointer of another type). */
const FATAL_CALL = 'acl_check_cmd';

/** Whether a command brings scripts along: `refusedScript` is asked. Lowercase. */
export function bringsScript(name: string): boolean {
  return SOURCES.has(name);
}

/** The error line for a command that brings a script which would end the engine, or null. `args`: the name first. */
export function refusedScript(name: string, args: readonly Buffer[]): string | null {
  const source = args.at(SOURCES.get(name) ?? args.length) ?? NOTHING;
  return source.includes(FATAL_CALL)
    ? refusal(`redis.${FATAL_CALL}`, 'it would end the engine')
    : null;
}

/** Where the source is; of FUNCTION LOAD [REPLACE] it is the last. */
const SOURCES: ReadonlyMap<string, number> = new Map([
  ['eval', 1],
  ['eval_ro', 1],
  ['script', 2],
  ['function', -1],
]);
const NOTHING = Buffer.alloc(0);

/** Parameters and values alternate; a refused parameter refuses the whole command, which Valkey applies as one. */
function refusedSetting(settings: readonly string[]): string | null {
  for (let i = 0; i < settings.length; i += 2) {
    const parameter = settings[i]!.toLowerCase();
    const reason = parameter.startsWith('tls-')
      ? 'use --tls-cert and --tls-key'
      : REFUSED_SETTINGS.get(parameter);
    if (reason !== undefined) return refusal(`CONFIG SET ${parameter}`, reason);
  }
  return null;
}

function refusal(what: string, reason: string): string {
  return `ERR ${what.replace(/[^\x20-\x7e]/g, '?').slice(0, 128)} is not possible on the embedded Valkey: ${reason}`;
}
