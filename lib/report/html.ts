import type { Block, Chart, Facts, HeatMap, Presentation, Table } from './blocks.js';
import { comparisons } from './comparison.js';
import { duration, moment, plural } from './format.js';
import { inkOn, opacity } from './heat.js';
import { embedded, html, type Markup, nothing, trusted } from './markup.js';
import { place, present, provenance } from './present.js';
import type { AnyReport } from './report.js';
import { style } from './style.js';
import { toSvg } from './svg.js';

const kWide = 840;
const kHalf = 400;
const kNarrow = 340;

const kLogo = trusted(
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" ' +
    'aria-hidden="true"><path d="M12 22V4M12 18H5V14M12 18H19V14M12 11H5V7M12 11H19V7"/></svg>',
);

/** Reports as one page that needs nothing else: no network, no script. */
export async function toHtml(reports: AnyReport[], givenTitle?: string): Promise<string> {
  const articles: Markup[] = [];
  const one = reports.length === 1 ? present(reports[0] as AnyReport).title : undefined;
  const title = givenTitle ?? one ?? plural(reports.length, 'report');
  // The page's one main heading: its title, or that of its only report.
  const level = title === one ? 'h1' : 'h2';
  for (const comparison of comparisons(reports)) articles.push(await comparisonArticle(comparison));
  for (const [i, report] of reports.entries()) articles.push(await article(report, i, level));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<header class="masthead">
<div class="brand">${kLogo}<span>Espalier</span></div>
${title === one ? nothing : html`<h1>${title}</h1>`}
${reports.length > 1 ? contents(reports) : nothing}
</header>
<main>
${articles}
</main>
<footer class="colophon quiet">The data of every figure is in this file, as JSON, in the element <code>espalier-report</code>.</footer>
<script type="application/json" id="espalier-report">${embedded(reports.length === 1 ? reports[0] : reports)}</script>
</body>
</html>
`;
  return page.text;
}

function contents(reports: AnyReport[]): Markup {
  const items = reports.map((report, i) => {
    const { title, summary } = present(report);
    return html`<li><div><a href="#report-${i + 1}">${title}</a><p>${summary}</p></div></li>`;
  });
  return html`<nav aria-label="What was run"><ol class="contents">${items}</ol></nav>`;
}

async function comparisonArticle({ title, summary, blocks }: Presentation): Promise<Markup> {
  return html`<article class="report">
<h2>${title}</h2>
<p class="summary">${summary}</p>
${await sections(blocks)}
</article>
`;
}

async function article(report: AnyReport, index: number, level: 'h1' | 'h2'): Promise<Markup> {
  const { title, summary, highlights, blocks } = present(report);
  const warnings = (report.warnings ?? []).map(
    (warning) => html`<p class="warning"><strong>Warning.</strong> ${warning}</p>`,
  );
  const tiles = highlights.map(
    ({ label, value, note }) =>
      html`<div><dt>${label}</dt><dd><span class="value">${value}</span></dd><dd class="quiet">${note ?? ''}</dd></div>`,
  );
  return html`<article class="report" id="report-${index + 1}">
<p class="method">${report.method}</p>
${level === 'h1' ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}
<p class="summary">${summary}</p>
<p class="quiet">${whenAndWhere(report)}</p>
${warnings}
${tiles.length === 0 ? nothing : html`<dl class="highlights">${tiles}</dl>`}
${await sections(blocks)}
${origin(report)}
</article>
`;
}

function whenAndWhere(report: AnyReport): string {
  const { startedAt, durationMs } = report;
  const parts = [
    ...(startedAt === undefined ? [] : [moment(startedAt)]),
    ...(durationMs === undefined ? [] : [`took ${duration(durationMs)}`]),
    ...place(report).slice(0, 1),
  ];
  return parts.join(' · ');
}

function origin(report: AnyReport): Markup {
  const groups = provenance(report).map((facts) => html`<h4>${facts.title}</h4>${factList(facts)}`);
  if (groups.length === 0) return nothing;
  return html`<details class="provenance"><summary>Options, inputs, versions and machine</summary>${groups}</details>`;
}

async function sections(blocks: Block[]): Promise<Markup[]> {
  const all: Markup[] = [];
  for (const group of inGroups(blocks)) all.push(await section(group));
  return all;
}

// Half pictures that follow each other stand side by side, above their tables.
function inGroups(blocks: Block[]): Block[][] {
  const groups: Block[][] = [];
  for (const block of blocks) {
    const last = groups.at(-1)?.at(-1);
    const together = block.kind === 'chart' && last?.kind === 'chart' && block.half && last.half;
    if (together) groups.at(-1)?.push(block);
    else groups.push([block]);
  }
  return groups;
}

async function section(group: Block[]): Promise<Markup> {
  const [first] = group as [Block];
  if (first.kind !== 'chart') {
    const body =
      first.kind === 'facts' ? factList(first) : first.kind === 'heat' ? heat(first) : plainTable(first);
    return html`<section class="block">${heading(first)}${body}</section>
`;
  }
  const pictures: Markup[] = [];
  for (const chart of group as Chart[]) {
    pictures.push(html`<div>${heading(chart)}${await picture(chart)}</div>`);
  }
  const tables = [...new Set((group as Chart[]).map(({ table }) => table))];
  const numbers = tables.map(
    (each) => html`${tables.length > 1 ? heading(each) : note(each)}${plainTable(each)}`,
  );
  return html`<section class="block"><div class="pair">${pictures}</div>
<details><summary>The numbers</summary>${numbers}</details></section>
`;
}

const heading = (block: Block) => html`<h3>${block.title}</h3>${note(block)}`;

const note = ({ note }: Block) => (note === undefined ? nothing : html`<p class="note">${note}</p>`);

async function picture({ specification, alt, half }: Chart): Promise<Markup> {
  if (half) return html`<figure class="chart">${await drawing(specification(kHalf), alt)}</figure>`;
  const wide = await drawing(specification(kWide), alt);
  const narrow = await drawing(specification(kNarrow), alt);
  return html`<figure class="chart"><div class="wide">${wide}</div><div class="narrow">${narrow}</div></figure>`;
}

// The size of the view becomes an upper bound: on a smaller screen the picture shrinks.
async function drawing(specification: object, alt: string): Promise<Markup> {
  const svg = await toSvg(specification as { [key: string]: unknown });
  const [, attributes = '', rest = ''] = /^<svg\b([^>]*)>([\s\S]*)$/.exec(svg) ?? [];
  const viewBox = /viewBox="([^"]*)"/.exec(attributes)?.[1] ?? '0 0 100 100';
  const width = viewBox.split(' ')[2] ?? '100';
  return html`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${alt}" viewBox="${viewBox}" style="max-width: ${width}px">${trusted(rest)}`;
}

