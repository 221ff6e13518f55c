/**
 * The page itself: one self-contained document with everything filled in, which also says what is going on where no
 * script runs. Nothing is fetched from anywhere but this origin, and the policy that goes with it forbids it.
 */
import { createHash } from 'node:crypto';
import type { Tone } from '../../proxy/situation.js';
import { markup, Markup } from './markup.js';
import type { Now, PartName } from './now.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/** Headers that the document needs. */
export const DOCUMENT_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    `script-src '${sourceHash(SCRIPT)}'`,
    `style-src '${sourceHash(STYLE)}'`,
    "connect-src 'self'",
    // The icon of the tab.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** The whole document. `hour`: the charts. */
export function renderDocument(now: Now, hour: Markup): string {
  const part = (name: PartName): Markup => new Markup(now.parts[name]);
  return markup`<!doctype html>
<html lang="en" data-tone="${now.tone}" data-link="live" data-version="${now.version}" data-headline="${now.headline}"
  data-icon-good="${icon('good')}" data-icon-notice="${icon('notice')}" data-icon-trouble="${icon('trouble')}"
  data-icon-danger="${icon('danger')}" data-icon-lost="${icon('lost')}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${now.title}</title>
<link rel="icon" id="favicon" href="${icon(now.tone)}">
<style>${new Markup(STYLE)}</style>
</head>
<body>
${SHAPES}
<header><strong>Respool</strong><span id="link">live</span></header>
<div id="gone" role="alert" hidden></div>
<p id="aloud" class="hidden" role="status" aria-live="polite"></p>
<main>
<section id="situation" class="card">${part('situation')}</section>
<section class="card"><h2 class="hidden">The last hour</h2><div id="hour">${hour}</div></section>
<div class="pair">
<section class="card"><h2>What happened last</h2><div id="changes">${part('changes')}</div></section>
<section class="card"><h2>Right now</h2><div id="facts">${part('facts')}</div></section>
</div>
</main>
<footer><span id="about">${part('about')}</span>
<nav><a href="status">status (JSON)</a><a href="metrics">metrics</a><a href="livez">livez</a><a href="readyz">readyz</a></nav></footer>
<noscript><p class="quiet">Without JavaScript this page shows the moment at which it was loaded, in UTC.</p></noscript>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`.text;
}

const ICON_COLOURS: Readonly<Record<Tone | 'lost', string>> = {
  good: '#2c9c66',
  notice: '#3d86cf',
  trouble: '#d08a1e',
  danger: '#d3463c',
  lost: '#8a949c',
};

/** Of the tab: a dot in the colour of the tone, a ring when there is no contact. */
function icon(tone: Tone | 'lost'): string {
  const colour = ICON_COLOURS[tone];
  const fill = tone === 'lost' ? 'none' : colour;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${fill}" stroke="${colour}" stroke-width="2"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** A shape for each tone, and one for replaying, and a pattern for each shade, referred to by id. */
const SHAPES = markup`<svg id="patterns" aria-hidden="true">
<defs>
<pattern id="shade-outage" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="9" height="9" /><path d="M0 0V9" stroke-width="3" /></pattern>
<pattern id="shade-replaying" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" /><path d="M0 0V7" stroke-width="2" /></pattern>
<pattern id="shade-holding" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" /><path d="M0 0H7" stroke-width="2" /></pattern>
</defs>
<symbol id="icon-good" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10" /><path d="M7.5 12.5l3 3 6-6.5" /></symbol>
<symbol id="icon-replaying" viewBox="0 0 24 24"><path d="M20.5 10A9 9 0 0 0 4.4 7M3.5 14a9 9 0 0 0 16.1 3M4 3v4.2h4.2M20 21v-4.2h-4.2" /></symbol>
<symbol id="icon-notice" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10" /><path d="M12 11v6M12 7.2v.1" /></symbol>
<symbol id="icon-trouble" viewBox="0 0 24 24"><path d="M10.6 3.8L2.4 18a1.6 1.6 0 0 0 1.4 2.4h16.4a1.6 1.6 0 0 0 1.4-2.4L13.4 3.8a1.6 1.6 0 0 0-2.8 0zM12 9.5v4M12 16.8v.1" /></symbol>
<symbol id="icon-danger" viewBox="0 0 24 24"><path d="M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8zM12 7.5v5.5M12 16.6v.1" /></symbol>
</svg>`;
