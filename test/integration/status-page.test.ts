/**
 * The status page in a real browser, in front of a real sidecar and a real Redis that goes away and comes back. The page
 * is opened once; everything after that it must notice by itself.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.js';
import { createAdminServer } from '../../src/metrics/admin-server.js';
import { StatusPage } from '../../src/metrics/status-page.js';
import type { SidecarStatus } from '../../src/proxy/status.js';
import { startBrowser, type Tab, type View } from '../helpers/browser.js';
import { eventually } from '../helpers/eventually.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { OutageSidecar } from '../helpers/outage-sidecar.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { STATUS_IN_OUTAGE } from '../helpers/sample-status.js';

const RECORDS = 3000;
const WIDTHS = [320, 390, 768, 1280];

/** Waits until the page says so, of itself. */
async function untilSays(tab: Tab, selector: string, expected: RegExp): Promise<string> {
  let said = '';
  const says = async (): Promise<boolean> => {
    said = (await tab.text(selector)).replace(/\s+/g, ' ').trim();
    return expected.test(said);
  };
  await eventually(`${selector} says ${expected}`, says, { withinMs: 20_000, everyMs: 30 }).catch(
    (error: unknown) => assert.fail(`${String(error)}; it says: ${said}`),
  );
  return said;
}

/** Neither on a phone nor on a screen, by day or by night, is anything wider than the page. */
async function assertFits(tab: Tab): Promise<void> {
  for (const width of WIDTHS) {
    for (const scheme of ['light', 'dark'] as const) {
      const view: View = { width, height: 800, scheme, mobile: width < 500 };
      await tab.look(view);
      const [wide, ground] = await tab.evaluate<[number, string]>(
        '[document.documentElement.scrollWidth, getComputedStyle(document.documentElement).backgroundColor]',
      );
      assert.ok(wide <= width, `${width}: ${wide}`);
      assert.match(ground, scheme === 'light' ? /rgb\(2\d\d, / : /rgb\(\d\d, /);
    }
  }
}

test('the page tells an outage from its beginning to its end, and that the sidecar has gone', async (t) => {
  const redis = await OutageRedis.start(t, 'none');
  const sidecar = await OutageSidecar.start(t, redis.port, { args: ['--replay-rate', '750'] });
  const tab = await (await startBrowser(t)).newTab();
  const origin = `http://127.0.0.1:${sidecar.adminPort}/`;
  await tab.look({ width: 1000, height: 800 });
  await tab.open(origin);
  await tab.evaluate('window.opened = 1');
  const client = await connectRaw(sidecar.port);
  t.after(() => client.reset());

  assert.equal(await client.ask('SET', 'a', '1'), '+OK\r\n');
  await untilSays(
    tab,
    '#situation',
    /^All well Redis answers, \d+ commands? a second for 1 client\.$/,
  );
  assert.equal(await tab.evaluate('document.documentElement.dataset.tone'), 'good');

  await redis.kill();
  await untilSays(tab, '#situation', /^Redis is away for \d+ s; .* (next try in|trying it now)/);
  client.write(
    Buffer.concat(Array.from({ length: RECORDS }, (_, key) => encodeCommand('SET', key, 'x'))),
  );
  await client.readFrames(RECORDS);
  await untilSays(tab, '#situation', /; 3,000 writes are safe in the journal; /);
  assert.match(
    await tab.text('#situation'),
    /The last thing heard: connect ECONNREFUSED 127\.0\.0\.1:/,
  );
  assert.match(await tab.evaluate('document.title'), /^Redis is away/);
  await assertFits(tab);

  // Four seconds of replay: the page is looked at often enough, however busy the machine is.
  await redis.start();
  await untilSays(
    tab,
    '#situation',
    /^Catching up Replaying: [\d,]+ of 3,000 records, .*\d+ % .* records a second$/,
  );
  await untilSays(tab, '#situation', /^All well Redis answers/);
  const happened = await tab.text('#changes');
  assert.match(
    happened,
    /All well\s+now[\s\S]*Redis is back, replaying[\s\S]*Redis went away[\s\S]*ECONNREFUSED/,
  );
  // A screen reader is told of what happened, not of each second.
  assert.match(await tab.text('#aloud'), /^All well: /);
  await untilSays(
    tab,
    '#hour',
    /Commands a second.*How long Redis takes.*journal.*Clients.*Redis was away once/,
  );
  const shades = `document.querySelectorAll('#hour figure [fill="url(#shade-outage)"]').length`;
  assert.equal(await tab.evaluate(shades), 4);
  await assertFits(tab);
  assert.deepEqual(tab.complaints, []);

  client.reset();
  const stoppedAt = performance.now();
  assert.equal(await sidecar.stop(), 0);
  assert.ok(performance.now() - stoppedAt < 8_000, 'an open page does not delay the end');
  await untilSays(tab, '#gone', /^No word from the sidecar since \d\d:\d\d:\d\d: it has stopped/);
  assert.equal(await tab.evaluate('document.getElementById("gone").hidden'), false);
  await sidecar.start();
  await untilSays(tab, '#link', /^live$/);
  assert.equal(await tab.evaluate('document.getElementById("gone").hidden'), true);

  assert.equal(await tab.evaluate('window.opened'), 1, 'it was never loaded again');
  assert.deepEqual([...new Set(tab.requests)].sort(), [origin, `${origin}events`]);
  const others = tab.complaints.filter((complaint) => !/events/.test(complaint));
  assert.deepEqual(others, [], 'that the stream broke is all that the browser may say');
});

test('what the upstream says cannot become part of the page', async (t) => {
  const evil = `</script><img src=x onerror="window.harmed = 1"><script>window.harmed = 1</script>`;
  let cause = evil;
  const status = (): SidecarStatus => ({
    ...STATUS_IN_OUTAGE,
    breaker: { ...STATUS_IN_OUTAGE.breaker, lastCause: cause },
    conditions: [{ to: 'outage', time: '2026-11-21T09:00:00.000Z', cause, seconds: null }],
  });
  const server = createAdminServer({
    address: { host: '127.0.0.1', port: 0 },
    isReady: () => true,
    status,
    metrics: { contentType: 'text/plain', exposition: () => Promise.resolve('') },
    page: new StatusPage({
      clock: systemClock,
      status,
      past: () => ({ points: [], conditions: [] }),
    }),
  });
  await server.start();
  t.after(() => server.stop());
  const tab = await (await startBrowser(t)).newTab();
  await tab.open(`http://127.0.0.1:${server.address().port}/`);
  await untilSays(tab, '#changes', /img src=x onerror/);
  // And as it comes over the stream.
  cause = `once more: ${evil}`;
  await untilSays(tab, '#changes', /once more: <\/script><img src=x onerror/);
  assert.equal(await tab.evaluate('document.images.length'), 0);
  assert.equal(await tab.evaluate('typeof window.harmed'), 'undefined');
  // And if it did, the policy would not run it.
  await tab.evaluate(
    `document.getElementById('facts').innerHTML = '<img src="data:," onerror="window.harmed = 1">'`,
  );
  await eventually('the policy has refused it', () =>
    tab.complaints.some((complaint) => /Content Security Policy/.test(complaint)),
  );
  assert.equal(await tab.evaluate('typeof window.harmed'), 'undefined');
});
