import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { confusion, estimates } from '../charts.js';
import { count, figure, interval, isNumber, percent, plural } from '../format.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';
import { bounds, className, maybe } from './share.js';

export const classFigures = z.object({
  class: className,
  accuracy: maybe,
  samples: z.number(),
  interval: bounds,
});

/** What `evaluate.accuracy` reports. */
export const accuracyFigures = z.object({
  accuracy: maybe,
  interval: bounds,
  loss: maybe,
  samples: z.number(),
  perClass: z.array(classFigures),
  confusion: z.array(z.array(z.number())),
  expectedCalibrationError: maybe,
});
export type AccuracyFigures = z.infer<typeof accuracyFigures>;

export const accuracy = presenter(accuracyFigures, (figures, report) => ({
  title: `Accuracy of ${modelName(report)} on ${domainName(report)}`,
  summary:
    `Measured ${modelName(report)} on the ${plural(figures.samples, 'report sample')} of the domain ` +
    `${domainName(report)}, which no training and no choice has seen.`,
  highlights: highlights(figures),
  blocks: [...byClass(figures), ...confusionMatrix(figures)],
}));

function highlights(figures: AccuracyFigures): Highlight[] {
  return [
    {
      label: 'Accuracy',
      value: percent(figures.accuracy),
      note: `95% interval ${interval(figures.interval)}`,
    },
    { label: 'Loss', value: figure(figures.loss), note: 'cross-entropy' },
    { label: 'Calibration error', value: percent(figures.expectedCalibrationError), note: 'expected' },
    { label: 'Samples', value: count(figures.samples) },
  ];
}

const kMostClasses = 60;

function byClass({ perClass }: AccuracyFigures): Block[] {
  const title = 'Accuracy by class';
  const numbers = table(
    title,
    [text('Class'), ...['Samples', 'Accuracy', '95% interval'].map(number)],
    perClass.map((row) => [row.class, count(row.samples), percent(row.accuracy), interval(row.interval)]),
  );
  const data = perClass.flatMap((row) => {
    const share = row.accuracy;
    if (!isNumber(share)) return [];
    const [low, high] = row.interval ?? [];
    return [{ label: row.class, share, low: low ?? share, high: high ?? share, text: percent(share, 1) }];
  });
  if (data.length === 0 || data.length > kMostClasses) return perClass.length === 0 ? [] : [numbers];
  return [
    {
      kind: 'chart',
      title,
      note: 'A dot is the measured accuracy, the band its 95% interval.',
      alt: data.map((row) => `${row.label}: ${row.text}`).join('; '),
      specification: estimates(data, 'Accuracy'),
      table: numbers,
    },
  ];
}

const kMostCells = 60;

function confusionMatrix({ confusion: counts, perClass }: AccuracyFigures): Block[] {
  const size = counts.length;
  if (size < 2 || counts.some((row) => row.length !== size)) return [];
  const names = counts.map((_, i) => perClass[i]?.class ?? String(i));
  const title = 'Confusion matrix';
  const numbers = table(
    title,
    [text('True \\ predicted'), ...names.map(number)],
    counts.map((row, i) => [names[i] as string, ...row.map((n) => (n === 0 ? '·' : count(n)))]),
  );
  if (size > kMostCells) return [numbers];
  return [
    {
      kind: 'chart',
      title,
      note: 'Each row is a true class, each column what the model said; the diagonal is right.',
      alt: `Confusion matrix of ${plural(size, 'class', 'classes')}; most confused: ${worst(counts, names)}`,
      specification: confusion(counts, names),
      table: numbers,
    },
  ];
}

function worst(counts: number[][], names: string[]): string {
  const pairs = counts.flatMap((row, i) => row.map((n, j) => ({ n: i === j ? 0 : n, i, j })));
  const most = pairs
    .sort((a, b) => b.n - a.n)
    .slice(0, 3)
    .filter(({ n }) => n > 0);
  return most.map(({ n, i, j }) => `${names[i]} taken for ${names[j]} (${count(n)})`).join(', ') || 'none';
}
