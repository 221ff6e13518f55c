/**
 * docs/routing.md, made from `route` and the command table, so that it cannot say what the program does not do. It is
 * also the checked-in table that `route` is tested against: the full product of effects and positions. `npm run docs`
 * writes the file; a test compares it.
 */
import { markdownTable } from '../base/markdown-table.js';
import { CLIENT_EFFECTS, SCRIPTING_EFFECTS } from '../command/effect.js';
import type { OutageClass } from '../command/outage-class.js';
import { COMMANDS, OTHER_COMMAND, type SessionEffect } from '../command/table.js';
import { routeInOutage, type OutageRoute } from './outage-route.js';
import { POSITIONS, route, type Position } from './route.js';

const INTRODUCTION = `# Routing

<!-- Generated from src/proxy/route.ts and src/command/table.ts by \`npm run docs\`. -->

What happens to a command is decided by its **effect** on the connection that it runs on and the **position** of the client
that sent it, and for a few effects by whether a transaction is open. \`route\` is a pure function of these; this page is its
full product.
`;

const POSITION_MEANINGS: Readonly<Record<Position, string>> = {
  shared: 'nothing of its own: a lane, together with other clients',
  pinned:
    'a connection of its own for the time being (a transaction, a blocking command, a large value), or until it leaves (tracking)',
  kept: 'a connection of its own until it leaves, on which bytes go through as a stream (subscriptions, MONITOR)',
  broken: 'a transaction whose connection was lost: nothing of it will run',
  locked: 'it has yet to give the password that `requirepass` asks for',
};

const ROUTE_MEANINGS: Readonly<Record<OutageRoute, string>> = {
  pass: 'sent as it came, on the connection that the client has',
  pin: 'sent on a connection of its own; the reply says whether the client goes on needing it',
  keep: 'sent on a connection of its own, which the client keeps until it leaves',
  leave: 'answered here, and the client leaves (QUIT) or begins anew (RESET)',
  abort: 'answered here: EXEC with `-EXECABORT`, DISCARD with `+OK`; the client is `shared` again',
  unlock: 'the password is checked here; another user than `default` is for the upstream to judge',
  refuse: 'answered here with an error: `-UNAVAILABLE` (broken), `-NOAUTH` (locked)',
  'hang-up': 'the connection is closed without a word, as Redis does',
  answer: 'answered here: it is the sidecar that was asked',
  buffer: 'to the outage store, and answered when the journal has it',
  wait: 'held until the upstream is back, or answered nil when its own time is over',
  'log-in': 'the credentials are compared with those that the upstream has accepted before',
  nobody: 'answered here with `:0`: nobody received the message',
  unavailable: 'answered here with `-UNAVAILABLE`, the reason, and when the next try is',
};

/** In the order of the table. */
const EFFECT_MEANINGS: Readonly<Record<SessionEffect, string>> = {
  none: 'leaves nothing behind',
  multi: 'opens a transaction',
  exec: 'runs it',
  discard: 'drops it',
  watch: 'guards it',
  unwatch: 'no longer guards it',
  blocking: 'waits for something to happen',
  wait: 'waits too, and speaks of the writes of its own connection',
  apart: 'may disturb whoever shares its connection, for as long as it runs',
  urgent: 'must get through while a script keeps the upstream busy',
  auth: 'who the connection is',
  hello: 'protocol, who the connection is, its name',
  select: 'its database',
  name: 'its name, set or asked for',
  library: 'what CLIENT LIST says of the library',
  subscribe: 'messages that come unasked',
  monitor: 'lines that come unasked',
  tied: 'an answer that speaks of the connection itself, or something that stays on it',
  sticky: 'state that stays, and may keep replies away',
  replicate: 'from here on it is not RESP',
  quit: 'the end of the connection',
  reset: 'the end of its state',
  'hang-up': 'HTTP that strayed here',
  own: "the sidecar's own",
};

const EFFECTS = Object.keys(EFFECT_MEANINGS) as SessionEffect[];

const NOTES = `## Notes

- A client awaits replies from one place at a time. A command that must go elsewhere waits until everything before it has
  been answered, and the client's next bytes wait with it; so no queue ever reorders replies (I1, I4).
- A setting (\`auth\`, \`hello\`, \`select\`, \`name\`, \`library\`) counts once the upstream has confirmed it. Inside an open
  transaction it is only queued, and its result looked for among those of EXEC; \`auth\`, \`hello\` and what is \`tied\` change what
  these are made of, so the client keeps the connection.
- A pinned connection goes back to the pool when everything has been answered and no transaction is open (I7); one that may
  be dirty is reset instead.
- A command longer than 64 KB that would pass is sent on a connection of its own, piece by piece as it comes, so that it
  stalls nobody else.
- With the embedded engine, commands that make no sense in process (SHUTDOWN, REPLICAOF, DEBUG …) are answered with an error.
`;

