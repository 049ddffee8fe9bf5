import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { lines, type Point } from '../charts.js';
import { count, figure, isNumber, listInWords, percent, plural } from '../format.js';
import { modelName } from '../words.js';
import { layerSparsity, layers } from './magnitude.js';
import { presenter } from './presenter.js';
import { maybe } from './share.js';

/** What `authorize.maskPruning` reports. */
const schema = z.object({
  sparsity: z.number(),
  layers,
  source: z.object({
    domain: z.string().nullable(),
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
      sourceAccuracy: z.number(),
      pruned: z.number(),
      holdsFloor: z.boolean(),
    }),
  ),
  controls: z.array(
    z.object({ name: z.string(), pruned: z.number(), source: z.number(), targets: z.array(maybe) }),
  ),
  read: z.object({ source: z.number(), target: z.number() }),
  steps: z.number(),
});
type Figures = z.infer<typeof schema>;

export const maskPruning = presenter(schema, (figures, report) => {
  const { source, targets, steps } = figures;
  const names = listInWords(targets.map(({ domain }) => domain));
  const floor = source.held ? 'which holds the floor' : 'which is below the floor';
  return {
    title: `Mask pruning against ${names}`,
    summary:
      `Learned a mask over ${modelName(report)} in ${plural(steps, 'step')} that prunes ` +
      `${percent(figures.sparsity)} of its weights and changes no other. On ${sourceName(source)} it went from ` +
      `${percent(source.before)} to ${percent(source.after)}, ${floor} of ${percent(source.floor)}. What training ` +
      'on labelled samples of a target recovers is not said here: measure it with evaluate.authorization.',
    highlights: highlights(figures),
    blocks: [accuracies(figures), ...course(figures), ...layerSparsity(figures.layers, figures.sparsity)],
  };
});

const sourceName = (source: Figures['source']) => source.domain ?? 'generated images';

function highlights({ source, targets, sparsity }: Figures): Highlight[] {
  const lost = (source.before - source.after) * 100;
  return [
    {
      label: `On ${sourceName(source)}`,
      value: percent(source.after),
      note: `${lost.toFixed(1)} points lost`,
    },
    { label: 'Pruned', value: percent(sparsity), note: 'of the weights under the mask' },
    ...targets
      .slice(0, 2)
      .flatMap(({ domain, before, after }) =>
        isNumber(after)
          ? [{ label: `On ${domain}`, value: percent(after), note: `${percent(before)} before` }]
          : [],
      ),
  ];
}

function accuracies({ source, targets, sparsity, controls }: Figures): Block {
  const share = (before: number | null | undefined, after: number | null | undefined) =>
    isNumber(before) && isNumber(after) && before > 0 ? percent(1 - after / before) : '–';
  const row = (name: string, pruned: number, onSource: number, onTargets: (number | null | undefined)[]) => [
    name,
    percent(pruned),
    percent(onSource),
    share(source.before, onSource),
    ...targets.flatMap(({ before }, i) => [percent(onTargets[i]), share(before, onTargets[i])]),
  ];
  return table(
    'Accuracy under masks, on select data',
    [
      text('Mask'),
      number('Pruned'),
      number(sourceName(source)),
      number('Drop'),
      ...targets.flatMap(({ domain }) => [number(domain), number('Drop')]),
    ],
    [
      row(
        'none',
        0,
        source.before,
        targets.map(({ before }) => before),
      ),
      row(
        'learned',
        sparsity,
        source.after,
        targets.map(({ after }) => after),
      ),
      ...controls.map((control) => row(control.name, control.pruned, control.source, control.targets)),
    ],
    'A drop is a share of the accuracy without a mask. Under lambda 0 the mask was learned without a target; the ' +
      'random and the magnitude mask prune as much of each layer as the learned one.',
  );
}

function course({ readings, source }: Figures): Block[] {
  if (readings.length < 2) return [];
  const data: Point[] = readings.flatMap((row) => [
    { x: row.step, y: row.sourceLoss, series: 'Source loss, nats' },
    ...(isNumber(row.targetLoss) ? [{ x: row.step, y: row.targetLoss, series: 'Target loss, nats' }] : []),
    { x: row.step, y: row.pruned, series: 'Share pruned' },
  ]);
  return [
    {
      kind: 'chart',
      title: 'On the way',
      alt: `Losses and pruned share over ${plural(readings.length, 'reading')}`,
      specification: lines(data, { x: 'Step', y: 'Mean since the last reading' }, 'number'),
      table: table(
        'On the way',
        [
          ...['Step', 'Source loss', 'Target loss', 'Source accuracy', 'Pruned'].map(number),
          text('Floor'),
          text(''),
        ],
        readings.map((row) => [
          count(row.step),
          figure(row.sourceLoss),
          figure(row.targetLoss),
          percent(row.sourceAccuracy),
          percent(row.pruned),
          row.holdsFloor ? 'holds' : 'broken',
          row.step === source.restoredStep ? 'returned' : '',
        ]),
      ),
    },
  ];
}
