/**
 * The columns of the command table, held against real servers: Redis from PATH, and the embedded Valkey, which is what
 * answers in an outage. The calls are those of the conformance tests, made from the servers' own COMMAND DOCS (every
 * command that either knows, each option, each alternative), and the same with arguments changed by chance.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { classify } from '../../src/command/classify.js';
import { journalForm } from '../../src/command/journal-form.js';
import { keysOf } from '../../src/command/keys.js';
import { OUTAGE_CLASSES, outageClassOf } from '../../src/command/outage-class.js';
import { isRead, isRepeatable } from '../../src/command/repeatable.js';
import { COMMANDS, OTHER_COMMAND } from '../../src/command/table.js';
import { caseGroups, type CaseGroup } from '../conformance/cases.js';
import { readCommandTable, type CommandEntry } from '../conformance/command-table.js';
import { KEYS_BY_GROUP, RESET_KEYS, SERVER_ARGUMENTS } from '../conformance/fixture.js';
import { seededRandom } from '../conformance/random.js';
import { parseFrame, plain } from '../conformance/reply-tree.js';
import { chooseFrom, FUZZ_SEED, type Random } from '../helpers/fuzz.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';
import { differingKeys, TwinDatabases } from '../helpers/twin-databases.js';

const ERROR = '-'.charCodeAt(0);
const DUMPS = { key: Buffer.from('no dump'), functions: Buffer.from('no dump') };
const RANDOM_CALLS = 400;

/** A server and every call that its own documentation makes possible. */
interface Subject {
  readonly port: number;
  readonly table: readonly CommandEntry[];
  readonly groups: readonly CaseGroup[];
}

async function redis(t: TestContext): Promise<Subject> {
  return subject((await startRedis(t, { args: [...SERVER_ARGUMENTS] })).port);
}

async function embeddedValkey(t: TestContext): Promise<Subject> {
  return subject((await startSidecar(t, { args: ['--journal-dir', 'memory'] })).port);
}

async function subject(port: number): Promise<Subject> {
  const table = await readCommandTable(port);
  return { port, table, groups: caseGroups(table, DUMPS) };
}

function idOf(name: string): number {
  const bytes = Buffer.from(name);
  return classify(bytes, 0, bytes.length);
}

function shown(args: readonly Buffer[]): string {
  return args.map((arg) => JSON.stringify(arg.toString('latin1').slice(0, 40))).join(' ');
}

for (const [name, start] of Object.entries({ redis, embeddedValkey })) {
  test(`${name}: what is flagged readonly is read, what is flagged write is not`, async (t) => {
    checkFlags(await start(t));
  });

  test(`${name}: the keys of a call are those that COMMAND GETKEYS tells`, async (t) => {
    await checkKeys(t, await start(t));
  });

  test(`${name}: I5: what is repeatable leaves the same when it runs twice, what reads changes nothing`, async (t) => {
    await checkRepetition(t, await start(t));
  });

  test(`${name}: the journal's form of a call does what the call did`, async (t) => {
    await checkJournalForm(t, await start(t));
  });
}

test('what is not refused is known to the embedded Valkey', async (t) => {
  const known = new Set((await embeddedValkey(t)).table.map(({ name }) => name));
  const missing = COMMANDS.filter(({ outage, name }) => outage !== 'refuse' && !known.has(name));
  assert.deepEqual(
    missing.map(({ name }) => name),
    ['respool'],
  );
});

/** They run scripts, wait, or speak to other clients. */
const NOT_PLAIN = ['noscript', 'blocking', 'pubsub'];

/** They write with an option that the table looks for. */
const READ_BY_ARGUMENT = /^(sort|georadius|georadiusbymember|bitfield)$/;

