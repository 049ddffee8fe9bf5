import type { Block, Column, HeatMap, Presentation } from './blocks.js';
import { comparisons } from './comparison.js';
import { duration, moment } from './format.js';
import { place, present, provenance } from './present.js';
import type { AnyReport } from './report.js';
import { clean, heatColumns } from './text.js';

/** Reports as GitHub-flavoured Markdown. */
export function toMarkdown(reports: AnyReport[]): string {
  const parts = [
    ...comparisons(reports).map((comparison) => presentationMarkdown(comparison, [])),
    ...reports.map(reportMarkdown),
  ];
  return `${parts.join('\n\n---\n\n')}\n`;
}

function reportMarkdown(report: AnyReport): string {
  return [
    presentationMarkdown(present(report), report.warnings ?? []),
    ...provenance(report).map(blockMarkdown),
    quote([...place(report), moment(report.startedAt), `took ${duration(report.durationMs)}`].join(' · ')),
  ].join('\n\n');
}

function presentationMarkdown(shown: Presentation, warnings: string[]): string {
  const { title, summary, highlights, blocks } = shown;
  const entries = highlights.map(
    ({ label, value, note }) =>
      `- **${quote(label)}**: ${quote(value)}${note === undefined ? '' : ` (${quote(note)})`}`,
  );
  const tables = [...new Set(blocks.map((block) => (block.kind === 'chart' ? block.table : block)))];
  return [
    `# ${quote(title)}`,
    quote(summary),
    ...warnings.map((warning) => `> **Warning**: ${quote(warning)}`),
    ...(entries.length === 0 ? [] : [entries.join('\n')]),
    ...tables.map(blockMarkdown),
  ].join('\n\n');
}

function blockMarkdown(block: Exclude<Block, { kind: 'chart' }>): string {
  const heading = `## ${quote(block.title)}`;
  const note = block.note === undefined ? [] : [quote(block.note)];
  if (block.kind === 'facts') {
    const rows = block.entries.map(({ label, value }) => [label, value]);
    const columns: Column[] = [
      { title: 'Name', align: 'left' },
      { title: 'Value', align: 'left' },
    ];
    return [heading, tableMarkdown(columns, rows)].join('\n\n');
  }
  const [columns, rows] =
    block.kind === 'heat' ? [heatColumns(block), heatRows(block)] : [block.columns, block.rows];
  return [heading, ...note, tableMarkdown(columns, rows)].join('\n\n');
}

const heatRows = ({ rows }: HeatMap) =>
  rows.map(({ label, cells }) => [
    label,
    ...cells.map(({ text, note }) => (note === undefined ? text : `${text} (${note})`)),
  ]);

function tableMarkdown(columns: Column[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map(quote).join(' | ')} |`;
  return [
    line(columns.map(({ title }) => title)),
    `| ${columns.map(({ align }) => (align === 'right' ? '---:' : ':---')).join(' | ')} |`,
    ...rows.map(line),
  ].join('\n');
}

// Also against HTML, which Markdown lets through.
function quote(words: string): string {
  return clean(words)
    .replace(/[\\`*_{}[\]|#~]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
