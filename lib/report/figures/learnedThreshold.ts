import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { lines } from '../charts.js';
import { count, figure, percent, percentInWords, plural } from '../format.js';
import type { AnyReport } from '../report.js';
import { magnitudes, tradeOff } from '../tradeOff.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';
import { maybe } from './share.js';
import { learningCurves, supervisedFigures } from './supervised.js';

const layer = z.object({
  path: z.string(),
  weights: z.number(),
  kept: z.number(),
  density: z.number(),
  softDensity: z.number(),
  inTransition: z.number(),
  threshold: z.number(),
  stepsUndone: z.number(),
  histogram: z.object({ largest: z.number(), counts: z.array(z.number()) }),
});
type Layer = z.infer<typeof layer>;

const epoch = z.object({
  epoch: z.number(),
  loss: maybe,
  density: z.number(),
  softDensity: z.number(),
  softAccuracy: z.number(),
  hardAccuracy: z.number(),
  layerDensity: z.array(z.number()),
});

/** What `prune.learnedThreshold` reports. */
export const learnedThresholdFigures = z.object({
  density: z.number(),
  compression: z.number(),
  compressionAll: z.number(),
  macRatio: z.number(),
  lambda: z.number(),
  targetReached: z.boolean(),
  accuracy: z.object({ dense: z.number(), soft: z.number(), hard: z.number(), fineTuned: maybe }),
  layers: z.array(layer),
  epochs: z.array(epoch),
  trail: z.array(
    z.object({ epoch: z.number(), step: z.number(), density: z.number(), accuracy: z.number() }),
  ),
  fineTune: supervisedFigures.nullish(),
});
type Figures = z.infer<typeof learnedThresholdFigures>;

export const learnedThreshold = presenter(learnedThresholdFigures, (figures, report) => ({
  title: `Learned thresholds: ${percentInWords(figures.density)} of the weights left`,
  summary: summary(figures, report),
  highlights: highlights(figures),
  blocks: [
    ...trail(figures),
    ...densities(figures),
    ...accuracies(figures),
    ...thresholdOfLargest(figures),
    layers(figures),
    ...(figures.fineTune ? learningCurves(figures.fineTune, 'Fine-tuning') : []),
  ],
}));

function summary({ epochs, layers, targetReached, fineTune }: Figures, report: AnyReport): string {
  const target = targetReached ? ' The target was reached, and the thresholds rose no more.' : '';
  const tuned = fineTune ? ` Fine-tuned for ${plural(fineTune.epochs.length, 'epoch')} under the mask.` : '';
  return (
    `Learned ${plural(layers.length, 'threshold')} of ${modelName(report)} on the domain ${domainName(report)} ` +
    `for ${plural(epochs.length, 'epoch')}.${target}${tuned}`
  );
}

function highlights({ density, compression, compressionAll, macRatio, accuracy }: Figures): Highlight[] {
  const { dense, hard, fineTuned } = accuracy;
  return [
    { label: 'Weights left', value: percent(density), note: `${figure(compression)} times fewer` },
    {
      label: 'Accuracy',
      value: percent(fineTuned ?? hard),
      note: `${percent(dense)} before pruning, ${percent(hard)} before fine-tuning`,
    },
    { label: 'Parameters', value: `1 / ${figure(compressionAll)}`, note: 'all of the model' },
    { label: 'Multiplications left', value: percent(macRatio), note: 'of the pruned layers' },
  ];
}

function trail({ trail, accuracy }: Figures): Block[] {
  if (trail.length < 2) return [];
  return [
    {
      kind: 'chart',
      title: 'Accuracy over density',
      note: 'The snapshots of the trail, each pruned for good at its epoch and not fine-tuned.',
      alt: trail.map((point) => `${percent(point.density)}: ${percent(point.accuracy)}`).join('; '),
      specification: tradeOff(trail, accuracy.dense),
      table: table(
        'The trail',
        ['Epoch', 'Weights left', 'Accuracy'].map(number),
        trail.map((point) => [count(point.epoch), percent(point.density), percent(point.accuracy)]),
      ),
    },
  ];
}

const kMostLines = 4;

