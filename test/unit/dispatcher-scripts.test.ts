/** Scripts on their way to an upstream that may forget them at any time (SEMANTICS §6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha1 } from '../helpers/marking-server.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { TestProxy, type ProxyClient, type TestProxyOptions } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const MISSING = '-NOSCRIPT No matching script. Please use EVAL.\r\n';
const NOT_COMPILED = '-ERR Error compiling script (new function): user_script:1: unexpected\r\n';
const SOURCE = 'return_1';
const OTHER = 'return_2';
const SHA = sha1(SOURCE);
const CALL = `EVALSHA ${SHA} 0`;
const TOLD = `EVAL ${SOURCE} 0`;
const OTHER_CALL = `EVALSHA ${sha1(OTHER)} 0`;
const OTHER_TOLD = `EVAL ${OTHER} 0`;

/** A client of a sidecar that knows these sources. */
function stage(
  sources: readonly string[] = [SOURCE, OTHER],
  options: TestProxyOptions = {},
): { proxy: TestProxy; client: ProxyClient } {
  const proxy = new TestProxy(options).connected();
  for (const source of sources) proxy.scripts.registry.learn(Buffer.from(source));
  return { proxy, client: proxy.client() };
}

function knows(proxy: TestProxy, source: string): boolean {
  return proxy.scripts.registry.has(Buffer.from(sha1(source)));
}

// ── what is learned ────────────────────────────────────────────────────────────────────────────────

test('every source that passes is learned, and passes as it came', async () => {
  for (const command of [
    TOLD,
    `EVAL_RO ${SOURCE} 0`,
    `SCRIPT LOAD ${SOURCE}`,
    `eval ${SOURCE} 0`,
  ]) {
    const { proxy, client } = stage([]);
    await client.say('GET a', command, 'GET b');
    assert.deepEqual(proxy.lane.sentCommands(), ['GET a', command, 'GET b']);
    assert.ok(knows(proxy, SOURCE), command);
    proxy.lane.say('$-1\r\n:1\r\n$-1\r\n');
    assert.equal(await client.received(), '$-1|:1|$-1|');
  }
});

test('what does not compile is forgotten again; another error says nothing of the source', async () => {
  const { proxy, client } = stage([]);
  await client.say(TOLD, OTHER_TOLD);
  proxy.lane.say(NOT_COMPILED.slice(0, 9));
  proxy.lane.say(`${NOT_COMPILED.slice(9)}-ERR user_script:1: attempt to call\r\n`);
  assert.ok(!knows(proxy, SOURCE));
  assert.ok(knows(proxy, OTHER));
  assert.equal((await client.received()).split('|').length, 3);
});

test('nothing is learned from a client that the upstream has not let in', async () => {
  const proxy = new TestProxy();
  proxy.lane.open();
  proxy.lane.sent();
  proxy.lane.say('-NOAUTH Authentication required.\r\n');
  const client = proxy.client();
  await client.say(TOLD);
  proxy.lane.say('-NOAUTH Authentication required.\r\n');
  await client.received();
  assert.ok(!knows(proxy, SOURCE));
});

// ── alone ──────────────────────────────────────────────────────────────────────────────────────────

test('a call that nothing follows goes as it came; what comes later waits for its reply', async () => {
  const { proxy, client } = stage();
  await client.say(CALL);
  await client.say('INCR n', 'GET n');
  assert.deepEqual(proxy.lane.sentCommands(), [CALL]);
  proxy.lane.say(':1\r\n');
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n', 'GET n']);
  proxy.lane.say(':1\r\n$1\r\n1\r\n');
  assert.equal(await client.received(), ':1|:1|$1|1|');
  assert.equal(proxy.observer.scriptRewrites, 0);
});

test('NOSCRIPT is healed, and nobody notices', async () => {
  for (const call of [CALL, CALL.toUpperCase(), `evalsha ${SHA} 0`, `EVALSHA_RO ${SHA} 1 k`]) {
    const { proxy, client } = stage();
    await client.say(call);
    await client.say('GET n');
    assert.deepEqual(proxy.lane.sentCommands(), [call]);
    proxy.lane.say(MISSING);
    proxy.clock.endTick();
    const told = call.startsWith('EVALSHA_RO') ? `EVAL_RO ${SOURCE} 1 k` : TOLD;
    assert.deepEqual(proxy.lane.sentCommands(), [told]);
    proxy.lane.say(':1\r\n');
    proxy.clock.endTick();
    assert.deepEqual(proxy.lane.sentCommands(), ['GET n']);
    proxy.lane.say('$-1\r\n');
    assert.equal(await client.received(), ':1|$-1|');
    assert.equal(proxy.observer.scriptHeals, 1);
  }
});

