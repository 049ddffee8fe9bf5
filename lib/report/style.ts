/** Pictures take their colours from these variables, so both colour schemes share one picture. */
export const colours = `
:root {
  color-scheme: light dark;
  --page: #f6f7f4; --card: #ffffff; --ink: #1a211d; --muted: #5c6860; --line: #dfe4dd; --track: #edf0eb;
  --accent: #1f7a55; --heat: #17694a; --heat-rgb: 23 105 74; --ink-faint: #000000; --ink-middle: #000000; --ink-strong: #ffffff;
  --series-1: #1f7a55; --series-2: #b4541a; --series-3: #3a5fb0; --series-4: #8a3d86;
  --warn: #7a4b00; --warn-page: #fdf3dc; --warn-line: #ecd49a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121614; --card: #1a1f1c; --ink: #e7ece8; --muted: #9ba79f; --line: #303833; --track: #252c28;
    --accent: #58c495; --heat: #4fbf8e; --heat-rgb: 79 191 142; --ink-faint: #ffffff; --ink-middle: #000000; --ink-strong: #000000;
    --series-1: #58c495; --series-2: #f0a15f; --series-3: #8fb0f5; --series-4: #dd9ad8;
    --warn: #f3d08a; --warn-page: #2c2412; --warn-line: #5a4a22;
  }
}
`;

