import type { Specification } from './blocks.js';
import { shorten } from './format.js';
import { inkOn, opacity } from './heat.js';

// Colours are names of the page's CSS variables, so that one picture serves light and dark.
export const kInk = 'var(--ink)';
const kMuted = 'var(--muted)';
const kLine = 'var(--line)';
export const kAccent = 'var(--accent)';
const kSeries = ['var(--series-1)', 'var(--series-2)', 'var(--series-3)', 'var(--series-4)'];
const kDashes = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
];

const kInks = {
  domain: ['faint', 'middle', 'strong'],
  range: ['var(--ink-faint)', 'var(--ink-middle)', 'var(--ink-strong)'],
};

const kNarrow = 480;
const kLegendLetters = 26;
const kClassLetters = 10;

const config = {
  background: null,
  aria: false,
  font: 'sans-serif',
  view: { stroke: null },
  axis: {
    labelColor: kMuted,
    titleColor: kMuted,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    gridColor: kLine,
    domainColor: kLine,
    tickColor: kLine,
    titlePadding: 10,
    aria: false,
  },
  legend: { labelColor: kInk, labelFontSize: 13, titleColor: kMuted, symbolStrokeWidth: 2.5, aria: false },
  mark: { aria: false },
};

export interface Bar {
  label: string;
  share: number;
  /** What stands beside the bar. */
  text: string;
}

/** Shares of a whole, one bar each; `mark` draws a line across at the overall share. */
export function bars(data: Bar[], title: string, mark: { share: number; text: string } | null) {
  return (width: number): Specification => ({
    ...frame(width, { step: stepFor(data.length) }),
    data: { values: data.map((bar, i) => ({ ...bar, key: String(i) })) },
    encoding: {
      y: rowAxis(
        data.map(({ label }) => label),
        width,
      ),
    },
    layer: [
      {
        mark: { type: 'bar', color: 'var(--track)', height: { band: 0.68 }, cornerRadius: 2 },
        encoding: { x: { datum: 1, type: 'quantitative' } },
      },
      {
        mark: { type: 'bar', color: kAccent, height: { band: 0.68 }, cornerRadius: 2 },
        encoding: { x: { field: 'share', ...percentAxis(title, [0, 1]) } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 8, color: kInk, fontSize: 12 },
        encoding: { x: { datum: 1, type: 'quantitative' }, text: { field: 'text' } },
      },
      ...(mark === null ? [] : [markLine(mark)]),
    ],
  });
}

function markLine({ share, text }: { share: number; text: string }): Specification {
  const x = { datum: share, type: 'quantitative' };
  // Without its own y the rule would repeat on every row.
  return {
    data: { values: [{}] },
    encoding: { y: null },
    layer: [
      { mark: { type: 'rule', color: kInk, strokeDash: [3, 3], y: -6, y2: 'height' }, encoding: { x } },
      {
        mark: { type: 'text', color: kInk, y: -14, fontSize: 12, align: share > 0.5 ? 'right' : 'left' },
        encoding: { x, text: { value: text } },
      },
    ],
  };
}

export interface Estimate {
  label: string;
  share: number;
  low: number;
  high: number;
  text: string;
}

/** Shares with their confidence intervals, a row each. */
export function estimates(data: Estimate[], title: string) {
  const low = Math.min(...data.map((row) => row.low));
  // From zero unless all stand so high that nothing could be told apart.
  const domain = [low > 0.5 ? Math.floor(low * 20) / 20 : 0, 1];
  return (width: number): Specification => ({
    ...frame(width, { step: stepFor(data.length) }),
    data: { values: data.map((row, i) => ({ ...row, key: String(i) })) },
    encoding: {
      y: rowAxis(
        data.map(({ label }) => label),
        width,
      ),
    },
    layer: [
      {
        mark: { type: 'rule', color: kAccent, strokeWidth: 6, strokeCap: 'round', opacity: 0.35 },
        encoding: { x: { field: 'low', ...percentAxis(title, domain) }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, color: kAccent, size: 70, opacity: 1 },
        encoding: { x: { field: 'share', type: 'quantitative' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 10, color: kInk, fontSize: 12 },
        encoding: { x: { datum: 1, type: 'quantitative' }, text: { field: 'text' } },
      },
    ],
  });
}

export interface Point {
  x: number;
  y: number;
  series: string;
}

/** One line a series. */
export function lines(data: Point[], titles: { x: string; y: string }, format: 'percent' | 'number') {
  const series = [...new Set(data.map((point) => point.series))];
  const long = series.join('').length > kLegendLetters;
  return (width: number): Specification => ({
    ...frame(width, 240),
    data: { values: data },
    mark: { type: 'line', strokeWidth: 2, point: { filled: true, size: data.length > 120 ? 0 : 36 } },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        scale: { nice: false, zero: false },
        axis: {
          title: titles.x,
          format: ',d',
          tickMinStep: 1,
          grid: false,
          tickCount: width < kNarrow ? 5 : 10,
        },
      },
      y: {
        field: 'y',
        type: 'quantitative',
        scale: { zero: format === 'number', nice: true },
        axis: { title: titles.y, format: format === 'percent' ? '.1%' : '~g', tickCount: 5 },
      },
      color: {
        field: 'series',
        type: 'nominal',
        scale: { domain: series, range: series.map((_, i) => kSeries[i % kSeries.length]) },
        legend:
          series.length > 1
            ? {
                title: null,
                orient: 'top',
                direction: 'horizontal',
                symbolType: 'stroke',
                symbolSize: 500,
                labelLimit: 320,
                ...(long ? { columns: 1 } : {}),
              }
            : null,
      },
      strokeDash: {
        field: 'series',
        type: 'nominal',
        scale: { domain: series, range: series.map((_, i) => kDashes[i % kDashes.length]) },
        legend: null,
      },
    },
  });
}