test('a script that nobody has told the source of is asked for, for the next time', async () => {
  const { proxy, client } = stage([]);
  await client.say(CALL);
  assert.deepEqual(proxy.lane.sentCommands(), [`SCRIPT SHOW ${SHA}`, CALL]);
  proxy.lane.say(MISSING + MISSING);
  assert.equal(await client.received(), MISSING.replace('\r\n', '|'));
  await client.say(CALL);
  assert.deepEqual(proxy.lane.sentCommands(), [`SCRIPT SHOW ${SHA}`, CALL]);
  proxy.lane.say(`$8\r\n${SOURCE}\r\n:1\r\n`);
  assert.equal(await client.received(), ':1|');
  assert.ok(knows(proxy, SOURCE));
});

test('what is wrong with a call is the upstream’s to say', async () => {
  for (const call of ['EVALSHA', `EVALSHA ${SHA}`, 'EVALSHA abc 0', `EVALSHA ${SHA} many`]) {
    const { proxy, client } = stage();
    await client.say(call);
    await client.say('GET a');
    assert.deepEqual(proxy.lane.sentCommands(), [call, 'GET a']);
    proxy.lane.say('-ERR wrong\r\n$-1\r\n');
    assert.equal(await client.received(), '-ERR wrong|$-1|');
  }
});

test('I5: a call whose reply was lost has an unknown outcome; its read-only form is said again', async () => {
  const { proxy, client } = stage();
  await client.say(CALL);
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/);
  await client.say(`EVALSHA_RO ${SHA} 0`);
  assert.deepEqual(next.sentCommands(), [`EVALSHA_RO ${SHA} 0`]);
  next.close();
  const third = proxy.remadeLane();
  assert.deepEqual(third.sentCommands(), [`EVALSHA_RO ${SHA} 0`]);
  third.say(MISSING);
  proxy.clock.endTick();
  assert.deepEqual(third.sentCommands(), [`EVAL_RO ${SOURCE} 0`]);
  third.say(':1\r\n');
  await client.say('GET a');
  assert.equal(await client.received(), ':1|');
  assert.deepEqual(third.sentCommands(), ['GET a']);
});

test('I5: a healed call that is lost has an unknown outcome', async () => {
  const { proxy, client } = stage();
  await client.say(CALL);
  proxy.lane.say(MISSING);
  proxy.clock.endTick();
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/);
  await client.say('GET a');
  assert.deepEqual(next.sentCommands(), ['GET a']);
});

// ── in a pipeline ──────────────────────────────────────────────────────────────────────────────────

test('a call that something follows carries its source: nothing need wait', async () => {
  const { proxy, client } = stage();
  await client.say(CALL, 'GET a', OTHER_CALL, 'GET b');
  assert.deepEqual(proxy.lane.sentCommands(), [TOLD, 'GET a', OTHER_TOLD, 'GET b']);
  proxy.lane.say(':1\r\n$-1\r\n:2\r\n$-1\r\n');
  assert.equal(await client.received(), ':1|$-1|:2|$-1|');
  assert.equal(proxy.observer.scriptRewrites, 2);
});

test('the last of a pipeline goes as it came, and is healed behind what was served', async () => {
  const { proxy, client } = stage();
  await client.say('GET a', CALL);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a', CALL]);
  proxy.lane.say('$-1\r\n');
  proxy.lane.say(MISSING);
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), [TOLD]);
  proxy.lane.say(':1\r\n');
  assert.equal(await client.received(), '$-1|:1|');
});