// The layers with most weights: more lines than colours could not be told apart.
function densities({ layers, epochs }: Figures): Block[] {
  if (epochs.length < 2) return [];
  const shown = layers
    .map((layer, i) => ({ ...layer, i }))
    .sort((a, b) => b.weights - a.weights)
    .slice(0, kMostLines)
    .sort((a, b) => a.i - b.i);
  const points = shown.flatMap(({ path, i }) =>
    epochs.map(({ epoch, layerDensity }) => ({ x: epoch, y: layerDensity[i] ?? 0, series: path })),
  );
  const note = layers.length > kMostLines ? { note: `The ${kMostLines} layers with most weights.` } : {};
  return [
    {
      kind: 'chart',
      title: 'Density of the layers over time',
      ...note,
      alt: shown.map(({ path, density }) => `${path}: ${percent(density)} at the end`).join('; '),
      specification: lines(points, { x: 'Epoch', y: 'Share of the weights that is left' }, 'percent'),
      table: table(
        'Density of the layers over time',
        [number('Epoch'), ...layers.map(({ path }) => number(path))],
        epochs.map(({ epoch, layerDensity }) => [count(epoch), ...layerDensity.map((d) => percent(d))]),
      ),
    },
  ];
}

function accuracies({ epochs }: Figures): Block[] {
  if (epochs.length < 2) return [];
  const points = epochs.flatMap(({ epoch, softAccuracy, hardAccuracy }) => [
    { x: epoch, y: hardAccuracy, series: 'pruned for good' },
    { x: epoch, y: softAccuracy, series: 'through the gates' },
  ]);
  const last = epochs.at(-1);
  return [
    {
      kind: 'chart',
      title: 'Accuracy while thresholds are learned',
      alt: `At the end ${percent(last?.hardAccuracy ?? null)} pruned for good, ${percent(last?.softAccuracy ?? null)} through the gates`,
      specification: lines(points, { x: 'Epoch', y: 'Accuracy on select data' }, 'percent'),
      table: table(
        'Accuracy while thresholds are learned',
        ['Epoch', 'Loss', 'Weights left', 'Soft density', 'Soft accuracy', 'Hard accuracy'].map(number),
        epochs.map((row) => [
          count(row.epoch),
          figure(row.loss),
          percent(row.density),
          percent(row.softDensity),
          percent(row.softAccuracy),
          percent(row.hardAccuracy),
        ]),
      ),
    },
  ];
}

function thresholdOfLargest({ layers }: Figures): Block[] {
  const largest = layers.reduce<Layer | undefined>(
    (best, layer) => (best === undefined || layer.weights > best.weights ? layer : best),
    undefined,
  );
  if (largest === undefined || largest.histogram.counts.length === 0) return [];
  const { path, threshold, histogram } = largest;
  const step = histogram.largest / histogram.counts.length;
  return [
    {
      kind: 'chart',
      title: `Threshold and weights of ${path}`,
      note: 'The layer with most weights, at the end of the learning; the dashed line is its threshold.',
      alt: `${percent(largest.density)} of ${count(largest.weights)} weights are above the threshold ${figure(threshold)}`,
      specification: magnitudes(histogram.counts, histogram.largest, threshold),
      table: table(
        `Weights of ${path} by magnitude`,
        ['From', 'To', 'Weights'].map(number),
        coarser(histogram.counts).map((n, i) => [
          figure(i * step * kBinsARow),
          figure((i + 1) * step * kBinsARow),
          count(n),
        ]),
      ),
    },
  ];
}

const kBinsARow = 4;

function coarser(counts: number[]): number[] {
  const rows = Array.from({ length: Math.ceil(counts.length / kBinsARow) }, (_, i) =>
    counts.slice(i * kBinsARow, (i + 1) * kBinsARow),
  );
  return rows.map((row) => row.reduce((a, b) => a + b, 0));
}

function layers({ layers }: Figures): Block {
  const columns = [
    'Weights',
    'Left',
    'Density',
    'Soft density',
    'In transition',
    'Threshold',
    'Steps undone',
  ];
  return table(
    'Layers',
    [text('Layer'), ...columns.map(number)],
    layers.map((row) => [
      row.path,
      count(row.weights),
      count(row.kept),
      percent(row.density),
      percent(row.softDensity),
      percent(row.inTransition),
      figure(row.threshold),
      count(row.stepsUndone),
    ]),
    'The threshold is on the magnitude; a weight is in transition where its gate is neither open nor shut.',
  );
}