/**
 * Two learning curves, the area between them filled: over a logarithmic axis it is the figure itself. Pictures of one
 * `highest` accuracy can be compared.
 */
export function shaded(
  plain: (width: number) => Specification,
  between: { x: number; low: number; high: number }[],
  highest: number,
) {
  return (width: number): Specification => {
    const { data, mark, encoding, ...frame } = plain(width) as Specification & {
      encoding: { x: object; y: object };
    };
    const x = {
      field: 'x',
      type: 'quantitative',
      scale: { type: 'log', nice: false },
      axis: {
        title: 'Samples',
        format: ',d',
        grid: false,
        values: between.map((at) => at.x),
        labelOverlap: true,
      },
    };
    const y = {
      ...encoding.y,
      scale: { domain: [0, Math.min(1, Math.ceil(highest * 10) / 10)] },
      axis: { title: 'Accuracy', format: '.0%', tickCount: 5 },
    };
    const gap = {
      data: { values: between },
      mark: { type: 'area', opacity: 0.16, color: kAccent },
      encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } },
    };
    return { ...frame, layer: [gap, { data, mark, encoding: { ...encoding, x, y } }] };
  };
}

const kMostNumbers = 20;

/** Counts of (true, predicted); a cell is as strong as its share of its row. */
export function confusion(counts: readonly (readonly number[])[], classes: readonly string[]) {
  const cells = counts.flatMap((row, i) => {
    const total = row.reduce((sum, n) => sum + n, 0);
    return row
      .map((n, j) => ({
        actual: String(i),
        predicted: String(j),
        n,
        // The root shows the few errors beside the many hits.
        opaque: opacity(total === 0 ? 0 : Math.sqrt(n / total)),
      }))
      .map((cell) => ({ ...cell, ink: inkOn(cell.opaque) }));
  });
  const shown = classes.map((name) => shorten(name, kClassLetters));
  const longest = Math.max(...shown.map((name) => name.length));
  return (width: number): Specification => {
    const size = Math.min(width - 70, Math.max(200, classes.length * 44));
    const fontSize = Math.max(7, Math.min(13, Math.floor(size / classes.length / 3)));
    const axis = (field: string) => ({
      labelExpr: labelAt(shown),
      labelOverlap: true,
      ticks: false,
      domain: false,
      grid: false,
      labelAngle: field === 'predicted' && longest > 3 ? -90 : 0,
    });
    const position = (field: string, title: string, orient: string) => ({
      field,
      type: 'ordinal',
      sort: null,
      axis: { ...axis(field), title, orient },
      scale: { padding: 0.06 },
    });
    const numbers = {
      mark: { type: 'text', fontSize },
      encoding: {
        text: { field: 'n', format: ',d' },
        color: { field: 'ink', type: 'nominal', scale: kInks, legend: null },
        opacity: { condition: { test: 'datum.n > 0', value: 1 }, value: 0.25 },
      },
    };
    return {
      ...frame(size, size),
      data: { values: cells },
      encoding: {
        x: position('predicted', 'Predicted class', 'top'),
        y: position('actual', 'True class', 'left'),
      },
      layer: [
        {
          mark: { type: 'rect', color: 'var(--heat)', cornerRadius: 2 },
          encoding: {
            fillOpacity: { field: 'opaque', type: 'quantitative', scale: null, legend: null },
          },
        },
        ...(classes.length > kMostNumbers ? [] : [numbers]),
      ],
    };
  };
}

export function frame(width: number, height: number | { step: number }): Specification {
  return { width, height, autosize: { type: 'fit-x', contains: 'padding' }, padding: 4, config };
}

const stepFor = (rows: number) => (rows > 40 ? 18 : 26);

// Rows keep their order, and two rows of one name stay two.
function rowAxis(labels: string[], width: number) {
  return {
    field: 'key',
    type: 'nominal',
    sort: null,
    axis: {
      title: null,
      labelExpr: labelAt(labels.map((label) => shorten(label, width < kNarrow ? 16 : 36))),
      labelColor: kInk,
      labelLimit: 0,
      ticks: false,
      domain: false,
      grid: false,
      labelPadding: 8,
    },
  };
}

// A Vega expression, whose strings take no line separators.
const labelAt = (labels: readonly string[]) =>
  `${JSON.stringify(labels).replace(/[\u2028\u2029]/g, ' ')}[toNumber(datum.value)]`;

function percentAxis(title: string, domain: number[]) {
  return {
    type: 'quantitative',
    scale: { domain, nice: false },
    axis: { title, format: '.0%', tickCount: 5, domain: false },
  };
}
