import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { count, figure, interval, isNumber, listInWords, percent } from '../format.js';
import { presenter } from './presenter.js';
import { bounds, maybe } from './share.js';

const estimate = z.object({ value: maybe, interval: bounds });
type Estimate = z.infer<typeof estimate>;
const answers = z.object({ accuracy: z.number(), interval: bounds, samples: z.number() });
const domainDrop = z.object({
  domain: z.string(),
  original: answers,
  protected: answers,
  pairs: z.object({
    both: z.number(),
    onlyFirst: z.number(),
    onlySecond: z.number(),
    neither: z.number(),
  }),
  drop: estimate,
});
const dropFigures = z.object({
  source: domainDrop,
  targets: z.array(domainDrop.extend({ sourceTargetDrop: estimate })).min(1),
  meanTargetDrop: estimate,
  ratioOfMeans: estimate,
  meanOfRatios: estimate,
});
type DropFigures = z.infer<typeof dropFigures>;

// Both ends may be negative: a dash between them would read as a sign.
function between({ interval }: Estimate, give: (value: number) => string): string {
  const [low, high] = interval ?? [];
  return isNumber(low) && isNumber(high) ? `${give(low)} to ${give(high)}` : '–';
}

/** What `evaluate.sourceTargetDrop` reports. */
export const sourceTargetDrop = presenter(dropFigures, (figures) => {
  const { source, targets, meanTargetDrop, ratioOfMeans } = figures;
  const names = listInWords(targets.map(({ domain }) => domain));
  const several = targets.length > 1;
  return {
    title: `Drop on ${source.domain} and on ${names}`,
    summary:
      `Protection took ${percent(source.drop.value)} of the accuracy on ${source.domain}, and ` +
      `${several ? 'on average ' : ''}${percent(meanTargetDrop.value)} of that on ${names}.`,
    highlights: [
      highlight(`Drop on ${source.domain}`, source.drop, percent),
      highlight(several ? 'Mean drop on the targets' : `Drop on ${names}`, meanTargetDrop, percent),
      highlight(several ? 'ST-D, ratio of the means' : 'ST-D', ratioOfMeans, figure),
    ],
    blocks: [drops(figures), ...together(figures), pairs(figures)],
  };
});

function highlight(label: string, shown: Estimate, give: (value: number) => string): Highlight {
  if (!isNumber(shown.value)) return { label, value: '–', note: 'not defined' };
  return { label, value: give(shown.value), note: shown.interval ? between(shown, give) : 'no interval' };
}

function drops({ source, targets }: DropFigures): Block {
  const columns = ['Original', '95% interval', 'Protected', '95% interval', 'Drop', '95% interval'];
  const row = (role: string, at: z.infer<typeof domainDrop>, ratio?: Estimate) => [
    at.domain,
    role,
    percent(at.original.accuracy),
    interval(at.original.interval),
    percent(at.protected.accuracy),
    interval(at.protected.interval),
    percent(at.drop.value),
    between(at.drop, percent),
    figure(ratio?.value),
    ratio === undefined ? '–' : between(ratio, figure),
  ];
  return table(
    'Drops',
    [text('Domain'), text('Role'), ...[...columns, 'ST-D', '95% interval'].map(number)],
    [row('source', source), ...targets.map((target) => row('target', target, target.sourceTargetDrop))],
    "A drop is a share of the original's accuracy, negative where protection gained. ST-D is the source's drop " +
      "over the target's: a small one says nothing where the target's drop is small too.",
  );
}

function together({ targets, meanTargetDrop, ratioOfMeans, meanOfRatios }: DropFigures): Block[] {
  if (targets.length < 2) return [];
  const row = (name: string, shown: Estimate, give: (value: number | null | undefined) => string) => [
    name,
    give(shown.value),
    between(shown, give),
  ];
  return [
    table(
      'All targets',
      [text('Figure'), number('Value'), number('95% interval')],
      [
        row('Mean drop', meanTargetDrop, percent),
        row('ST-D, ratio of the means', ratioOfMeans, figure),
        row('ST-D, mean of the ratios', meanOfRatios, figure),
      ],
    ),
  ];
}

function pairs({ source, targets }: DropFigures): Block {
  return table(
    'Samples by who is right',
    [text('Domain'), ...['Both', 'Original alone', 'Protected alone', 'Neither', 'Samples'].map(number)],
    [source, ...targets].map(({ domain, pairs, original }) => [
      domain,
      ...[pairs.both, pairs.onlyFirst, pairs.onlySecond, pairs.neither, original.samples].map(count),
    ]),
  );
}