test('calls that stand together go as one transaction: each source once, each reply in its place', async () => {
  const { proxy, client } = stage();
  await client.say(CALL, CALL, OTHER_CALL, CALL);
  await client.say('GET a');
  assert.deepEqual(proxy.lane.sentCommands(), ['MULTI', TOLD, CALL, OTHER_TOLD, CALL, 'EXEC']);
  proxy.lane.say(OK + QUEUED + QUEUED);
  proxy.lane.say(`${QUEUED + QUEUED}*4\r\n:1\r\n$3\r\na`);
  assert.equal(await client.received(), ':1|$3|a');
  proxy.lane.say('bc\r\n-ERR of its own\r\n*1\r\n:4\r\n');
  proxy.clock.endTick();
  assert.equal(await client.received(), 'bc|-ERR of its own|*1|:4|');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
});

test('I5: a bundle whose connection is lost: what was answered is, the rest has an unknown outcome', async () => {
  const { proxy, client } = stage();
  await client.say(CALL, CALL);
  proxy.lane.say(`${OK + QUEUED + QUEUED}*2\r\n:1\r\n`);
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.match(await client.received(), /^:1\|-UNKNOWNOUTCOME [^|]*\|$/);
  await client.say('GET a');
  assert.deepEqual(next.sentCommands(), ['GET a']);
});

test('a call that is refused by itself does not cost the others theirs', async () => {
  const { proxy, client } = stage();
  await client.say(CALL, OTHER_CALL);
  proxy.lane.sent();
  const refused = '-NOPERM No permissions to access a key\r\n';
  proxy.lane.say(
    `${OK}${refused}${QUEUED}-EXECABORT Transaction discarded because of previous errors.\r\n`,
  );
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), [CALL]);
  proxy.lane.say(refused);
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), [OTHER_CALL]);
  proxy.lane.say(':2\r\n');
  assert.equal(await client.received(), `${refused.replace('\r\n', '|')}:2|`);
});

test('SCRIPT KILL, or a command that is refused, does not overtake the calls before it', async () => {
  const { proxy, client } = stage();
  await client.say(CALL, CALL, 'SCRIPT KILL');
  assert.deepEqual(proxy.lane.sentCommands(), ['MULTI', TOLD, CALL, 'EXEC']);
  proxy.lane.say(`${OK + QUEUED + QUEUED}*2\r\n:1\r\n:2\r\n`);
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['SCRIPT KILL']);
  proxy.own.say('-NOTBUSY No scripts in execution right now.\r\n');
  assert.equal(await client.received(), ':1|:2|-NOTBUSY No scripts in execution right now.|');
});

// ── in a transaction ───────────────────────────────────────────────────────────────────────────────

/** The client's transaction, said in one breath; what arrived of it. */
async function transaction(
  client: ProxyClient,
  proxy: TestProxy,
  ...queued: string[]
): Promise<string[]> {
  await client.say('MULTI', ...queued, 'EXEC');
  const before = proxy.own;
  if (before === proxy.lane) proxy.lane.sent();
  proxy.own.open();
  proxy.clock.endTick();
  return proxy.own.sentCommands().slice(1, -1);
}

test('in MULTI the first call of each script carries its source, the others stay', async () => {
  const { proxy, client } = stage();
  const arrived = await transaction(client, proxy, CALL, OTHER_CALL, CALL, CALL.toUpperCase());
  assert.deepEqual(arrived, [TOLD, OTHER_TOLD, CALL, CALL.toUpperCase()]);
  proxy.own.say(`${OK}${QUEUED.repeat(4)}*4\r\n:1\r\n:2\r\n:1\r\n:1\r\n`);
  assert.equal(await client.received(), `+OK|${'+QUEUED|'.repeat(4)}*4|:1|:2|:1|:1|`);
  // The next one begins anew.
  await client.say('MULTI', CALL, 'EXEC');
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI', TOLD, 'EXEC']);
});

test('in MULTI a source that was told by EVAL or SCRIPT LOAD is not told again, except after SCRIPT FLUSH', async () => {
  for (const teller of [TOLD, `SCRIPT LOAD ${SOURCE}`]) {
    const { proxy, client } = stage();
    const queued = [teller, CALL, 'SCRIPT FLUSH', CALL, CALL];
    const arrived = await transaction(client, proxy, ...queued);
    assert.deepEqual(arrived, [teller, CALL, 'SCRIPT FLUSH', TOLD, CALL]);
  }
});

