import * as z from 'zod';
import { type Block, type HeatMap, number, table, text } from '../blocks.js';
import { count, figure, interval, listInWords, percent, plural } from '../format.js';
import { classFigures } from './accuracy.js';
import { presenter } from './presenter.js';
import { bounds, maybe } from './share.js';

const cell = z.object({
  accuracy: maybe,
  interval: bounds,
  loss: maybe,
  samples: z.number(),
  expectedCalibrationError: maybe,
  perClass: z.array(classFigures).default([]),
});

/** What `evaluate.domains` reports: every model on every domain. */
export const domainsFigures = z
  .object({
    models: z.array(z.string()).min(1),
    domains: z.array(z.string()).min(1),
    cells: z.array(z.array(cell)),
  })
  .refine(({ models, domains, cells }) => hasSize(cells, models.length, domains.length));
export type DomainsFigures = z.infer<typeof domainsFigures>;

export const domains = presenter(domainsFigures, (figures) => ({
  title: `Accuracy of ${plural(figures.models.length, 'model')} on ${plural(figures.domains.length, 'domain')}`,
  summary:
    `Measured ${listInWords(figures.models)} on the report samples of ${listInWords(figures.domains)}, ` +
    'which no training and no choice has seen.',
  highlights: [],
  blocks: [matrix(figures), ...byClass(figures), numbers(figures)],
}));

function matrix({ models, domains, cells }: DomainsFigures): HeatMap {
  return {
    kind: 'heat',
    title: 'Accuracy',
    note: 'With its 95% interval.',
    rowNoun: 'Model',
    columnNoun: 'domain',
    columns: domains,
    rows: models.map((label, i) => ({
      label,
      cells: (cells[i] ?? []).map((at) => ({
        value: at.accuracy ?? null,
        text: percent(at.accuracy),
        note: interval(at.interval),
      })),
    })),
  };
}

const kMostClasses = 12;

// One row a model and domain, one column a class: where a model fails is seldom everywhere.
function byClass({ models, domains, cells }: DomainsFigures): Block[] {
  const classes = cells[0]?.[0]?.perClass.map((row) => row.class) ?? [];
  const same = cells.flat().every(({ perClass }) => perClass.length === classes.length);
  if (!same || classes.length < 2 || classes.length > kMostClasses) return [];
  const row = (at: z.infer<typeof cell> | undefined) =>
    at?.perClass.map(({ accuracy }) => ({ value: accuracy ?? null, text: percent(accuracy, 0) })) ?? [];
  return models.map((model, i) => ({
    kind: 'heat',
    title: `Accuracy by class: ${model}`,
    rowNoun: 'Domain',
    columnNoun: 'class',
    columns: classes,
    rows: domains.map((label, j) => ({ label, cells: row(cells[i]?.[j]) })),
  }));
}

function numbers({ models, domains, cells }: DomainsFigures): Block {
  return table(
    'All figures',
    [
      text('Model'),
      text('Domain'),
      ...['Accuracy', '95% interval', 'Loss', 'Calibration error', 'Samples'].map(number),
    ],
    models.flatMap((model, i) =>
      domains.map((domain, j) => {
        const at = cells[i]?.[j];
        return [
          model,
          domain,
          percent(at?.accuracy),
          interval(at?.interval),
          figure(at?.loss),
          percent(at?.expectedCalibrationError),
          count(at?.samples),
        ];
      }),
    ),
  );
}

function hasSize(rows: readonly (readonly unknown[])[], height: number, width: number): boolean {
  return rows.length === height && rows.every((row) => row.length === width);
}
