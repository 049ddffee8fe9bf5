import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { bars } from '../charts.js';
import { count, figure, percent, percentInWords, plural } from '../format.js';
import type { AnyReport } from '../report.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';
import { maybe } from './share.js';
import { learningCurves, returned, supervisedFigures } from './supervised.js';

const layer = z.object({
  path: z.string(),
  weights: z.number(),
  zeros: z.number(),
  sparsity: z.number(),
  threshold: maybe,
});
type LayerFigures = z.infer<typeof layer>;
export const layers = z.array(layer);

/** What `prune.magnitude` reports. */
export const magnitudeFigures = z.object({
  sparsity: z.number(),
  requested: maybe,
  scope: z.string(),
  structure: z.union([z.string(), z.object({ n: z.number(), m: z.number() })]),
  layers,
  totals: z.object({ weights: z.number(), zeros: z.number() }),
  stages: z.array(z.object({ sparsity: z.number(), epochs: z.number() })).default([]),
  fineTune: supervisedFigures.nullish(),
});
export type MagnitudeFigures = z.infer<typeof magnitudeFigures>;

export const magnitude = presenter(magnitudeFigures, (figures, report) => ({
  title: `Magnitude pruning to ${percentInWords(figures.sparsity)}`,
  summary: summary(figures, report),
  highlights: highlights(figures, report),
  blocks: [
    ...layerSparsity(figures.layers, figures.sparsity),
    ...stages(figures),
    ...(figures.fineTune ? learningCurves(figures.fineTune, 'Fine-tuning') : []),
  ],
}));

function summary(
  { totals, scope, structure, stages, fineTune }: MagnitudeFigures,
  report: AnyReport,
): string {
  const how = scope === 'layer' ? 'the same share of every layer' : 'over all layers together';
  const steps = stages.length > 1 ? ` in ${plural(stages.length, 'stage')}` : '';
  const tuned = fineTune
    ? ` Fine-tuned on the domain ${domainName(report)} for ${plural(fineTune.epochs.length, 'epoch')} with the zeros held.`
    : '';
  return (
    `Set ${count(totals.zeros)} of the ${count(totals.weights)} prunable weights of ${modelName(report)} to zero: ` +
    `${unit(structure)}, ${how}${steps}.${tuned}`
  );
}

function unit(structure: MagnitudeFigures['structure']): string {
  if (typeof structure === 'object')
    return `the ${structure.n} largest kept of every ${structure.m} in a row`;
  if (structure === 'channel') return 'whole output channels, those with the smallest norm';
  return 'single weights, those with the smallest magnitude';
}

function highlights(
  { sparsity, requested, totals, fineTune }: MagnitudeFigures,
  { options }: AnyReport,
): Highlight[] {
  const heldOut = fineTune && returned(fineTune, options?.fineTune)?.selectAccuracy;
  return [
    {
      label: 'Sparsity',
      value: percent(sparsity),
      ...(requested === null || requested === undefined
        ? {}
        : { note: `asked for ${percentInWords(requested)}` }),
    },
    {
      label: 'Weights left',
      value: count(totals.weights - totals.zeros),
      note: `of ${count(totals.weights)}`,
    },
    ...(heldOut === null || heldOut === undefined
      ? []
      : [{ label: 'Held-out accuracy', value: percent(heldOut), note: 'after fine-tuning' }]),
  ];
}

/** A bar a layer, in the order of the network. */
export function layerSparsity(
  layers: LayerFigures[],
  overall: number | null,
  title = 'Sparsity by layer',
): Block[] {
  if (layers.length === 0) return [];
  const rows = layers.map((row) => [
    row.path,
    count(row.weights),
    count(row.zeros),
    percent(row.sparsity),
    figure(row.threshold),
  ]);
  const data = layers.map(({ path, sparsity }) => ({
    label: path,
    share: sparsity,
    text: percent(sparsity),
  }));
  const mark = overall === null ? null : { share: overall, text: `overall ${percentInWords(overall)}` };
  return [
    {
      kind: 'chart',
      title,
      alt: layers.map(({ path, sparsity }) => `${path}: ${percent(sparsity)}`).join('; '),
      specification: bars(data, 'Share of weights that are zero', mark),
      table: table(
        title,
        [text('Layer'), ...['Weights', 'Zeros', 'Sparsity', 'Magnitude threshold'].map(number)],
        rows,
      ),
    },
  ];
}

function stages({ stages }: MagnitudeFigures): Block[] {
  if (stages.length < 2) return [];
  return [
    table(
      'Stages',
      ['Stage', 'Sparsity', 'Epochs'].map(number),
      stages.map(({ sparsity, epochs }, i) => [count(i + 1), percent(sparsity), count(epochs)]),
    ),
  ];
}
