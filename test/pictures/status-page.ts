/**
 * Takes the pictures of docs/status-page.md, of a real sidecar with traffic and a Redis that goes away. The charts
 * show five minutes, so it takes that long.
 *
 *   node build/test/pictures/status-page.js [seconds before the outage]
 *
 * Needs pngquant, and looks best with the font Inter (Debian: pngquant, fonts-inter).
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startBrowser, type Tab, type View } from '../helpers/browser.js';
import { run } from '../helpers/child-process.js';
import { Cleanups } from '../helpers/cleanups.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { OutageSidecar } from '../helpers/outage-sidecar.js';
import { projectRoot } from '../helpers/project.js';
import { SteadyTraffic } from '../helpers/steady-traffic.js';

const SECONDS = Number(process.argv[2] ?? 215);
const DIRECTORY = join(projectRoot, 'docs', 'images');
const SCREEN: View = { width: 1000, height: 900 };
const PHONE: View = { width: 390, height: 844, mobile: true, scale: 2 };

async function take(tab: Tab, name: string, view: View, what?: 'view'): Promise<void> {
  await tab.look(view);
  // Two frames: with the new colours, and after the browser has measured everything again.
  await pause(400);
  const file = join(DIRECTORY, `status-${name}.png`);
  await tab.picture(file, what);
  const { code, stderr } = await run('pngquant', [
    '--force',
    '--ext',
    '.png',
    '--speed',
    '1',
    file,
  ]);
  if (code !== 0) throw new Error(`pngquant: ${stderr}`);
  process.stdout.write(`${file} ${Math.round(statSync(file).size / 1024)} kB\n`);
}

async function takeBoth(tab: Tab, name: string): Promise<void> {
  await take(tab, `${name}-dark`, { ...SCREEN, scheme: 'dark' });
  await take(tab, `${name}-light`, SCREEN);
}

async function main(t: Cleanups): Promise<void> {
  mkdirSync(DIRECTORY, { recursive: true });
  const redis = await OutageRedis.start(t, 'none');
  const sidecar = await OutageSidecar.start(t, redis.port, {
    args: ['--replay-rate', '1200', '--breaker-recovery', '8s'],
  });
  await SteadyTraffic.start(t, sidecar.port, { clients: 12, perSecond: 1200 });
  const tab = await (await startBrowser(t)).newTab();
  await tab.open(`http://127.0.0.1:${sidecar.adminPort}/`);
  await pause(SECONDS * 250);
  await redis.kill();
  await pause(SECONDS * 90);
  await redis.start();
  await sidecar.untilDrained(120_000);
  const more = await SteadyTraffic.start(t, sidecar.port, { clients: 6, perSecond: 500 });
  await pause(SECONDS * 660);
  await takeBoth(tab, 'healthy');
  await redis.kill();
  await pause(48_000);
  await takeBoth(tab, 'outage');
  await take(tab, 'phone', PHONE, 'view');
  await tab.look(SCREEN);
  await redis.start();
  more.stop();
  await sidecar.until('it replays', ({ condition }) => condition === 'replaying', 30_000);
  await pause(12_000);
  await takeBoth(tab, 'replaying');
}

const cleanups = new Cleanups();
try {
  await main(cleanups);
} finally {
  await cleanups.run();
}