test('in MULTI a call that cannot even begin tells nothing', async () => {
  const { proxy, client } = stage();
  const wrong = [`EVAL ${SOURCE} many`, `EVALSHA ${SHA} 7`];
  const arrived = await transaction(client, proxy, ...wrong, CALL, CALL);
  assert.deepEqual(arrived.slice(2), [TOLD, CALL]);
});

test('in MULTI a script that the upstream can show is told', async () => {
  const { proxy, client } = stage([]);
  await client.say('MULTI', CALL, 'EXEC');
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['MULTI']);
  assert.deepEqual(proxy.lane.sentCommands(), [`SCRIPT SHOW ${SHA}`]);
  proxy.lane.say(`$8\r\n${SOURCE}\r\n`);
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), [TOLD, 'EXEC']);
});

test('in MULTI a script that the upstream has but cannot show is called', async () => {
  const { proxy, client } = stage([]);
  await client.say('MULTI', CALL, 'EXEC');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.sent();
  proxy.lane.sent();
  proxy.lane.say(
    "-ERR Unknown subcommand or wrong number of arguments for 'SHOW'. Try SCRIPT HELP.\r\n",
  );
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), [`SCRIPT EXISTS ${SHA}`]);
  proxy.lane.say('*1\r\n:1\r\n');
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), [CALL, 'EXEC']);
});

test('in MULTI a script that nobody has is refused at once, and EXEC runs nothing', async () => {
  const { proxy, client } = stage([]);
  await client.say('MULTI', 'INCR n', CALL, 'INCR m', 'EXEC', 'GET a');
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['MULTI', 'INCR n']);
  own.say(OK + QUEUED);
  proxy.lane.sent();
  proxy.lane.say(MISSING);
  proxy.clock.endTick();
  const arrived = own.sentCommands();
  assert.deepEqual(arrived.slice(1), ['INCR m', 'EXEC', 'GET a']);
  assert.ok(!arrived[0]!.startsWith('EVALSHA'));
  const aborted = '-EXECABORT Transaction discarded because of previous errors.\r\n';
  own.say(`-ERR wrong number of arguments\r\n${QUEUED}${aborted}$-1\r\n`);
  assert.equal(
    await client.received(),
    `+OK|+QUEUED|${MISSING}+QUEUED|${aborted}$-1|`.replaceAll('\r\n', '|'),
  );
});

test('in MULTI, asked of an upstream that is lost meanwhile', async () => {
  const { proxy, client } = stage([]);
  await client.say('MULTI', CALL);
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.say(OK);
  own.sent();
  proxy.lane.close();
  const next = proxy.remadeLane();
  // Nobody knows yet: it is asked again.
  assert.deepEqual(next.sentCommands(), [`SCRIPT SHOW ${SHA}`]);
  assert.deepEqual(own.sentCommands(), []);
  next.say(`$${SOURCE.length}\r\n${SOURCE}\r\n`);
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), [TOLD]);
});

test('a script is called in a transaction that WATCH guards', async () => {
  const { proxy, client } = stage();
  await client.say('WATCH k', CALL, CALL, 'MULTI', CALL, 'EXEC');
  const own = proxy.own.open();
  proxy.clock.endTick();
  // A transaction of the sidecar's own would end the WATCH.
  assert.deepEqual(own.sentCommands(), ['WATCH k', TOLD, TOLD, 'MULTI', TOLD, 'EXEC']);
});

// ── SCRIPT EXISTS and SCRIPT FLUSH ─────────────────────────────────────────────────────────────────

test('SCRIPT EXISTS promises what the sidecar can keep', async () => {
  const { proxy, client } = stage([SOURCE]);
  const unknown = sha1('return_3');
  await client.say(`SCRIPT EXISTS ${SHA.toUpperCase()} ${unknown} ${sha1(OTHER)}`, 'GET a');
  proxy.lane.sent();
  proxy.lane.say('*3\r\n:0\r');
  assert.equal(await client.received(), '');
  proxy.lane.say('\n:0\r\n:1\r\n$-1\r\n');
  assert.equal(await client.received(), '*3|:1|:0|:0|$-1|');
});

test('SCRIPT FLUSH empties the upstream and not the sidecar', async () => {
  const { proxy, client } = stage();
  await client.say('SCRIPT FLUSH', CALL, 'GET a');
  assert.deepEqual(proxy.lane.sentCommands(), ['SCRIPT FLUSH', TOLD, 'GET a']);
});

