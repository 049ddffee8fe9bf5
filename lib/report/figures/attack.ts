import * as z from 'zod';
import { type Block, number, table } from '../blocks.js';
import { count, duration, figure, interval, isNumber, percent, plural } from '../format.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';

const answers = z.object({ accuracy: z.number(), interval: z.array(z.number()), samples: z.number() });
const attackFigures = z.object({
  samples: z.number(),
  before: answers,
  after: answers,
  cost: z.object({ images: z.number(), labels: z.number(), steps: z.number(), seconds: z.number() }),
  learningRate: z.number().optional(),
  selectAccuracy: z.number().nullish(),
  checkpoints: z.array(z.object({ steps: z.number(), accuracy: answers })).optional(),
});
type AttackFigures = z.infer<typeof attackFigures>;

/** What the attacks report. */
export const attack = presenter(attackFigures, (figures, report) => {
  const { before, after, samples } = figures;
  return {
    title: `${report.method} against ${modelName(report)}`,
    summary:
      `With ${plural(samples, 'sample')} of ${domainName(report)} its accuracy there went from ` +
      `${percent(before.accuracy)} to ${percent(after.accuracy)}.`,
    highlights: [
      { label: 'Accuracy after', value: percent(after.accuracy), note: interval(after.interval) },
      { label: 'Accuracy before', value: percent(before.accuracy), note: interval(before.interval) },
    ],
    blocks: [cost(figures), ...checkpoints(figures)],
  };
});

function cost({ cost, learningRate, selectAccuracy }: AttackFigures): Block {
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

function checkpoints({ checkpoints = [] }: AttackFigures): Block[] {
  if (checkpoints.length === 0) return [];
  const rows = checkpoints.map(({ steps, accuracy }) => [
    count(steps),
    percent(accuracy.accuracy),
    interval(accuracy.interval),
  ]);
  return [table('Accuracy along the way', ['Steps', 'Accuracy', 'Interval'].map(number), rows)];
}
