import * as z from 'zod';
import { type Block, type Highlight, number, type Presentation, table } from '../blocks.js';
import { count, duration, figure, interval, isNumber, percent, plural } from '../format.js';
import type { AnyReport } from '../report.js';
import { domainName, modelName, sourceName } from '../words.js';
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
  source: z.object({ before: answers, after: answers }).optional(),
  meanFisher: z.number().nullish(),
  penalty: z.number().optional(),
  checkpoints: z.array(z.object({ steps: z.number(), accuracy: answers })).optional(),
});
type Answers = z.infer<typeof answers>;
type TrainedFigures = z.infer<typeof trainedFigures>;

/** What the attacks report that train, or read features. */
export const attack = presenter(trainedFigures, (figures, report) => {
  const shown = attackPresentation(figures, report, how(figures, report), [
    cost(figures),
    ...pull(figures),
    ...checkpoints(figures),
  ]);
  const { source } = figures;
  if (source === undefined) return shown;
  return {
    ...shown,
    summary: `${shown.summary} On ${sourceName(report)} it ${from(source)}.`,
    highlights: [...(shown.highlights ?? []), ...accuracies('Source accuracy', source)],
  };
});

function how({ samples, source }: TrainedFigures, report: AnyReport): string {
  const domain = domainName(report);
  return source === undefined
    ? `With ${plural(samples, 'sample')} of ${domain} its accuracy there`
    : `Trained on ${plural(samples, 'sample')} of ${sourceName(report)} alone, its accuracy on ${domain}`;
}

interface Change {
  before: Answers;
  after: Answers;
}

const from = ({ before, after }: Change) =>
  `went from ${percent(before.accuracy)} to ${percent(after.accuracy)}`;

/** `how` begins a sentence that ends with what the accuracy went from and to. */
export function attackPresentation(
  figures: z.infer<typeof attackFigures>,
  report: AnyReport,
  how: string,
  blocks: Block[],
): Presentation {
  return {
    title: `${report.method} against ${modelName(report)}`,
    summary: `${how} ${from(figures)}.`,
    highlights: accuracies('Accuracy', figures),
    blocks,
  };
}

function accuracies(label: string, { before, after }: Change): Highlight[] {
  return [
    { label: `${label} after`, value: percent(after.accuracy), note: interval(after.interval) },
    { label: `${label} before`, value: percent(before.accuracy), note: interval(before.interval) },
  ];
}

// Of elastic weight consolidation.
function pull({ meanFisher, penalty }: TrainedFigures): Block[] {
  if (!isNumber(penalty) || !isNumber(meanFisher)) return [];
  const entries = [
    { label: 'Mean Fisher information', value: figure(meanFisher) },
    { label: 'Penalty at the end', value: figure(penalty) },
  ];
  return [{ kind: 'facts', title: 'Pull on the weights', entries }];
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
