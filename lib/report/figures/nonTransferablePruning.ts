import * as z from 'zod';
import { type Block, type Highlight, number, table, text } from '../blocks.js';
import { lines, type Point } from '../charts.js';
import { count, figure, isNumber, percent, percentInWords, plural } from '../format.js';
import { type AnyReport, isObject } from '../report.js';
import { trials } from '../tradeOff.js';
import { modelName } from '../words.js';
import { layerSparsity, layers } from './magnitude.js';
import { presenter } from './presenter.js';
import { maybe } from './share.js';

const terms = {
  sourceLoss: maybe,
  targetLoss: maybe,
  fisherRatio: maybe,
  discrepancy: maybe,
  attackerLoss: maybe,
  gate: maybe,
};

/** What `authorize.nonTransferablePruning` reports. */
const schema = z.object({
  sparsity: z.number(),
  layers,
  source: z.object({ before: z.number(), after: z.number(), floor: z.number(), held: z.boolean() }),
  targets: z.array(
    z.object({ domain: z.string(), before: maybe, after: maybe, fisherBefore: maybe, fisherAfter: maybe }),
  ),
  iterations: z.array(
    z.object({
      iteration: z.number(),
      step: z.number(),
      ...terms,
      penalty: maybe,
      sparsity: z.number(),
      primalResidual: z.number(),
      dualResidual: z.number(),
    }),
  ),
  polish: z.array(
    z.object({ step: z.number(), ...terms, sourceAccuracy: z.number(), holdsFloor: z.boolean() }),
  ),
  frontier: z.array(
    z.object({
      strength: z.number(),
      sourceAccuracy: z.number(),
      holdsFloor: z.boolean(),
      attackedAccuracy: z.number(),
      chosen: z.boolean(),
    }),
  ),
});
type Figures = z.infer<typeof schema>;

export const nonTransferablePruning = presenter(schema, (figures, report) => ({
  title: `Non-transferable pruning to ${percentInWords(figures.sparsity)}`,
  summary: summary(figures, report),
  highlights: highlights(figures),
  blocks: [
    targets(figures),
    ...frontier(figures),
    ...losses(figures),
    ...admm(figures),
    ...polish(figures),
    ...layerSparsity(figures.layers, figures.sparsity),
  ],
}));

function sourceName({ inputs }: AnyReport): string {
  const source = inputs?.source;
  return isObject(source) && typeof source.name === 'string' ? source.name : 'its source';
}

function summary({ source, targets, iterations }: Figures, report: AnyReport): string {
  const against = targets.map(({ domain }) => domain).join(', ');
  const floor = source.held
    ? `which holds the floor of ${percent(source.floor)}`
    : `below the floor of ${percent(source.floor)}: protect less, prune less, or polish longer`;
  return (
    `Pruned ${modelName(report)} in ${plural(iterations.length, 'iteration')} of ADMM so that it serves ` +
    `${sourceName(report)} and hinders training on ${against}. On ${sourceName(report)} it went from ` +
    `${percent(source.before)} to ${percent(source.after)}, ${floor}. What an attack reaches is not said here: ` +
    'measure it with evaluate.authorization.'
  );
}

function highlights({ source, sparsity, targets }: Figures): Highlight[] {
  const drop = (source.before - source.after) * 100;
  return [
    { label: 'Source accuracy', value: percent(source.after), note: `${drop.toFixed(1)} points lost` },
    { label: 'Sparsity', value: percent(sparsity), note: 'of the encoder' },
    ...targets
      .slice(0, 2)
      .flatMap(({ domain, before, after }) =>
        isNumber(after)
          ? [{ label: `On ${domain}, untrained`, value: percent(after), note: `${percent(before)} before` }]
          : [],
      ),
  ];
}

function targets({ targets }: Figures): Block {
  return table(
    'Targets, before anybody trains on them',
    [text('Domain'), ...['Accuracy before', 'Accuracy after', 'Fisher ratio before', 'after'].map(number)],
    targets.map((row) => [
      row.domain,
      percent(row.before),
      percent(row.after),
      figure(row.fisherBefore),
      figure(row.fisherAfter),
    ]),
  );
}

