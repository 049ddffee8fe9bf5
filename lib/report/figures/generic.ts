import { type Block, number, type Presentation, type Table, table, text } from '../blocks.js';
import { lines, type Point } from '../charts.js';
import { count, figure, interval, isNumber, label, percent, plain, plural } from '../format.js';
import { type AnyReport, isObject } from '../report.js';
import { accuracy } from './accuracy.js';
import { domains } from './domains.js';
import { layerSparsity, layers } from './magnitude.js';
import type { Presenter } from './presenter.js';
import { supervised } from './supervised.js';

const kDeepest = 6;
const kMostListed = 20;
const kMostRows = 500;

/** Figures of any shape: what is known inside them gets its picture, all else a table. */
export function presentAnything(report: AnyReport): Presentation {
  const seed = report.seed === undefined ? '' : ` with seed ${report.seed}`;
  return {
    title: report.method,
    summary: `Ran ${report.method}${seed}.`,
    highlights: [],
    blocks: blocksOf('Figures', report.figures, report, 0),
  };
}

const known: readonly Presenter[] = [domains, accuracy, supervised];

function blocksOf(title: string, value: object, report: AnyReport, depth: number): Block[] {
  const entries: { label: string; value: string }[] = [];
  const inner: Block[] = [];
  for (const [key, item] of Object.entries(value)) {
    const name = depth === 0 ? label(key) : `${title}: ${label(key).toLowerCase()}`;
    if (isObject(item) && depth < kDeepest && !isSmall(item))
      inner.push(...inside(name, item, report, depth));
    else if (Array.isArray(item) && item.some((entry) => isObject(entry) || Array.isArray(entry))) {
      inner.push(...rowsOf(name, item));
    } else entries.push({ label: label(key), value: show(key, item) });
  }
  return entries.length === 0 ? inner : [{ kind: 'facts', title, entries }, ...inner];
}

// An object of one line needs no section of its own.
const isSmall = (item: object) =>
  Object.keys(item).length === 0 || (Object.keys(item).length < 4 && !Object.values(item).some(isStructure));
const isStructure = (value: unknown) => typeof value === 'object' && value !== null;

function inside(name: string, item: object, report: AnyReport, depth: number): Block[] {
  for (const present of known) {
    const presentation = present(item, report);
    if (presentation === undefined) continue;
    const { highlights, blocks } = presentation;
    const titled = blocks.map((block) => ({ ...block, title: `${name}: ${block.title.toLowerCase()}` }));
    if (highlights.length === 0) return titled;
    const entries = highlights.map((one) => ({
      label: one.label,
      value: one.note === undefined ? one.value : `${one.value} (${one.note})`,
    }));
    return [{ kind: 'facts', title: name, entries }, ...titled];
  }
  return blocksOf(name, item, report, depth + 1);
}

function rowsOf(title: string, items: unknown[]): Block[] {
  const perLayer = layers.safeParse(items);
  if (perLayer.success) return layerSparsity(perLayer.data, null, title);
  const shown = items.slice(0, kMostRows);
  const note =
    shown.length < items.length
      ? `The first ${count(shown.length)} of ${plural(items.length, 'row')}; the others are in the data.`
      : undefined;
  if (!items.every(isObject)) {
    const rows = shown.map((item) => (Array.isArray(item) ? item : [item]).map((entry) => show('', entry)));
    const width = Math.max(...rows.map((row) => row.length));
    const columns = Array.from({ length: width }, (_, i) => number(String(i)));
    const padded = rows.map((row, i) => [String(i), ...row, ...Array(width - row.length).fill('')]);
    return [table(title, [text(''), ...columns], padded, note)];
  }
  const keys = [...new Set(items.flatMap((item) => Object.keys(item)))];
  const numbers = table(
    title,
    keys.map((key) =>
      items.every((item) => isCountable(item[key])) ? number(label(key)) : text(label(key)),
    ),
    (shown as { [key: string]: unknown }[]).map((item) => keys.map((key) => show(key, item[key]))),
    note,
  );
  return curvesOf(title, items, keys, numbers) ?? [numbers];
}

const isCountable = (value: unknown) => value === null || value === undefined || typeof value === 'number';

// Rows over epochs, steps or samples are curves: of what is an accuracy, of what is a loss.
function curvesOf(title: string, items: { [key: string]: unknown }[], keys: string[], numbers: Table) {
  const x = keys.find((key) => /^(epoch|step|iteration|round|samples)$/.test(key));
  if (x === undefined || items.length < 3) return undefined;
  const curve = (what: RegExp, format: 'percent' | 'number', words: string): Block[] => {
    const data: Point[] = keys
      .filter((key) => what.test(key))
      .flatMap((key) =>
        items.flatMap((item) => {
          const [at, y] = [item[x], item[key]];
          return isNumber(at) && isNumber(y) ? [{ x: at, y, series: label(key) }] : [];
        }),
      );
    if (data.length === 0) return [];
    const specification = lines(data, { x: label(x), y: words }, format);
    const alt = `${words} over ${plural(items.length, label(x).toLowerCase(), `${label(x).toLowerCase()}s`)}`;
    return [
      {
        kind: 'chart',
        half: true,
        title: `${title}: ${words.toLowerCase()}`,
        alt,
        specification,
        table: numbers,
      },
    ];
  };
  const charts = [...curve(/accuracy/i, 'percent', 'Accuracy'), ...curve(/loss/i, 'number', 'Loss')];
  return charts.length > 0 ? charts : undefined;
}

const kShares = /(accuracy|sparsity|density|drop|share|fraction|calibrationError)$/i;

function show(key: string, value: unknown): string {
  if (isNumber(value) && kShares.test(key) && Math.abs(value) <= 1) return percent(value);
  if (Array.isArray(value)) {
    if (/interval$/i.test(key) && value.length === 2 && value.every(isNumber)) return interval(value);
    const listed = value.slice(0, kMostListed).map(plain).join(', ');
    return value.length > kMostListed ? `${listed}, … (${plural(value.length, 'value')})` : listed || '–';
  }
  if (isObject(value)) {
    const parts = Object.entries(value).map(
      ([name, item]) => `${label(name).toLowerCase()} ${show(name, item)}`,
    );
    return parts.join(', ') || '–';
  }
  return isNumber(value) ? figure(value) : plain(value);
}
