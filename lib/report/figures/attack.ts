import * as z from 'zod';
import { type Block, number, type Presentation, table } from '../blocks.js';
import { count, duration, figure, interval, isNumber, percent, plural } from '../format.js';
import type { AnyReport } from '../report.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';

export const answers = z.object({ accuracy: z.number(), interval: z.array(z.number()), samples: z.number() });
export const attackFigures = z.object({
  samples: z.number(),
  before: answers,
  after: answers,
  cost: z.object({ images: z.number(), labels: z.number(), steps: z.number(), seconds: z.number() }),
});
const trainedFigures = attackFigures.extend({
  learningRate: z.number().optional(),
  selectAccuracy: z.number().nullish(),
  checkpoints: z.array(z.object({ steps: z.number(), accuracy: answers })).optional(),
});
type TrainedFigures = z.infer<typeof trainedFigures>;

/** What the attacks report that train, or read features. */
export const attack = presenter(trainedFigures, (figures, report) =>
  attackPresentation(
    figures,
    report,
    `With ${plural(figures.samples, 'sample')} of ${domainName(report)} its accuracy there`,
    [cost(figures), ...checkpoints(figures)],
  ),
);

/** `how` begins a sentence that ends with what the accuracy went from and to. */
export function attackPresentation(
  { before, after }: z.infer<typeof attackFigures>,
  report: AnyReport,
  how: string,
  blocks: Block[],
): Presentation {
  return {
    title: `${report.method} against ${modelName(report)}`,
    summary: `${how} went from ${percent(before.accuracy)} to ${percent(after.accuracy)}.`,
    highlights: [
      { label: 'Accuracy after', value: percent(after.accuracy), note: interval(after.interval) },
      { label: 'Accuracy before', value: percent(before.accuracy), note: interval(before.interval) },
    ],
    blocks,
  };
}

export function cost({
  cost,
  learningRate,
  selectAccuracy,
}: Pick<TrainedFigures, 'cost' | 'learningRate' | 'selectAccuracy'>): Block {
  const entries = [
    { label: 'Labels', value: count(cost.labels) },
    { label: 'Images seen', value: count(cost.images) },
    { label: 'Steps', value: count(cost.steps) },
    { label: 'Time', value: duration(cost.seconds * 1000) },
  ];
  if (isNumber(learningRate)) entries.push({ label: 'Learning rate', value: figure(learningRate) });
  if (isNumber(selectAccuracy)) entries.push({ label: 'Held-out accuracy', value: percent(selectAccuracy) });
  return { kind: 'facts', title: 'Cost', entries };
}

function checkpoints({ checkpoints = [] }: TrainedFigures): Block[] {
  if (checkpoints.length === 0) return [];
  const rows = checkpoints.map(({ steps, accuracy }) => [
    count(steps),
    percent(accuracy.accuracy),
    interval(accuracy.interval),
  ]);
  return [table('Accuracy along the way', ['Steps', 'Accuracy', 'Interval'].map(number), rows)];
}