function checkFlags({ table }: Subject): void {
  for (const { name, path, flags, isContainer } of table) {
    const id = idOf(path[0]!);
    assert.notEqual(id, OTHER_COMMAND, `${name} is in the table`);
    if (isContainer) continue;
    const words = path.map((word) => Buffer.from(word));
    const byCall = outageClassOf(id, words);
    if (flags.has('readonly') && !NOT_PLAIN.some((flag) => flags.has(flag))) {
      assert.equal(byCall, 'read', name);
      assert.ok(isRead(id, words), name);
    }
    if (!flags.has('write')) continue;
    assert.doesNotMatch(OUTAGE_CLASSES[id]!, /^(read|local)$/, name);
    if (!READ_BY_ARGUMENT.test(name)) {
      assert.doesNotMatch(byCall, /^(read|local)$/, name);
      assert.ok(!isRead(id, words), name);
    }
  }
}

async function checkKeys(t: TestContext, { port, groups }: Subject): Promise<void> {
  const client = await connectRaw(port);
  t.after(() => client.reset());
  let compared = 0;
  for (const { entry, cases } of groups) {
    for (const { words, label } of cases) {
      const args = words.map((word) => Buffer.from(word));
      const reply = await client.command('COMMAND', 'GETKEYS', ...args);
      const found = keysOf(idOf(entry.path[0]!), args)?.map((key) => key.toString('latin1'));
      if (found === undefined) assert.ok(mayBeUnknown(args, label, reply), shown(args));
      // Of what it will not run, Redis tells no keys, or those of some of its words.
      if (found === undefined || reply[0] === ERROR) continue;
      assert.deepEqual(found, plain(parseFrame(reply)), `${label}: ${shown(args)}`);
      compared += 1;
    }
  }
  t.diagnostic(`${compared} calls compared`);
  assert.ok(compared > 5_000);
}

/** SORT looks at keys that it does not name; a mutant of a call or half a list of streams is not understood. */
function mayBeUnknown(args: readonly Buffer[], label: string, reply: Buffer): boolean {
  const [name, ...words] = args.map((arg) => arg.toString('latin1').toUpperCase());
  if (reply[0] === ERROR || label !== 'valid') return true;
  if (/^SORT/.test(name!)) return words.includes('BY') || words.includes('GET');
  return /^XREAD/.test(name!) && (words.length - words.indexOf('STREAMS')) % 2 === 0;
}

/** What would stop the server, the connection or the test, or reaches beyond one database. */
const NOT_RUN =
  /^(flushall|flushdb|swapdb|move|select|shutdown|replicaof|slaveof|failover|migrate|debug|monitor|.*subscribe|quit|reset|hello|auth|multi|exec|discard|watch|client|script|function|acl|config|p?sync|replconf|cluster|module|bg.*|save|wait|waitaof|readonly|readwrite|asking|pfselftest|latency|b[lrz].*(pop|move|push|min|max)|keys)(\||$)/;

interface Call {
  readonly name: string;
  readonly id: number;
  readonly args: readonly Buffer[];
}

/** Calls that show a difference which the documentation's own do not. */
const MORE_CALLS = {
  ltrim: 'ltrim list 1 -2',
  'xgroup|createconsumer': 'xgroup createconsumer stream g another',
};

/** Every call of the documentation, and some of them with other keys and numbers. */
function callsOf({ groups }: Subject): Call[] {
  const more = Object.entries(MORE_CALLS).map(([name, line]) => {
    const args = line.split(' ').map((word) => Buffer.from(word));
    return { name, id: idOf(String(args[0])), args };
  });
  const calls = groups
    .filter(({ entry }) => !NOT_RUN.test(entry.name))
    .flatMap(({ entry, cases }) =>
      cases
        .filter(({ label }) => label === 'valid' || label === 'by hand')
        .map(({ words }) => ({
          name: entry.name,
          id: idOf(entry.path[0]!),
          args: words.map((word) => Buffer.from(word)),
        })),
    );
  const random = seededRandom(FUZZ_SEED);
  // A changed BLOCK would be waited for.
  const writes = calls.filter(({ id, name, args }) => !isRead(id, args) && name !== 'xreadgroup');
  return [
    ...calls,
    ...more,
    ...Array.from({ length: RANDOM_CALLS }, () => changed(random, chooseFrom(random, writes))),
  ];
}

