import * as z from 'zod';
import { type Block, number, table } from '../blocks.js';
import { count, duration, figure, interval, isNumber, percent, plural } from '../format.js';
import type { AnyReport } from '../report.js';
import { domainName, modelName, sourceName } from '../words.js';
import { presenter } from './presenter.js';

const answers = z.object({ accuracy: z.number(), interval: z.array(z.number()), samples: z.number() });
const attackFigures = z.object({
  samples: z.number(),
  before: answers,
  after: answers,
  cost: z.object({ images: z.number(), labels: z.number(), steps: z.number(), seconds: z.number() }),
  learningRate: z.number().optional(),
  selectAccuracy: z.number().nullish(),
  source: z.object({ before: answers, after: answers }).optional(),
  meanFisher: z.number().nullish(),
  penalty: z.number().optional(),
  checkpoints: z.array(z.object({ steps: z.number(), accuracy: answers })).optional(),
});
type Answers = z.infer<typeof answers>;
type AttackFigures = z.infer<typeof attackFigures>;

/** What the attacks report. */
export const attack = presenter(attackFigures, (figures, report) => ({
  title: `${report.method} against ${modelName(report)}`,
  summary: summary(figures, report),
  highlights: [...accuracies('Accuracy', figures), ...sourceAccuracies(figures)],
  blocks: [cost(figures), ...pull(figures), ...checkpoints(figures)],
}));

function summary({ before, after, samples, source }: AttackFigures, report: AnyReport): string {
  const from = (first: Answers, last: Answers) =>
    `went from ${percent(first.accuracy)} to ${percent(last.accuracy)}`;
  const domain = domainName(report);
  if (source === undefined)
    return `With ${plural(samples, 'sample')} of ${domain} its accuracy there ${from(before, after)}.`;
  return (
    `Trained on ${plural(samples, 'sample')} of ${sourceName(report)} alone, its accuracy on ${domain} ` +
    `${from(before, after)}, and on ${sourceName(report)} it ${from(source.before, source.after)}.`
  );
}

function accuracies(label: string, { before, after }: { before: Answers; after: Answers }) {
  return [
    { label: `${label} after`, value: percent(after.accuracy), note: interval(after.interval) },
    { label: `${label} before`, value: percent(before.accuracy), note: interval(before.interval) },
  ];
}

function sourceAccuracies({ source }: AttackFigures) {
  return source === undefined ? [] : accuracies('Source accuracy', source);
}

// Of elastic weight consolidation.
function pull({ meanFisher, penalty }: AttackFigures): Block[] {
  if (!isNumber(penalty) || !isNumber(meanFisher)) return [];
  const entries = [
    { label: 'Mean Fisher information', value: figure(meanFisher) },
    { label: 'Penalty at the end', value: figure(penalty) },
  ];
  return [{ kind: 'facts', title: 'Pull on the weights', entries }];
}

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
