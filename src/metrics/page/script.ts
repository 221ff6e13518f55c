/**
 * The page's script, as the browser runs it. The server renders; this puts what has changed into its place, keeps the
 * connection, and says so when there is none. It takes HTML from its own origin only, in which `markup.ts` has escaped all
 * text, and the Content-Security-Policy runs no other script.
 *
 *   GET events ──► now: the moment · hour: the charts · beat: nothing new, but I am here
 */
export const SCRIPT = `
'use strict';
(() => {
  const SILENT_MS = 5000;
  const AGAIN_MS = 2000;
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const shown = new Map();
  let source = null;
  let heardAt = Date.now();
  let triedAt = 0;
  let headline = root.dataset.headline;

  /** The reader's own time of day; the server knows only UTC. */
  const clock = new Intl.DateTimeFormat([], { timeStyle: 'medium', hourCycle: 'h23' });
  function localise(element) {
    for (const time of element.querySelectorAll('time')) {
      const date = new Date(time.dateTime);
      time.textContent = clock.format(date);
      time.title = date.toString();
    }
  }

  /** Only what is another one than before, so that what somebody selects stays selected. */
  function put(id, html) {
    if (shown.get(id) === html) return;
    shown.set(id, html);
    const element = byId(id);
    element.innerHTML = html;
    localise(element);
  }

  function heard() {
    heardAt = Date.now();
    if (root.dataset.link === 'live') return;
    root.dataset.link = 'live';
    byId('link').textContent = 'live';
    byId('gone').hidden = true;
  }

  function lost() {
    const since = clock.format(heardAt);
    root.dataset.link = 'lost';
    byId('link').textContent = 'no contact';
    byId('gone').textContent = 'No word from the sidecar since ' + since +
      ': it has stopped, or the way to it is broken. Below is what it said last. Trying again by itself.';
    byId('gone').hidden = false;
    document.title = 'No contact \\u00b7 Respool';
    byId('favicon').href = root.dataset.iconLost;
  }

  function onNow(event) {
    heard();
    const now = JSON.parse(event.data);
    if (now.version !== root.dataset.version) return location.reload();
    root.dataset.tone = now.tone;
    document.title = now.title;
    byId('favicon').href = root.dataset['icon' + now.tone[0].toUpperCase() + now.tone.slice(1)];
    for (const [id, html] of Object.entries(now.parts)) put(id, html);
    if (now.headline === headline) return;
    // Read aloud once per event, not once a second.
    headline = now.headline;
    byId('aloud').textContent = now.sentence;
  }

  function connect() {
    triedAt = Date.now();
    source?.close();
    source = new EventSource('events');
    source.addEventListener('now', onNow);
    source.addEventListener('hour', (event) => { heard(); put('hour', JSON.parse(event.data)); });
    source.addEventListener('beat', heard);
    source.addEventListener('error', lost);
  }

  setInterval(() => {
    const silent = Date.now() - heardAt > SILENT_MS;
    if (silent) lost();
    const closed = source.readyState === EventSource.CLOSED;
    if ((silent || closed) && Date.now() - triedAt > AGAIN_MS) connect();
  }, 1000);
  localise(document);
  connect();
})();
`;
