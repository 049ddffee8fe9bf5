/** What a report says, before anything decides how it looks: the one source of every rendering. */
export interface Presentation {
  /** "Magnitude pruning to 90%". */
  title: string;
  /** What was run, in a sentence or two. */
  summary: string;
  /** The few numbers that a reader came for. */
  highlights: Highlight[];
  blocks: Block[];
}

export interface Highlight {
  label: string;
  value: string;
  /** The interval, or what the value is compared with. */
  note?: string;
}

export type Block = Table | HeatMap | Chart | Facts;

export interface Column {
  title: string;
  /** Numbers stand to the right. */
  align: 'left' | 'right';
}

export interface Table {
  kind: 'table';
  title: string;
  /** What a reader must know to read it. */
  note?: string;
  columns: Column[];
  rows: string[][];
}

export interface HeatCell {
  /** In [0, 1]: how strong its colour is; null where there is nothing to show. */
  value: number | null;
  text: string;
  note?: string;
}

/** A table whose numbers are also colours. */
export interface HeatMap {
  kind: 'heat';
  title: string;
  note?: string;
  /** What the rows and the columns are: "model", "domain". */
  rowNoun: string;
  columnNoun: string;
  columns: string[];
  rows: { label: string; cells: HeatCell[] }[];
}

/** A Vega-Lite specification, its data inside. */
export type Specification = { [key: string]: unknown };

export interface Chart {
  kind: 'chart';
  title: string;
  note?: string;
  /** The picture in words. */
  alt: string;
  /** Two such pictures stand side by side where there is room. */
  half?: true;
  /** For a picture of about that many pixels across. */
  specification: (width: number) => Specification;
  /** The same numbers, for who cannot see the picture or wants to copy them. */
  table: Table;
}

export interface Facts {
  kind: 'facts';
  title: string;
  note?: string;
  entries: { label: string; value: string }[];
}

export const text = (title: string): Column => ({ title, align: 'left' });
export const number = (title: string): Column => ({ title, align: 'right' });

export function table(title: string, columns: Column[], rows: string[][], note?: string): Table {
  return { kind: 'table', title, columns, rows, ...(note === undefined ? {} : { note }) };
}