/** The whole text of docs/routing.md. */
export function renderRoutingDoc(): string {
  return [
    INTRODUCTION,
    section('Positions', ['position', 'what the next command finds'], POSITION_MEANINGS),
    section('Routes', ['route', 'what is done with the command'], ROUTE_MEANINGS),
    `## Effects × positions\n\n${productTable()}`,
    `${OUTAGE_INTRODUCTION}\n${outageTable()}`,
    `## Effects\n\n${effectTable()}`,
    NOTES,
  ].join('\n');
}

function section(
  title: string,
  header: readonly string[],
  meanings: Readonly<Record<string, string>>,
): string {
  const rows = Object.entries(meanings).map(([word, meaning]) => [code(word), meaning]);
  return `## ${title}\n\n${markdownTable(header, rows)}`;
}

function productTable(): string {
  const rows = EFFECTS.map((effect) => [
    code(effect),
    ...COLUMNS.map(({ position, inTransaction }) => route(effect, position, inTransaction)),
  ]);
  return markdownTable(['effect', ...COLUMNS.map(titleOf)], rows);
}

const OUTAGE_INTRODUCTION = `## While the upstream is away

\`routeInOutage\` decides, from the same and from the command's **outage class** (SEMANTICS: the column of the command table,
which a rule may change). What says \`pass\`, \`pin\` or \`keep\` goes to the outage store, the embedded Valkey that stands
in for the upstream. While the journal is being replayed, reads of keys that no waiting record touches go to the upstream
again, other reads and what is \`unavailable\` wait for at most \`hold\`, and in the change-over writes do too.
`;

/** The classes of an effect whose route depends on the class. */
const CLASSES_OF: Readonly<Partial<Record<SessionEffect, readonly OutageClass[]>>> = {
  none: ['read', 'buffer', 'wait', 'local', 'drop', 'refuse'],
  blocking: ['wait', 'refuse'],
  tied: ['local', 'refuse'],
  sticky: ['local', 'refuse'],
};

const OUTAGE_ROWS = EFFECTS.flatMap((effect) =>
  (CLASSES_OF[effect] ?? [null]).map((outageClass) => ({ effect, outageClass })),
);

function outageTable(): string {
  const rows = OUTAGE_ROWS.map(({ effect, outageClass }) => [
    outageClass === null ? code(effect) : `${code(effect)}, class ${code(outageClass)}`,
    ...COLUMNS.map(({ position, inTransaction }) =>
      routeInOutage(effect, outageClass ?? 'refuse', position, inTransaction),
    ),
  ]);
  return markdownTable(['effect', ...COLUMNS.map(titleOf)], rows);
}

interface Column {
  readonly position: Position;
  readonly inTransaction: boolean;
}

/** A transaction can only be open on a connection of one's own. */
const COLUMNS: readonly Column[] = POSITIONS.flatMap((position) => [
  { position, inTransaction: false },
  ...(position === 'pinned' ? [{ position, inTransaction: true }] : []),
]);

function titleOf({ position, inTransaction }: Column): string {
  return inTransaction ? `${code(position)} in MULTI` : code(position);
}

function effectTable(): string {
  const rows = EFFECTS.map((effect) => [
    code(effect),
    EFFECT_MEANINGS[effect],
    commandsWith(effect).join(', '),
  ]);
  return markdownTable(['effect', 'on the connection', 'commands'], rows);
}

function commandsWith(effect: SessionEffect): string[] {
  if (effect === 'none') return ['all others that the table knows'];
  const whole = COMMANDS.filter((command, id) => command.effect === effect && id !== OTHER_COMMAND);
  return [
    ...whole.map(({ name }) => name.toUpperCase()),
    ...subcommandsWith(effect, CLIENT_EFFECTS, ['CLIENT']),
    ...subcommandsWith(effect, SCRIPTING_EFFECTS, ['SCRIPT', 'FUNCTION']),
    ...(effect === 'blocking' ? ['XREAD and XREADGROUP with BLOCK'] : []),
    ...(effect === 'apart' ? ['every command that the table does not know'] : []),
  ];
}

function subcommandsWith(
  effect: SessionEffect,
  effects: ReadonlyMap<string, SessionEffect>,
  containers: readonly string[],
): string[] {
  const words = [...effects].filter(([, one]) => one === effect).map(([word]) => word);
  return containers.flatMap((name) => words.map((word) => `${name} ${word.toUpperCase()}`));
}

function code(word: string): string {
  return `\`${word}\``;
}