function plainTable({ columns, rows }: Table): Markup {
  const side = (i: number) => (columns[i]?.align === 'right' ? html` class="right"` : nothing);
  const head = columns.map(({ title }, i) => html`<th scope="col"${side(i)}>${title}</th>`);
  const body = rows.map(
    (row) => html`<tr>${row.map((cell, i) => html`<td${side(i)}>${cell}</td>`)}</tr>
`,
  );
  return html`<div class="scroll" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function heat({ rowNoun, columnNoun, columns, rows, title }: HeatMap): Markup {
  const head = columns.map((column) => html`<th scope="col">${column}</th>`);
  const body = rows.map(
    ({ label, cells }) => html`<tr><th scope="row">${label}</th>${cells.map(heatCell)}</tr>
`,
  );
  return html`<div class="scroll" tabindex="0"><table class="heat" aria-label="${title}"><thead><tr><th scope="col">${rowNoun} \\ ${columnNoun}</th>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function heatCell({ value, text, note }: HeatMap['rows'][number]['cells'][number]): Markup {
  const words = html`<span class="value">${text}</span>${note === undefined ? nothing : html`<span class="interval">${note}</span>`}`;
  if (value === null) return html`<td class="none">${words}</td>`;
  const opaque = opacity(value);
  return html`<td class="${inkOn(opaque)}" style="--opaque: ${opaque.toFixed(3)}">${words}</td>`;
}

function factList({ entries }: Facts): Markup {
  return html`<dl class="facts">${entries.map(({ label, value }) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl>`;
}
