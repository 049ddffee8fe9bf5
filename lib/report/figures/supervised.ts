import * as z from 'zod';
import { type Block, type Highlight, number, table } from '../blocks.js';
import { lines, type Point } from '../charts.js';
import { count, figure, isNumber, percent, percentInWords, plural } from '../format.js';
import { type AnyReport, isObject } from '../report.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';
import { maybe } from './share.js';

const epoch = z.object({
  epoch: z.number(),
  loss: maybe,
  accuracy: maybe,
  learningRate: maybe,
  selectAccuracy: maybe,
  selectLoss: maybe,
});

/** What `train.supervised` reports; also the fine-tuning inside other methods. */
export const supervisedFigures = z.object({
  epochs: z.array(epoch),
  steps: z.number(),
  finalLoss: maybe,
  best: z.object({ epoch: z.number(), selectAccuracy: maybe }).nullish(),
  sparsity: maybe,
});
export type SupervisedFigures = z.infer<typeof supervisedFigures>;

export const supervised = presenter(supervisedFigures, (figures, report) => ({
  title: `Training of ${modelName(report)}`,
  summary: summary(figures, report),
  highlights: highlights(figures, report),
  blocks: learningCurves(figures),
}));

/** The epoch whose weights were returned: the best one where `options` ask for it, else the last. */
export function returned({ epochs, best }: SupervisedFigures, options: unknown) {
  return best && isObject(options) && options.restoreBest === true ? best : epochs.at(-1);
}

function summary(figures: SupervisedFigures, report: AnyReport): string {
  const { epochs, steps, best, sparsity } = figures;
  const isBest = best && returned(figures, report.options) === best;
  const kept = isBest ? `; the weights of epoch ${best.epoch}, the best on held-out samples, were kept` : '';
  const zeros = sparsity ? ` ${percentInWords(sparsity)} of the weights are zero.` : '';
  return (
    `Trained ${modelName(report)} on the domain ${domainName(report)} for ${plural(epochs.length, 'epoch')} ` +
    `(${plural(steps, 'step')})${kept}.${zeros}`
  );
}

function highlights(figures: SupervisedFigures, { options }: AnyReport): Highlight[] {
  const { epochs, best, finalLoss, sparsity } = figures;
  const last = epochs.at(-1);
  const kept = returned(figures, options);
  const all: (Highlight | false)[] = [
    isNumber(kept?.selectAccuracy) && {
      label: 'Held-out accuracy',
      value: percent(kept.selectAccuracy),
      note: kept === best ? `best, epoch ${kept.epoch}` : 'last epoch',
    },
    isNumber(last?.accuracy) && {
      label: 'Training accuracy',
      value: percent(last.accuracy),
      note: 'last epoch',
    },
    isNumber(finalLoss) && { label: 'Training loss', value: figure(finalLoss), note: 'at the end' },
    isNumber(sparsity) && sparsity > 0 && { label: 'Sparsity', value: percent(sparsity) },
  ];
  return all.filter((highlight) => highlight !== false);
}

/** Loss and accuracy over the epochs: curves where there are two epochs or more, numbers always. */
export function learningCurves(figures: SupervisedFigures, title = 'Learning curves'): Block[] {
  const { epochs } = figures;
  const numbers = table(
    title,
    ['Epoch', 'Loss', 'Accuracy', 'Held-out loss', 'Held-out accuracy', 'Learning rate'].map(number),
    epochs.map((row) => [
      count(row.epoch),
      figure(row.loss),
      percent(row.accuracy),
      figure(row.selectLoss),
      percent(row.selectAccuracy),
      figure(row.learningRate),
    ]),
  );
  if (epochs.length < 2) return epochs.length === 0 ? [] : [numbers];
  const loss = series(epochs, { Training: 'loss', 'Held out': 'selectLoss' });
  const accuracy = series(epochs, { Training: 'accuracy', 'Held out': 'selectAccuracy' });
  const chart = (what: string, data: Point[], format: 'percent' | 'number', words: string) => ({
    kind: 'chart' as const,
    half: true as const,
    title: `${title}: ${what}`,
    alt: `${words} over ${plural(epochs.length, 'epoch')}`,
    specification: lines(data, { x: 'Epoch', y: words }, format),
    table: numbers,
  });
  const charts = [
    ...(loss.length > 0 ? [chart('loss', loss, 'number', 'Loss')] : []),
    ...(accuracy.length > 0 ? [chart('accuracy', accuracy, 'percent', 'Accuracy')] : []),
  ];
  return charts.length > 0 ? charts : [numbers];
}

type Key = 'loss' | 'accuracy' | 'selectLoss' | 'selectAccuracy';

function series(epochs: SupervisedFigures['epochs'], names: { [name: string]: Key }): Point[] {
  return Object.entries(names).flatMap(([name, key]) =>
    epochs.flatMap((row) => {
      const y = row[key];
      return isNumber(y) ? [{ x: row.epoch, y, series: name }] : [];
    }),
  );
}
