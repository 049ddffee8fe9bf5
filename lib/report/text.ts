import type { Block, Column, Facts, HeatMap, Presentation, Table } from './blocks.js';
import { comparisons } from './comparison.js';
import { duration, moment, shorten } from './format.js';
import { place, present } from './present.js';
import type { AnyReport } from './report.js';

export interface TextOptions {
  /** Columns of the terminal; those of standard output by default, 100 where it is none. */
  width?: number;
  /** Only on a terminal by default; NO_COLOR is honoured. */
  color?: boolean;
}

const kNarrowest = 40;
const kGap = '  ';

/** Reports as text for a terminal. */
export function toText(reports: AnyReport[], options: TextOptions = {}): string {
  const { width, pen } = layout(options);
  const texts = [
    ...comparisons(reports).map((comparison) => presentationText(comparison, [], width, pen)),
    ...reports.map((report) => reportText(report, width, pen)),
  ];
  return `${texts.join('\n\n')}\n`;
}

/** Blocks alone, for what is no report. */
export function blocksToText(blocks: readonly (Table | Facts)[], options: TextOptions = {}): string {
  const { width, pen } = layout(options);
  return `${blocks.map((block) => blockText(block, width, pen)).join('\n\n')}\n`;
}

function layout(options: TextOptions): { width: number; pen: Pen } {
  const { stdout, env } = process;
  const width = Math.max(kNarrowest, options.width ?? (stdout.isTTY ? stdout.columns : 100));
  const color = options.color ?? (stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
  return { width, pen: makePen(color) };
}

interface Pen {
  bold: (words: string) => string;
  dim: (words: string) => string;
  warn: (words: string) => string;
}

function makePen(color: boolean): Pen {
  const paint = (open: number, close: number) => (words: string) =>
    color && words !== '' ? `\u001b[${open}m${words}\u001b[${close}m` : words;
  return { bold: paint(1, 22), dim: paint(2, 22), warn: paint(33, 39) };
}

function reportText(report: AnyReport, width: number, pen: Pen): string {
  const time = [moment(report.startedAt), duration(report.durationMs)].filter((part) => part !== '–');
  return [
    presentationText(present(report), report.warnings ?? [], width, pen),
    pen.dim([...place(report), time.join(', took ')].map((line) => wrap(line, width)).join('\n')),
  ].join('\n\n');
}

function presentationText(shown: Presentation, warnings: string[], width: number, pen: Pen): string {
  const { title, summary, highlights, blocks } = shown;
  const facts: Facts = {
    kind: 'facts',
    title: '',
    entries: highlights.map(({ label, value, note }) => ({
      label,
      value: note === undefined ? value : `${value}  ${note}`,
    })),
  };
  const parts = [
    `${pen.bold(clean(title))}\n${wrap(summary, width)}`,
    ...warnings.map((warning) => pen.warn(wrap(`Warning: ${warning}`, width))),
    ...(facts.entries.length === 0 ? [] : [factsText(facts, width, pen)]),
    ...onePerTable(blocks).map((block) => blockText(block, width, pen)),
  ];
  return parts.join('\n\n');
}

// Several pictures may be of one table, which is shown once.
function onePerTable(blocks: Block[]): (Table | HeatMap | Facts)[] {
  return [...new Set(blocks.map((block) => (block.kind === 'chart' ? block.table : block)))];
}

function blockText(block: Table | HeatMap | Facts, width: number, pen: Pen): string {
  if (block.kind === 'facts') return factsText(block, width, pen);
  const { columns, rows } = block.kind === 'heat' ? heatTable(block) : block;
  const note = block.note === undefined ? '' : `\n${pen.dim(wrap(block.note, width))}`;
  return `${pen.bold(clean(block.title))}\n${tableText(columns, rows, width, pen)}${note}`;
}

/** A heat map as a plain table: the notes of a row stand below its numbers. */
function heatTable(heat: HeatMap): { columns: Column[]; rows: string[][] } {
  return {
    columns: heatColumns(heat),
    rows: heat.rows.flatMap(({ label, cells }) => {
      const numbers = [label, ...cells.map((cell) => cell.text)];
      const notes = ['', ...cells.map((cell) => cell.note ?? '')];
      return notes.some((note) => note !== '') ? [numbers, notes] : [numbers];
    }),
  };
}

export function heatColumns({ rowNoun, columns }: HeatMap): Column[] {
  return [{ title: rowNoun, align: 'left' }, ...columns.map((title) => ({ title, align: 'right' as const }))];
}

function factsText({ title, entries }: Facts, width: number, pen: Pen): string {
  const labels = entries.map(({ label }) => clean(label));
  const left = Math.min(Math.max(...labels.map(cells)), Math.floor(width / 2));
  const lines = entries.map(({ value }, i) => {
    const words = wrap(value, width - left - kGap.length).replaceAll('\n', `\n${' '.repeat(left)}${kGap}`);
    return `${pen.dim(pad(labels[i] as string, left, 'left'))}${kGap}${words}`;
  });
  return [...(title === '' ? [] : [pen.bold(clean(title))]), ...lines].join('\n');
}

function tableText(columns: Column[], rows: string[][], width: number, pen: Pen): string {
  const titles = columns.map(({ title }) => clean(title));
  const body = rows.map((row) => row.map(clean));
  const natural = titles.map((title, i) =>
    body.reduce((size, row) => Math.max(size, cells(row[i] ?? '')), cells(title)),
  );
  const widths = shrunk(natural, columns, width);
  const line = (row: string[], picked: number[]) =>
    picked
      .map((i) => pad(row[i] ?? '', widths[i] as number, (columns[i] as Column).align))
      .join(kGap)
      .trimEnd();
  return intoPanels(widths, width)
    .map((picked) => [pen.dim(line(titles, picked)), ...body.map((row) => line(row, picked))].join('\n'))
    .join('\n\n');
}

const kNarrowestColumn = 12;

// Words give way before numbers do.
function shrunk(natural: number[], columns: Column[], width: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, w) => sum + w, 0) + kGap.length * (widths.length - 1) - width;
  for (; excess > 0; excess--) {
    let widest = -1;
    columns.forEach(({ align }, i) => {
      const size = widths[i] as number;
      if (align === 'left' && size > kNarrowestColumn && size > (widths[widest] ?? 0)) widest = i;
    });
    if (widest < 0) return natural.map((size) => Math.min(size, Math.floor(width / 2)));
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

// A table that is still too wide continues below, its first column repeated.
function intoPanels(widths: number[], width: number): number[][] {
  const panels: number[][] = [];
  let panel = [0];
  let used = widths[0] ?? 0;
  for (let i = 1; i < widths.length; i++) {
    const needed = (widths[i] as number) + kGap.length;
    if (used + needed > width && panel.length > 1) {
      panels.push(panel);
      panel = [0];
      used = widths[0] as number;
    }
    panel.push(i);
    used += needed;
  }
  return [...panels, panel];
}

function wrap(words: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of clean(words).split(' ')) {
    if (line !== '' && cells(line) + 1 + cells(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** Names come from files: control characters in them must not reach a terminal. */
export function clean(words: string): string {
  return words.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
}

function pad(words: string, width: number, align: 'left' | 'right'): string {
  const size = cells(words);
  if (size > width) return shorten(words, width);
  const space = ' '.repeat(width - size);
  return align === 'left' ? words + space : space + words;
}

const cells = (words: string) => [...words].length;
