/**
 * The embedded engine cannot be reached but through the sidecar, so there is nothing to compare it
 * with: here every generated case must be answered by one well-formed reply, and after all of them
 * the engine must still be there, with the key space that was put into it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { startSidecar } from '../helpers/servers.js';
import { caseGroups, type CaseGroup } from './cases.js';
import { readCommandTable } from './command-table.js';
import { everyNth } from './expectations.js';
import { RESET_ALL } from './fixture.js';
import { collect, type Protocol } from './lock-step.js';
import { escaped } from './report.js';

const PATIENCE_MS = 20_000;

/** QUIT and what Redis takes for an attack: the connection closes, with or without a reply. */
const CLOSES = /^(quit|client\|kill)$/;

test('the embedded engine answers every command of its table', async (t) => {
  const engine = await startSidecar(t, { args: ['--journal-dir', 'memory'] });
  const { port } = engine;
  const table = await readCommandTable(port);
  const dumps = { key: Buffer.from('no dump'), functions: Buffer.from('no dump') };
  const groups = caseGroups(table, dumps);
  t.diagnostic(`${groups.length} commands, ${groups.flatMap(({ cases }) => cases).length} cases`);

  for (const protocol of [2, 3] as const) {
    await t.test(`RESP${protocol}`, async () => {
      const unanswered: string[] = [];
      const chosen = protocol === 2 ? groups : everyNth(groups, 3);
      for (const group of chosen) unanswered.push(...(await run(port, protocol, group)));
      assert.equal(unanswered.length, 0, `${unanswered.join('\n')}\n${engine.output()}`);
    });
  }

  await t.test('and is in order afterwards', async () => {
    const client = await connectRaw(port);
    client.write(RESET_ALL.bytes);
    await client.readFrames(RESET_ALL.replies);
    assert.equal(await client.ask('GET', 'str'), '$11\r\nhello world\r\n');
    await client.close();
  });
});

/** All cases of one command; returns those without a whole reply. */
async function run(port: number, protocol: Protocol, group: CaseGroup): Promise<string[]> {
  const setup = await connectRaw(port);
  setup.write(RESET_ALL.bytes);
  await setup.readFrames(RESET_ALL.replies);
  await setup.close();
  const unanswered: string[] = [];
  let client = await open(port, protocol);
  for (const { command, bytes, label } of group.cases) {
    // What waits for ever once an earlier case has emptied its key.
    if (label === 'by hand' && group.entry.flags.has('blocking')) continue;
    client.write(bytes);
    const outcome = await collect(client, 1, PATIENCE_MS);
    const isFine =
      outcome.ending === 'open' || (CLOSES.test(command) && outcome.ending === 'closed');
    if (!isFine) unanswered.push(`${escaped(bytes)} [${outcome.ending}] ${outcome.rest}`);
    if (group.connection === 'shared' && outcome.ending === 'open') continue;
    client.reset();
    client = await open(port, protocol);
  }
  client.reset();
  return unanswered;
}

async function open(
  port: number,
  protocol: Protocol,
): Promise<Awaited<ReturnType<typeof connectRaw>>> {
  const client = await connectRaw(port);
  if (protocol === 3) {
    client.write(encodeCommand('HELLO', '3'));
    await client.readFrame();
  }
  return client;
}