// ── elsewhere ──────────────────────────────────────────────────────────────────────────────────────

test('a client that keeps its connection is told every time: nothing is healed there', async () => {
  const { proxy, client } = stage();
  await client.say('HELLO 3');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.say('%0\r\n');
  await client.say('SUBSCRIBE c');
  proxy.own.sent();
  proxy.own.say('>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n');
  await client.received();
  await client.say(CALL, CALL);
  assert.deepEqual(proxy.own.sentCommands(), [TOLD, TOLD]);
  proxy.own.say(':1\r\n:1\r\n');
  assert.equal(await client.received(), ':1|:1|');
});

/** An EVAL of more than 4 MB. */
const LONG = encodeCommand('EVAL', SOURCE, '0', ...new Array<string>(6).fill('x'.repeat(900_000)));
/** So much of it arrives first. */
const PART_BYTES = 4_500_000;

test('a script that is too long with its arguments passes piece by piece, and is not learned', async () => {
  const { proxy, client } = stage([]);
  await client.sendBytes(LONG.subarray(0, PART_BYTES));
  const own = proxy.own.open();
  proxy.clock.endTick();
  await client.sendBytes(LONG.subarray(PART_BYTES));
  assert.ok(own.sent() === LONG.toString('latin1'));
  own.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  assert.equal(proxy.scripts.registry.count, 0);
});

test('a script that is too long passes on a connection that is kept, too', async () => {
  const { proxy, client } = stage([]);
  await client.say('MONITOR');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.say(OK);
  own.sent();
  await client.sendBytes(LONG.subarray(0, PART_BYTES));
  await client.sendBytes(LONG.subarray(PART_BYTES));
  assert.ok(own.sent() === LONG.toString('latin1'));
});

test('a script that is too long does not get past what its client may not do', async () => {
  const { proxy, client } = stage([], {
    refusal: (_id, args) =>
      args[0]!.toString().toLowerCase() === 'eval'
        ? { reply: Buffer.from('-NOPERM no\r\n') }
        : null,
  });
  await client.sendBytes(LONG.subarray(0, PART_BYTES));
  await client.sendBytes(LONG.subarray(PART_BYTES));
  assert.equal(await client.received(), '-NOPERM no|');
  assert.equal(proxy.transport.streams.length, 1);
});

test('a script that is too long does not run outside of the transaction that it was said in', async () => {
  const { proxy, client } = stage([]);
  await client.say('MULTI', 'GET a', 'WATCH k');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.say(`${OK}${QUEUED}-ERR WATCH inside MULTI is not allowed\r\n`);
  own.close();
  await client.received();
  const before = proxy.transport.streams.length;
  await client.sendBytes(LONG.subarray(0, PART_BYTES));
  await client.sendBytes(LONG.subarray(PART_BYTES));
  assert.match(await client.received(), /^-UNAVAILABLE [^|]*\|$/);
  assert.equal(proxy.transport.streams.length, before);
});

test('where scripts are to pass, they pass as they came', async () => {
  const { proxy, client } = stage([SOURCE], { passesScripts: true });
  await client.say(CALL, OTHER_TOLD, CALL, `SCRIPT EXISTS ${SHA}`);
  assert.deepEqual(proxy.lane.sentCommands(), [CALL, OTHER_TOLD, CALL, `SCRIPT EXISTS ${SHA}`]);
  proxy.lane.say(`${MISSING}:2\r\n${MISSING}*1\r\n:0\r\n`);
  assert.equal(await client.received(), `${MISSING}:2|${MISSING}*1|:0|`.replaceAll('\r\n', '|'));
  assert.ok(!knows(proxy, OTHER));
});

test('I6: a long source goes along only where there is no other way', async () => {
  const long = 'x'.repeat(70_000);
  const { proxy, client } = stage([long]);
  const call = `EVALSHA ${sha1(long)} 0`;
  await client.say(call, call, 'GET a');
  assert.deepEqual(proxy.lane.sentCommands(), [call]);
  proxy.lane.say(MISSING);
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), [`EVAL ${long} 0`]);
  proxy.lane.say(':1\r\n');
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), [call]);
  proxy.lane.say(':2\r\n');
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
  proxy.lane.say('$-1\r\n');
  assert.equal(await client.received(), ':1|:2|$-1|');
});
