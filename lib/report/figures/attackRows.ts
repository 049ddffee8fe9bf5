import * as z from 'zod';
import { number, table } from '../blocks.js';
import { count, figure, interval, isNumber, percent, percentInWords, plural } from '../format.js';
import { domainName } from '../words.js';
import { answers, attackFigures, attackPresentation, cost } from './attack.js';
import { presenter } from './presenter.js';

// The attacks that change weights at several strengths, a row each.

const pruneFigures = attackFigures.extend({
  rows: z
    .array(
      z.object({
        sparsity: z.number(),
        weights: z.number(),
        zeros: z.number(),
        cut: z.number(),
        after: answers,
        learningRate: z.number().nullable(),
        selectAccuracy: z.number().nullable(),
      }),
    )
    .min(1),
});

/** What `attack.prune` reports. */
export const attackPrune = presenter(pruneFigures, (figures, report) => {
  const { rows, samples } = figures;
  const tuned = samples > 0 ? ` and fine-tuned on ${plural(samples, 'sample')}` : '';
  const columns = ['Sparsity asked', 'Zeros', 'Share', 'Newly cut', 'Accuracy', '95% interval'];
  const trained = rows.some(({ learningRate }) => isNumber(learningRate));
  return attackPresentation(
    figures,
    report,
    `Pruned to ${percentInWords(rows.at(-1)?.sparsity)}${tuned} its accuracy on ${domainName(report)}`,
    [
      table(
        'Prunings',
        [...columns, ...(trained ? ['Learning rate', 'Held-out accuracy'] : [])].map(number),
        rows.map((row) => [
          percentInWords(row.sparsity),
          count(row.zeros),
          percent(row.weights > 0 ? row.zeros / row.weights : null),
          count(row.cut),
          percent(row.after.accuracy),
          interval(row.after.interval),
          ...(trained ? [figure(row.learningRate), percent(row.selectAccuracy)] : []),
        ]),
        'Each from the given model; weights that were zero already count among the zeros.',
      ),
      cost(figures),
    ],
  );
});

const quantizeFigures = attackFigures.extend({
  rows: z
    .array(
      z.object({
        bits: z.number(),
        error: z.number(),
        weights: z.number(),
        zeros: z.number(),
        after: answers,
      }),
    )
    .min(1),
});

/** What `attack.quantize` reports. */
export const attackQuantize = presenter(quantizeFigures, (figures, report) => {
  const { rows } = figures;
  return attackPresentation(
    figures,
    report,
    `Rounded to ${plural(rows.at(-1)?.bits ?? 0, 'bit')} its accuracy on ${domainName(report)}`,
    [
      table(
        'Roundings',
        ['Bits', 'Relative error', 'Zeros', 'Share', 'Accuracy', '95% interval'].map(number),
        rows.map(({ bits, error, weights, zeros, after }) => [
          count(bits),
          figure(error),
          count(zeros),
          percent(weights > 0 ? zeros / weights : null),
          percent(after.accuracy),
          interval(after.interval),
        ]),
        'Each from the given model. The error is the mean square of what rounding changed over that of the weights.',
      ),
      cost(figures),
    ],
  );
});

const maskGuessFigures = attackFigures.extend({
  best: z.number(),
  rows: z
    .array(
      z.object({
        try: z.number(),
        refilled: z.number(),
        removed: z.number(),
        zeros: z.number(),
        selectAccuracy: z.number().nullable(),
        after: answers,
      }),
    )
    .min(1),
});

/** What `attack.maskGuess` reports. */
export const attackMaskGuess = presenter(maskGuessFigures, (figures, report) => {
  const { rows, best } = figures;
  const who = rows.length > 1 ? `The best of ${count(rows.length)} guesses` : 'One guess';
  return attackPresentation(figures, report, `${who}: its accuracy on ${domainName(report)}`, [
    table(
      'Guesses',
      ['Try', 'Refilled', 'Removed', 'Zeros', 'Held-out accuracy', 'Accuracy', '95% interval'].map(number),
      rows.map((row) => [
        count(row.try),
        count(row.refilled),
        count(row.removed),
        count(row.zeros),
        percent(row.selectAccuracy),
        percent(row.after.accuracy),
        interval(row.after.interval),
      ]),
      rows.length > 1 ? `Try ${count(best)} was taken, the best on held-out samples.` : undefined,
    ),
    cost(figures),
  ]);
});