function frontier({ frontier, source }: Figures): Block[] {
  if (frontier.length === 0) return [];
  return [
    {
      kind: 'chart',
      title: 'Frontier: what each strength costs, and what it buys',
      note: 'On select data: further down the attack reaches less, to the left the source has lost more. The attack is a short fine-tuning on the first target; the dashed line is the floor, the filled point was returned.',
      alt: `Accuracy after the attack over accuracy on the source, for ${plural(frontier.length, 'strength')}`,
      specification: trials(frontier, source.floor),
      table: table(
        'Strengths that were tried',
        [number('Strength'), number('Source accuracy'), number('Accuracy attacked'), text('Floor'), text('')],
        frontier.map((row) => [
          figure(row.strength),
          percent(row.sourceAccuracy),
          percent(row.attackedAccuracy),
          row.holdsFloor ? 'holds' : 'broken',
          row.chosen ? 'returned' : '',
        ]),
      ),
    },
  ];
}

type Term = keyof typeof terms;

// Terms of one unit share a picture; those that were off have none.
const pictures: { title: string; y: string; series: { [name: string]: Term } }[] = [
  {
    title: 'Losses',
    y: 'Loss, nats',
    series: { Source: 'sourceLoss', Target: 'targetLoss', Attacker: 'attackerLoss' },
  },
  { title: 'Fisher ratio of the target', y: 'Ratio', series: { 'Fisher ratio': 'fisherRatio' } },
  { title: 'Discrepancy of source and target', y: 'MMD', series: { Discrepancy: 'discrepancy' } },
  { title: 'Gate of the push against the attacker', y: 'Share open', series: { Gate: 'gate' } },
];

function losses({ iterations }: Figures): Block[] {
  if (iterations.length < 2) return [];
  const numbers = table(
    'Losses',
    ['Iteration', 'Source', 'Target', 'Fisher ratio', 'Discrepancy', 'Attacker', 'Gate'].map(number),
    iterations.map((row) => [
      count(row.iteration),
      figure(row.sourceLoss),
      figure(row.targetLoss),
      figure(row.fisherRatio),
      figure(row.discrepancy),
      figure(row.attackerLoss),
      figure(row.gate),
    ]),
  );
  return pictures.flatMap(({ title, y, series }) => {
    const data: Point[] = Object.entries(series).flatMap(([name, term]) =>
      iterations.flatMap((row) => {
        const value = row[term];
        return isNumber(value) ? [{ x: row.iteration, y: value, series: name }] : [];
      }),
    );
    if (data.length === 0) return [];
    return [
      {
        kind: 'chart' as const,
        half: true as const,
        title,
        alt: `${title} over ${plural(iterations.length, 'iteration')}`,
        specification: lines(data, { x: 'Iteration', y }, 'number'),
        table: numbers,
      },
    ];
  });
}

function admm({ iterations }: Figures): Block[] {
  if (iterations.length < 2) return [];
  const data: Point[] = iterations.flatMap((row) => [
    { x: row.iteration, y: row.primalResidual, series: 'Primal residual' },
    { x: row.iteration, y: row.dualResidual, series: 'Dual residual' },
    { x: row.iteration, y: row.sparsity, series: 'Sparsity' },
  ]);
  return [
    {
      kind: 'chart',
      half: true,
      title: 'ADMM',
      alt: `Residuals and sparsity over ${plural(iterations.length, 'iteration')}`,
      specification: lines(data, { x: 'Iteration', y: 'Share' }, 'number'),
      table: table(
        'ADMM',
        ['Iteration', 'Sparsity', 'Primal residual', 'Dual residual', 'Penalty'].map(number),
        iterations.map((row) => [
          count(row.iteration),
          percent(row.sparsity),
          figure(row.primalResidual),
          figure(row.dualResidual),
          figure(row.penalty),
        ]),
      ),
    },
  ];
}

function polish({ polish }: Figures): Block[] {
  if (polish.length === 0) return [];
  return [
    table(
      'Polish under the final mask',
      [number('Step'), number('Source loss'), number('Attacker'), number('Source accuracy'), text('Floor')],
      polish.map((row) => [
        count(row.step),
        figure(row.sourceLoss),
        figure(row.attackerLoss),
        percent(row.sourceAccuracy),
        row.holdsFloor ? 'holds' : 'broken',
      ]),
    ),
  ];
}
