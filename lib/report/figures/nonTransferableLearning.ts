import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { lines, type Point } from '../charts.js';
import { count, figure, isNumber, listInWords, percent, plural } from '../format.js';
import { modelName } from '../words.js';
import { presenter } from './presenter.js';
import { maybe } from './share.js';

/** What `authorize.nonTransferableLearning` reports. */
const schema = z.object({
  featureLayer: z.string(),
  features: z.number(),
  source: z.object({
    domain: z.string(),
    before: z.number(),
    after: z.number(),
    floor: z.number(),
    held: z.boolean(),
    restoredStep: z.number(),
  }),
  targets: z.array(z.object({ domain: z.string(), before: maybe, after: maybe, drop: maybe })),
  readings: z.array(
    z.object({
      step: z.number(),
      sourceLoss: z.number(),
      targetLoss: maybe,
      discrepancy: maybe,
      sourceAccuracy: z.number(),
      holdsFloor: z.boolean(),
    }),
  ),
  steps: z.number(),
  control: z
    .object({ source: z.number(), targets: z.array(z.object({ domain: z.string(), accuracy: maybe })) })
    .nullable(),
  patch: z.object({ digest: z.string(), pixels: z.number() }).nullable(),
});
type Figures = z.infer<typeof schema>;

export const nonTransferableLearning = presenter(schema, (figures, report) => {
  const { source, targets, steps } = figures;
  const names = listInWords(targets.map(({ domain }) => domain));
  const floor = source.held ? 'which holds the floor' : 'which is below the floor';
  return {
    title: `Non-transferable learning against ${names}`,
    summary:
      `Trained ${modelName(report)} for ${plural(steps, 'step')} to be right on ${source.domain} and wrong on ` +
      `${names}. On ${source.domain} it went from ${percent(source.before)} to ${percent(source.after)}, ` +
      `${floor} of ${percent(source.floor)}. What training on labelled samples of a target recovers is not said ` +
      'here: measure it with evaluate.authorization.',
    highlights: highlights(figures),
    blocks: [accuracies(figures), ...course(figures), ...pattern(figures)],
  };
});

function highlights({ source, targets }: Figures): Highlight[] {
  const lost = (source.before - source.after) * 100;
  return [
    { label: `On ${source.domain}`, value: percent(source.after), note: `${lost.toFixed(1)} points lost` },
    ...targets
      .slice(0, 3)
      .flatMap(({ domain, before, after }) =>
        isNumber(after)
          ? [{ label: `On ${domain}`, value: percent(after), note: `${percent(before)} before` }]
          : [],
      ),
  ];
}

function accuracies({ source, targets, control }: Figures): Block {
  const columns = ['Before', 'After', 'Drop', ...(control === null ? [] : ['Control'])];
  const drop = source.before > 0 ? 1 - source.after / source.before : null;
  return table(
    'Accuracy, on select data',
    [text('Domain'), ...columns.map(number)],
    [
      [source.domain, percent(source.before), percent(source.after), percent(drop)].concat(
        control === null ? [] : [percent(control.source)],
      ),
      ...targets.map((row, i) =>
        [row.domain, percent(row.before), percent(row.after), percent(row.drop)].concat(
          control === null ? [] : [percent(control.targets[i]?.accuracy)],
        ),
      ),
    ],
    control === null
      ? 'A drop is a share of the accuracy before.'
      : 'A drop is a share of the accuracy before. The control was trained as long without a target.',
  );
}

function course({ readings, source }: Figures): Block[] {
  if (readings.length < 2) return [];
  const series: [string, (row: Figures['readings'][number]) => number | null | undefined][] = [
    ['Source loss, nats', (row) => row.sourceLoss],
    ['Target loss, nats', (row) => row.targetLoss],
    ['Discrepancy', (row) => row.discrepancy],
  ];
  const data: Point[] = series.flatMap(([name, of]) =>
    readings.flatMap((row) => {
      const value = of(row);
      return isNumber(value) ? [{ x: row.step, y: value, series: name }] : [];
    }),
  );
  return [
    {
      kind: 'chart',
      title: 'On the way',
      alt: `Losses and discrepancy over ${plural(readings.length, 'reading')}`,
      specification: lines(data, { x: 'Step', y: 'Mean since the last reading' }, 'number'),
      table: table(
        'On the way',
        [
          ...['Step', 'Source loss', 'Target loss', 'Discrepancy', 'Source accuracy'].map(number),
          text('Floor'),
          text(''),
        ],
        readings.map((row) => [
          count(row.step),
          figure(row.sourceLoss),
          figure(row.targetLoss),
          figure(row.discrepancy),
          percent(row.sourceAccuracy),
          row.holdsFloor ? 'holds' : 'broken',
          row.step === source.restoredStep ? 'returned' : '',
        ]),
      ),
    },
  ];
}

function pattern({ patch, featureLayer, features }: Figures): Block[] {
  const entries = [
    { label: 'Features compared', value: `${count(features)} behind ${featureLayer}` },
    ...(patch === null
      ? []
      : [
          { label: 'Pattern', value: plural(patch.pixels, 'pixel') },
          { label: 'Digest of key and pattern', value: patch.digest },
        ]),
  ];
  return [{ kind: 'facts', title: 'Where, and by what', entries }];
}
