import * as z from 'zod';
import { number, table } from '../blocks.js';
import { lines, type Point } from '../charts.js';
import { count, figure, percent, percentInWords, plural } from '../format.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';

/** What `train.contrastive` reports. */
const contrastiveFigures = z.object({
  epochs: z.array(
    z.object({ epoch: z.number(), loss: z.number(), matched: z.number(), learningRate: z.number() }),
  ),
  steps: z.number(),
  finalLoss: z.number(),
  negatives: z.number(),
  classifier: z.string(),
  features: z.number(),
  sparsity: z.number(),
});
type Epochs = z.infer<typeof contrastiveFigures>['epochs'];

export const contrastive = presenter(contrastiveFigures, (figures, report) => {
  const { epochs, steps, finalLoss, negatives, classifier, features, sparsity } = figures;
  const matched = epochs.at(-1)?.matched;
  const zeros = sparsity > 0 ? ` ${percentInWords(sparsity)} of the weights are zero.` : '';
  return {
    title: `Training of ${modelName(report)} without labels`,
    summary:
      `Trained the encoder of ${modelName(report)} on the images of the domain ${domainName(report)} for ` +
      `${plural(epochs.length, 'epoch')} (${plural(steps, 'step')}), each view against ${count(negatives)} of ` +
      `other images. The classifier ${classifier}, which reads ${count(features)} features, was drawn anew: ` +
      `it has to be trained on labels.${zeros}`,
    highlights: [
      { label: 'Views matched', value: percent(matched), note: 'last epoch' },
      { label: 'Contrastive loss', value: figure(finalLoss), note: 'last epoch' },
      { label: 'Features', value: count(features) },
    ],
    blocks: curves(epochs),
  };
});

function curves(epochs: Epochs) {
  const numbers = table(
    'Learning curves',
    ['Epoch', 'Loss', 'Views matched', 'Learning rate'].map(number),
    epochs.map((row) => [count(row.epoch), figure(row.loss), percent(row.matched), figure(row.learningRate)]),
  );
  if (epochs.length < 2) return [numbers];
  const chart = (words: string, format: 'percent' | 'number', read: (row: Epochs[number]) => number) => ({
    kind: 'chart' as const,
    half: true as const,
    title: words,
    alt: `${words} over ${plural(epochs.length, 'epoch')}`,
    specification: lines(
      epochs.map((row): Point => ({ x: row.epoch, y: read(row), series: 'Training' })),
      { x: 'Epoch', y: words },
      format,
    ),
    table: numbers,
  });
  return [
    chart('Contrastive loss', 'number', ({ loss }) => loss),
    chart('Views matched', 'percent', ({ matched }) => matched),
  ];
}
