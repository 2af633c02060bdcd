/** The look of the inspector. `light-dark()` follows the system, or the attribute `theme`. */
export const STYLE = `
:host {
  color-scheme: light dark;
  --paper: light-dark(#ffffff, #1a1918);
  --soft-paper: light-dark(#f7f5f2, #211f1e);
  --ink: light-dark(#1c1b1a, #f1eee9);
  --soft: light-dark(#645f58, #aaa39a);
  --line: light-dark(#e5e1db, #35322e);
  --edge: light-dark(#8f887f, #7a736a);
  --accent: light-dark(#2a6a49, #7cc7a0);
  --tint: light-dark(#e4f1ea, #22362c);
  --good: light-dark(#2e9e63, #55c98b);
  --wait: light-dark(#c98a1b, #e3ab4d);
  --bad: light-dark(#c6483d, #ec7a70);
  --in: light-dark(#1f6f9e, #7cc0ea);
  --out: light-dark(#7a4fa3, #c8a2ee);
  --then: light-dark(#8a5a00, #f0bd62);
  --then-tint: light-dark(#fdf3dc, #382c14);
  font: 13px/1.4 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  color: var(--ink);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host(:not([inline])) { position: fixed; inset: auto 0 0 0; z-index: 2147483000; pointer-events: none; }
:host([inline]) { display: block; height: 100%; min-height: 320px; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

button, input, select { font: inherit; color: inherit; }
button, select, input[type="search"] {
  height: 28px; padding: 0 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper);
}
button { cursor: pointer; white-space: nowrap; }
button:not([role="tab"]):hover { border-color: var(--edge); }
button:disabled { opacity: 0.45; cursor: default; }
button[aria-pressed="true"] { background: var(--bad); border-color: var(--bad); color: light-dark(#ffffff, #1a1918); }
select.on { border-color: var(--wait); background: var(--then-tint); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.list:focus-visible, .detail:focus-visible { outline-offset: -2px; }

.pill {
  pointer-events: auto; position: absolute; right: 16px; bottom: 16px; display: inline-flex; align-items: center; gap: 8px;
  height: 36px; padding: 0 14px; border-radius: 18px; font-weight: 600; box-shadow: 0 4px 20px rgb(0 0 0 / 18%);
}
.panel {
  pointer-events: auto; container-type: inline-size; display: flex; flex-direction: column; height: min(460px, 70vh);
  background: var(--paper); border-top: 1px solid var(--line); box-shadow: 0 -8px 32px rgb(0 0 0 / 14%);
}
:host(:not([inline])) .panel { border-radius: 14px 14px 0 0; }
:host([inline]) .panel { height: 100%; border: 1px solid var(--line); border-radius: 12px; box-shadow: none; overflow: hidden; }
.top, .bar, .travel { display: flex; align-items: center; gap: 8px; padding: 8px 12px; border-bottom: 1px solid var(--line); }
.top { flex-wrap: wrap; }
.brand { font-size: 14px; font-weight: 650; letter-spacing: -0.01em; }
.status { display: inline-flex; align-items: center; gap: 6px; padding: 2px 10px 2px 8px; border-radius: 12px; background: var(--soft-paper); }
.tools { display: flex; flex-wrap: wrap; gap: 6px; margin-left: auto; }
.close { width: 28px; padding: 0; border-color: transparent; background: none; font-size: 16px; line-height: 1; }
.dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--edge); }
.dot[data-is="open"], .dot[data-is="live"] { background: var(--good); box-shadow: 0 0 0 3px color-mix(in srgb, var(--good) 22%, transparent); }
.dot[data-is="connecting"], .dot[data-is="joining"], .dot[data-is="reconnecting"], .dot[data-is="stale"] { background: var(--wait); }
.dot[data-is="refused"], .dot[data-is="closed"] { background: var(--bad); }

.body { flex: 1; min-height: 0; display: grid; grid-template-columns: 200px minmax(0, 1fr) minmax(240px, 32%); }
.side { display: flex; flex-direction: column; min-height: 0; border-right: 1px solid var(--line); background: var(--soft-paper); }
.main { display: flex; flex-direction: column; min-width: 0; min-height: 0; }
.title { margin: 0; padding: 14px 12px 6px; font-size: 11px; font-weight: 600; letter-spacing: 0.05em; text-transform: uppercase; color: var(--soft); }
.bar { padding: 0 12px; min-height: 44px; }
.tabs { display: flex; align-self: stretch; gap: 4px; }
[role="tab"]:hover { color: var(--ink); }
[role="tab"] { height: auto; padding: 0 8px; border: 0; border-radius: 0; background: none; color: var(--soft); font-weight: 550; border-bottom: 2px solid transparent; border-top: 2px solid transparent; }
[role="tab"][aria-selected="true"] { color: var(--ink); border-bottom-color: var(--accent); }
.bar input, .bar select { min-width: 0; margin-left: auto; width: 150px; }
.bar select { margin-left: 0; width: auto; }
[role="tabpanel"] { position: relative; flex: 1; min-height: 0; display: flex; flex-direction: column; }
.empty { margin: auto; padding: 16px; text-align: center; color: var(--soft); }

.list { flex: 1; min-height: 0; overflow: auto; overflow-x: hidden; }
.space { position: relative; }
.row {
  position: absolute; inset: 0 0 auto 0; display: flex; align-items: center; gap: 8px; padding: 0 12px; white-space: nowrap;
  overflow: hidden; cursor: default;
}
.row:hover { background: light-dark(#00000008, #ffffff0a); }
.row[aria-selected="true"] { background: var(--tint); box-shadow: inset 3px 0 var(--accent); }
.row.left { opacity: 0.55; }
.grow { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.quiet { color: var(--soft); font-size: 12px; }
.badge {
  min-width: 20px; padding: 0 6px; border-radius: 10px; background: light-dark(#ece8e2, #35322e); font-size: 11px; line-height: 18px;
  text-align: center; font-variant-numeric: tabular-nums;
}
.avatar {
  flex: none; display: grid; place-items: center; width: 24px; height: 24px; border-radius: 50%; font-size: 11px; font-weight: 650;
  background: light-dark(hsl(var(--hue) 45% 88%), hsl(var(--hue) 30% 28%)); color: light-dark(hsl(var(--hue) 50% 24%), hsl(var(--hue) 60% 86%));
}
.name { font-weight: 550; max-width: 40%; overflow: hidden; text-overflow: ellipsis; }
.fields { flex: 1; min-width: 0; display: flex; gap: 12px; overflow: hidden; color: var(--ink); }
.field i, dt { font-style: normal; color: var(--soft); }
code, pre, .ref, time, .event { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 11.5px; }
.ref, time { color: var(--soft); font-variant-numeric: tabular-nums; }
.ref { max-width: 30%; overflow: hidden; text-overflow: ellipsis; }
.sign { width: 12px; text-align: center; font-weight: 700; }
.event { font-weight: 600; }
.topic { color: var(--soft); max-width: 25%; overflow: hidden; text-overflow: ellipsis; }
.text { color: var(--soft); }
[data-kind="in"] :is(.sign, .event) { color: var(--in); }
[data-kind="out"] :is(.sign, .event) { color: var(--out); }
[data-kind="change"] :is(.sign, .event) { color: var(--accent); }
[data-kind="status"] :is(.sign, .event) { color: var(--then); }
[data-kind="dropped"] :is(.sign, .event) { color: light-dark(#a8332a, #ec7a70); }
[data-kind="dropped"] .event { text-decoration: line-through; }

.detail { min-height: 0; overflow: auto; padding: 12px; border-left: 1px solid var(--line); background: var(--soft-paper); }
.detail h2 { display: flex; align-items: center; gap: 8px; margin: 0 0 10px; font-size: 14px; overflow-wrap: anywhere; }
.card { margin: 0 0 10px; padding: 10px; border: 1px solid var(--line); border-radius: 10px; background: var(--paper); }
.card h3 { margin: 0 0 6px; font-size: 12px; color: var(--soft); font-weight: 600; }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 3px 10px; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }

.travel { border-bottom: 0; border-top: 1px solid var(--line); padding-bottom: max(8px, env(safe-area-inset-bottom)); }
.travel input { flex: 1; min-width: 60px; accent-color: var(--accent); }
.moment { min-width: 15em; color: var(--soft); font-variant-numeric: tabular-nums; }
.past .travel { background: var(--then-tint); }
.past .moment { color: var(--then); font-weight: 600; }
.past .travel input { accent-color: var(--then); }
.past .row[aria-selected="true"] { box-shadow: inset 3px 0 var(--then); }
.warning { margin: 0; padding: 6px 12px; background: var(--then-tint); color: var(--then); }

@container (max-width: 760px) {
  .body { grid-template: 90px minmax(0, 1fr) / minmax(0, 1fr); }
  .body.detailed { grid-template-rows: 60px minmax(0, 1fr) minmax(0, 0.8fr); }
  .side { border-right: 0; border-bottom: 1px solid var(--line); }
  .title { display: none; }
  .tools { order: 1; flex: 1 0 100%; margin: 0; }
  .copy { margin-left: auto; }
  .copy[hidden] + .close { margin-left: auto; }
  .detail { border-left: 0; border-top: 1px solid var(--line); }
  .body:not(.detailed) .detail { display: none; }
  .fields .field:nth-child(n + 3), .row .topic, .row .ref { display: none; }
  .moment { min-width: 0; flex: 1 0 100%; order: 3; }
  .travel { flex-wrap: wrap; }
  .bar input { width: 90px; flex: 0 1 120px; }
}
@container (max-width: 420px) {
  .tools { gap: 4px; }
  .tools select { flex: 1; width: 88px; min-width: 0; }
  .bar select { width: 76px; }
  button, select, input[type="search"] { padding: 0 7px; }
}
@media (max-width: 760px) { :host(:not([inline])) .panel { height: min(680px, 88vh); } }
@media (prefers-reduced-motion: no-preference) {
  .panel, .pill { animation: rise 0.16s ease-out; }
  @keyframes rise { from { transform: translateY(12px); opacity: 0; } }
}
@media (forced-colors: active) {
  .dot { forced-color-adjust: none; border: 1px solid CanvasText; }
  .panel, .pill { border: 1px solid CanvasText; }
  .row[aria-selected="true"], button[aria-pressed="true"], [role="tab"][aria-selected="true"] {
    forced-color-adjust: none; background: Highlight; color: HighlightText;
  }
  .row[aria-selected="true"] :is(span, bdi, code, time, i) { color: HighlightText; }
  .row[aria-selected="true"] :is(.badge, .avatar), [role="tab"][aria-selected="true"] .badge { background: HighlightText; color: Highlight; }
}
`