const NUMBERS = ['0', '1', '-1', '2', '-3', '7', '100'];

/** Keys become others of their kind, numbers other numbers. */
function changed(random: Random, call: Call): Call {
  const args = call.args.map((arg, at) => {
    const word = arg.toString('latin1');
    const kind = Object.values(KEYS_BY_GROUP).find((keys) => keys.includes(word));
    if (kind !== undefined) return Buffer.from(chooseFrom(random, kind));
    const isNumber = at > 0 && /^-?\d{1,3}$/.test(word);
    return isNumber && random() < 0.5 ? Buffer.from(chooseFrom(random, NUMBERS)) : arg;
  });
  return { ...call, args };
}

/**
 * Never repeated, although twice leaves the same as once, and why. A command that is in no row here and could be repeated
 * is reported by the test.
 */
const KEPT_FROM_REPETITION: Readonly<Record<string, string>> = {
  'delifeq hsetex hsetnx msetex msetnx setnx': 'the reply says whether it was done',
  'eval evalsha': 'nobody knows what the script does',
  'publish spublish': 'whoever listens would hear it twice',
  'georadius georadiusbymember sort': 'with STORE into what it reads',
  'xgroup|setid xsetid': 'would go back behind what others read or wrote in between',
};

async function checkRepetition(t: TestContext, one: Subject): Promise<void> {
  const twins = await TwinDatabases.of(t, one.port);
  const evidence = new Map<string, boolean>();
  let trials = 0;
  for (const { id, name, args } of callsOf(one)) {
    const frame = encodeCommand(...args);
    await twins.fill(RESET_KEYS);
    const first = await twins.run(8, frame);
    if (first[0] === ERROR) continue;
    trials += 1;
    // What reads is held against a database in which nothing ran.
    const runs = isRead(id, args) ? 0 : 2;
    let last = first;
    for (let run = 0; run < runs; run += 1) last = await twins.run(9, frame);
    const differing = differingKeys(await twins.contents(8), await twins.contents(9));
    if (isRepeatable(id, args)) assert.deepEqual(differing, [], shown(args));
    else {
      const isDifferent = differing.length > 0 || !first.equals(last);
      evidence.set(name, isDifferent || evidence.get(name) === true);
    }
  }
  const kept = Object.keys(KEPT_FROM_REPETITION).join(' ').split(' ');
  const needless = [...evidence].filter(([name, seen]) => !seen && !kept.includes(name));
  assert.deepEqual(needless, [], 'these could be repeated');
  t.diagnostic(`${trials} calls run once and twice`);
  assert.ok(trials > 700);
}

/** Their effect depends on chance, or on the time at which they run. */
const DIVERGES = /^(spop|xreadgroup|xclaim|xautoclaim|xgroup\|createconsumer)$/;

async function checkJournalForm(t: TestContext, one: Subject): Promise<void> {
  const twins = await TwinDatabases.of(t, one.port);
  let trials = 0;
  let rewritten = 0;
  for (const { id, name, args } of callsOf(one)) {
    if (isRead(id, args) || DIVERGES.test(name)) continue;
    const frame = encodeCommand(...args);
    await twins.fill(RESET_KEYS);
    const reply = await twins.run(8, frame);
    if (reply[0] === ERROR) continue;
    const form = journalForm(id, frame, null, reply, Date.now());
    const again = await twins.run(9, form);
    assert.notEqual(
      again[0],
      ERROR,
      `${shown(args)}: ${form.toString('latin1')}: ${String(again)}`,
    );
    const differing = differingKeys(await twins.contents(8), await twins.contents(9));
    assert.deepEqual(differing, [], `${shown(args)}: ${form.toString('latin1')}`);
    trials += 1;
    if (form !== frame) rewritten += 1;
  }
  t.diagnostic(`${trials} calls compared, ${rewritten} of them rewritten`);
  assert.ok(trials > 300 && rewritten > 30);
}