/** The page's look. */
export const style = `${colours}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  font-size: 16px; font-variant-numeric: tabular-nums;
}
main, .masthead, .colophon { max-width: 960px; margin: 0 auto; padding: 0 24px; }
.masthead { padding-top: 40px; padding-bottom: 8px; }
.brand { display: flex; align-items: center; gap: 10px; color: var(--accent); font-weight: 600; }
.brand svg { width: 26px; height: 26px; }
h1 { font-size: clamp(1.6rem, 4.5vw, 2.3rem); line-height: 1.15; letter-spacing: -0.02em; margin: 18px 0 8px; }
h2 { font-size: clamp(1.25rem, 3vw, 1.55rem); line-height: 1.25; letter-spacing: -0.01em; margin: 0 0 6px; }
.report h1 { margin-top: 0; }
h3 { font-size: 1.05rem; line-height: 1.35; margin: 0 0 2px; }
h1, h2, h3, .summary, dd { overflow-wrap: anywhere; }
p { margin: 0 0 8px; }
.summary { font-size: 1.05rem; max-width: 46em; }
.quiet, .note { color: var(--muted); font-size: 0.9rem; }
.note { margin-bottom: 10px; }
.contents { margin: 20px 0 0; padding: 0; list-style: none; counter-reset: item; }
.contents li { counter-increment: item; display: flex; gap: 12px; padding: 9px 0; border-top: 1px solid var(--line); }
.contents li::before { content: counter(item); color: var(--muted); min-width: 1.2em; text-align: right; }
.contents a { color: inherit; text-decoration-color: var(--accent); text-underline-offset: 3px; font-weight: 600; }
.contents p { margin: 0; color: var(--muted); font-size: 0.93rem; }
.report {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 28px clamp(16px, 4vw, 36px) 22px; margin: 24px 0;
}
.method {
  color: var(--accent); font-size: 0.85rem; font-weight: 600; margin: 0 0 6px;
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
.warning {
  background: var(--warn-page); color: var(--warn); border: 1px solid var(--warn-line); border-radius: 8px;
  padding: 9px 14px; margin: 12px 0 0; overflow-wrap: anywhere;
}
.highlights { display: flex; flex-wrap: wrap; gap: 14px 40px; margin: 20px 0 0; }
.highlights div { display: flex; flex-direction: column; }
.highlights dt { color: var(--muted); font-size: 0.87rem; }
.highlights dd { margin: 0; }
.highlights .value { font-size: 1.75rem; font-weight: 650; line-height: 1.2; letter-spacing: -0.02em; }
.block { margin: 34px 0 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 24px 32px; }
figure { margin: 0; }
.chart svg { display: block; width: 100%; height: auto; overflow: visible; }
.chart text { font-family: inherit; }
.chart .narrow { display: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: min(100%, 360px); font-size: 0.92rem; }
th, td { padding: 7px 12px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 500; font-size: 0.87rem; vertical-align: bottom; }
tbody th { font-weight: 500; }
.right { text-align: right; }
td.right { white-space: nowrap; }
td:not(.right) { min-width: 6em; max-width: 30em; overflow-wrap: anywhere; }
.heat td:not(.right) { min-width: 3.4em; }
.heat { border-collapse: separate; border-spacing: 3px; }
.heat th, .heat td { border: 0; }
.heat tbody th { padding-right: 14px; min-width: 7em; max-width: 16em; overflow-wrap: anywhere; vertical-align: middle; position: sticky; left: 0; background: var(--card); }
.heat thead th { text-align: center; padding: 4px 8px; color: var(--ink); }
.heat thead th:first-child { text-align: left; color: var(--muted); padding-left: 0; }
.heat td, .heat td:first-child, .heat td:last-child { padding: 9px 12px; }
.heat td {
  text-align: center; border-radius: 6px; white-space: nowrap;
  background: rgb(var(--heat-rgb) / var(--opaque)); -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
.heat .faint { color: var(--ink-faint); }
.heat .middle { color: var(--ink-middle); }
.heat .strong { color: var(--ink-strong); }
.heat .none { background: var(--track); color: var(--muted); }
.heat .value { font-weight: 600; display: block; }
.heat .interval { font-size: 0.78rem; display: block; }
details { margin-top: 10px; }
details h3 { font-size: 0.95rem; margin-top: 14px; }
summary { cursor: pointer; color: var(--muted); font-size: 0.9rem; width: fit-content; padding: 2px 0; }
summary:hover { color: var(--ink); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
.facts { display: grid; grid-template-columns: minmax(7em, max-content) 1fr; gap: 4px 22px; margin: 6px 0 0; font-size: 0.92rem; }
.facts dt { color: var(--muted); overflow-wrap: anywhere; }
.facts dd { margin: 0; }
.provenance { border-top: 1px solid var(--line); margin-top: 34px; padding-top: 10px; }
.provenance .facts dd { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.84rem; user-select: all; }
.provenance h4 { font-size: 0.92rem; margin: 16px 0 0; }
.colophon { padding-top: 4px; padding-bottom: 48px; }
@media (max-width: 640px) {
  main, .masthead, .colophon { padding-left: 14px; padding-right: 14px; }
  .masthead { padding-top: 24px; }
  .chart .wide { display: none; }
  .chart .narrow { display: block; }
  .highlights { gap: 14px 28px; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 6px; }
  th, td { padding: 6px 8px; }
  .heat td, .heat td:first-child, .heat td:last-child { padding: 8px 9px; }
}
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --card: #ffffff; --ink: #1a211d; --muted: #55605a; --line: #d5dad3; --track: #edf0eb;
    --accent: #1f7a55; --heat: #17694a; --heat-rgb: 23 105 74; --ink-faint: #000000; --ink-middle: #000000; --ink-strong: #ffffff;
    --series-1: #1f7a55; --series-2: #b4541a; --series-3: #3a5fb0; --series-4: #8a3d86;
    --warn: #5f3a00; --warn-page: #ffffff; --warn-line: #c9ad6b;
  }
  body { font-size: 11px; }
  main, .masthead, .colophon { padding-left: 0; padding-right: 0; }
  .scroll { overflow: visible; }
  .heat td, .heat td:first-child, .heat td:last-child { padding: 4px 5px; }
  .heat .interval { font-size: 0.8em; }
  details:not([open]) { display: none; }
  .report { border: 0; padding: 0; margin: 0 0 24px; }
  .report + .report { break-before: page; }
  .block, tr, figure { break-inside: avoid; }
  .chart, .warning { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`;
