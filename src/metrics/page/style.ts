/**
 * The page's style sheet. Colours are variables, one set for day and one for night; what a colour says is also said by a
 * word, a shape or a pattern. No `style` attributes anywhere: the Content-Security-Policy would drop them.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f4; --card: #ffffff; --ink: #1c2328; --muted: #59646d; --line: #e1e5e1; --code: #eef0ee;
  --good: #1b7449; --good-tint: #e9f5ee; --notice: #1f5f9e; --notice-tint: #e9f1f9;
  --trouble: #8f5400; --trouble-tint: #fcf3e3; --danger: #b3261e; --danger-tint: #fcebe9;
  --through: #3d7cbf; --journal: #d5832a; --store: #8462c4; --refused: #c8453b; --local: #8e9aa4;
  --slow: #a9508b; --clients: #258a83;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11161a; --card: #181f25; --ink: #e5eaed; --muted: #98a5ae; --line: #29333a; --code: #222b32;
    --good: #63c998; --good-tint: #14271e; --notice: #82b7ee; --notice-tint: #142436;
    --trouble: #ecb765; --trouble-tint: #2b2315; --danger: #ff948a; --danger-tint: #351c1b;
    --through: #5b9bdc; --journal: #e29a4a; --store: #a88be0; --refused: #e8746a; --local: #7d8a94;
    --slow: #cf83b6; --clients: #4db3aa;
  }
}
:root { --tone: var(--good); --tint: var(--good-tint); }
[data-tone=notice] { --tone: var(--notice); --tint: var(--notice-tint); }
[data-tone=trouble] { --tone: var(--trouble); --tint: var(--trouble-tint); }
[data-tone=danger] { --tone: var(--danger); --tint: var(--danger-tint); }

* { box-sizing: border-box; margin: 0; padding: 0; }
html { background: var(--ground); color: var(--ink); -webkit-text-size-adjust: 100%; }
body {
  font: 16px/1.5 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums;
  max-width: 72rem; margin: 0 auto; padding: clamp(1rem, 3vw, 2.25rem);
  overflow-wrap: anywhere;
}
ul, ol { list-style: none; }
a { color: inherit; }
a:focus-visible { outline: 2px solid var(--tone); outline-offset: 3px; border-radius: 2px; }
h2 { font-size: .95rem; font-weight: 600; margin-bottom: .75rem; }
h3 { font-size: .95rem; font-weight: 600; }
code {
  font: .9em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  background: var(--code); border-radius: 4px; padding: .15em .4em;
}
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet { color: var(--muted); font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: clamp(1rem, 2.5vw, 1.5rem); }

header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; margin-bottom: 1rem; }
header strong { letter-spacing: .01em; }
#link { display: inline-flex; align-items: center; gap: .45rem; color: var(--muted); font-size: .9rem; }
#link::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: var(--good); }
[data-link=lost] #link::before { background: none; border: 2px solid var(--danger); }
#gone { background: var(--danger-tint); color: var(--danger); border: 1px solid currentColor; border-radius: 14px; padding: .9rem 1.25rem; margin-bottom: 1rem; }
#gone[hidden] { display: none; }
main { display: grid; gap: 1rem; transition: opacity .3s; }
[data-link=lost] main { opacity: .75; }
[data-link=lost] { --tone: var(--muted); --tint: var(--card); }
[data-link=lost] h1::before { content: "Last heard: "; font-weight: 400; }

#situation { background: var(--tint); border-color: color-mix(in srgb, var(--tone) 30%, transparent); padding: clamp(1.25rem, 4vw, 2.25rem); }
.what { display: flex; gap: clamp(.9rem, 3vw, 1.5rem); align-items: flex-start; }
.icon { flex: none; width: clamp(2.4rem, 7vw, 3.25rem); height: clamp(2.4rem, 7vw, 3.25rem); color: var(--tone); fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
h1 { font-size: clamp(1.5rem, 5vw, 2.1rem); line-height: 1.2; font-weight: 650; letter-spacing: -.01em; color: var(--tone); }
.sentence { font-size: clamp(1.05rem, 2.6vw, 1.3rem); line-height: 1.45; margin-top: .3rem; }
.progress { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem 1rem; margin-top: 1.25rem; color: var(--muted); }
progress { flex: 1 1 14rem; height: .65rem; appearance: none; border: 0; border-radius: 99px; overflow: hidden; background: color-mix(in srgb, var(--tone) 18%, transparent); }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--tone); border-radius: 99px; transition: width .9s linear; }
progress::-moz-progress-bar { background: var(--tone); border-radius: 99px; }
.advice { margin-top: 1.25rem; padding-top: 1rem; border-top: 1px solid color-mix(in srgb, var(--tone) 25%, transparent); display: grid; gap: .5rem; }

.charts { display: grid; gap: 1.75rem 2.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
.chart { display: flex; flex-direction: column; min-width: 0; }
figcaption { margin-bottom: .45rem; flex: 1; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; color: var(--muted); font-size: .85rem; }
.legend b { color: var(--ink); font-weight: 600; }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: 3px; margin-right: .35rem; vertical-align: -.05em; }
i.swatch { background: var(--hue); }
svg.swatch { width: 1.6rem; border: 1px solid var(--line); }
.plot { display: grid; grid-template-columns: 3.1rem 1fr; gap: .5rem; height: 7.5rem; }
.plot svg { display: block; width: 100%; height: 7.5rem; }
.scale { display: flex; flex-direction: column; justify-content: space-between; align-items: flex-end; white-space: nowrap; }
.scale, .times { font-size: .75rem; line-height: 1; color: var(--muted); }
.times { display: flex; justify-content: space-between; margin: .4rem 0 0 3.6rem; }
.grid, .ground { fill: none; stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.line { fill: none; stroke: var(--hue); stroke-width: 1.75; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.area { fill: var(--hue); opacity: .85; }
.area:has(+ .line) { opacity: .16; }
.s-through { --hue: var(--through); } .s-journal { --hue: var(--journal); } .s-store { --hue: var(--store); }
.s-refused { --hue: var(--refused); } .s-local { --hue: var(--local); } .s-slow { --hue: var(--slow); } .s-clients { --hue: var(--clients); }
.shades { margin: 1.25rem 0 .25rem; }
.charts + .quiet { margin-top: 1.25rem; }
#patterns { position: absolute; width: 0; height: 0; }
#shade-outage rect { fill: var(--trouble); opacity: .16; } #shade-outage path { stroke: var(--trouble); opacity: .45; }
#shade-replaying rect { fill: var(--notice); opacity: .14; } #shade-replaying path { stroke: var(--notice); opacity: .4; }
#shade-holding rect { fill: var(--muted); opacity: .1; } #shade-holding path { stroke: var(--muted); opacity: .4; }

.pair { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
#changes ol { display: grid; gap: .6rem; }
#changes li { display: grid; grid-template-columns: 4.75rem 1fr auto; gap: 0 .75rem; align-items: baseline; }
#changes time, .lasted { color: var(--muted); font-size: .9rem; }
#changes .cause { grid-column: 2 / -1; padding-left: calc(.6rem + 3px); }
.cause { color: var(--muted); font-size: .9rem; }
.happened { border-left: 3px solid var(--mark, var(--line)); padding-left: .6rem; }
.was-healthy { --mark: var(--good); } .was-outage { --mark: var(--trouble); }
.was-replaying, .was-draining { --mark: var(--notice); } .was-holding { --mark: var(--muted); }
dl { display: grid; gap: .5rem; }
dl div { display: grid; grid-template-columns: 7.5rem 1fr; gap: .75rem; }
dt { color: var(--muted); }
footer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1.25rem; margin-top: 1.25rem; color: var(--muted); font-size: .85rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
@media (max-width: 30rem) {
  #changes li { grid-template-columns: 1fr auto; }
  #changes time { grid-column: 1 / -1; }
  #changes .cause { grid-column: 1 / -1; }
  dl div { grid-template-columns: 6.5rem 1fr; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } progress::-webkit-progress-value { transition: none; } }
`;
