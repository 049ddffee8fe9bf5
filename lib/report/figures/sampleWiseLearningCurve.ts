import * as z from 'zod';
import { type Block, number, table } from '../blocks.js';
import { lines, shaded } from '../charts.js';
import { count, figure, percent, plural } from '../format.js';
import type { AnyReport } from '../report.js';
import { domainName, modelName } from '../words.js';
import { presenter } from './presenter.js';

const spread = z.object({ mean: z.number(), deviation: z.number(), values: z.array(z.number()) });
const point = z.object({ samples: z.number(), accuracy: spread });
const curveFigures = z.object({
  baseline: z.string(),
  area: z.object({ ln: spread, log10: spread, normalized: spread }),
  curves: z.object({ model: z.array(point), baseline: z.array(point) }),
  trainings: z.number(),
});
type CurveFigures = z.infer<typeof curveFigures>;

const give = (value: number, deviation: number) => `${figure(value)} ± ${figure(deviation)}`;

/** What `evaluate.sampleWiseLearningCurve` reports. */
export const sampleWiseLearningCurve = presenter(curveFigures, (figures, report) => {
  const { ln, log10, normalized } = figures.area;
  const seeds = plural(ln.values.length, 'seed');
  return {
    title: `Learning curve of ${modelName(report)} on ${domainName(report)}`,
    summary: summary(figures, report),
    highlights: [
      {
        label: 'SLC-AUC',
        value: figure(ln.mean),
        note: `natural logarithm, ± ${figure(ln.deviation)}, ${seeds}`,
      },
      { label: 'SLC-AUC, decadic', value: figure(log10.mean), note: `± ${figure(log10.deviation)}` },
      {
        label: 'Mean gap in accuracy',
        value: percent(normalized.mean),
        note: `± ${percent(normalized.deviation)}`,
      },
    ],
    blocks: curves(figures),
  };
});

function summary({ baseline, area, trainings }: CurveFigures, report: AnyReport): string {
  const than = baseline === 'model' ? 'the baseline model' : `training from ${baseline.replaceAll('-', ' ')}`;
  const verdict = area.ln.mean > 0 ? 'gets more than by' : 'gets no more than by';
  return (
    `Whoever fine-tunes ${modelName(report)} on ${domainName(report)} ${verdict} ${than}, ` +
    `under the same protocol (${plural(trainings, 'training')}).`
  );
}

function curves({ curves, area }: CurveFigures): Block[] {
  const rows = curves.model.map(({ samples, accuracy }, i) => {
    const other = curves.baseline[i]?.accuracy ?? accuracy;
    return [
      count(samples),
      `${percent(accuracy.mean)} ± ${percent(accuracy.deviation)}`,
      `${percent(other.mean)} ± ${percent(other.deviation)}`,
      percent(accuracy.mean - other.mean),
    ];
  });
  const accuracies = table('Learning curves', ['Samples', 'Model', 'Baseline', 'Gap'].map(number), rows);
  const named = { Model: curves.model, Baseline: curves.baseline };
  const data = Object.entries(named).flatMap(([series, points]) =>
    points.map(({ samples, accuracy }) => ({ x: samples, y: accuracy.mean, series })),
  );
  const between = curves.model.map(({ samples, accuracy }, i) => ({
    x: samples,
    low: accuracy.mean,
    high: curves.baseline[i]?.accuracy.mean ?? accuracy.mean,
  }));
  const areas = table(
    'Area between the curves',
    ['Axis', 'Mean ± deviation', 'By seed'].map(number),
    Object.entries({ 'ln(samples)': area.ln, 'log10(samples)': area.log10, normalised: area.normalized }).map(
      ([axis, { mean, deviation, values }]) => [axis, give(mean, deviation), values.map(figure).join(', ')],
    ),
  );
  const highest = Math.max(...data.map(({ y }) => y));
  const specification = shaded(lines(data, { x: 'Samples', y: 'Accuracy' }, 'percent'), between, highest);
  const alt = `Accuracy over the samples of model and baseline at ${plural(rows.length, 'size')}`;
  return [{ kind: 'chart', title: 'Learning curves', alt, specification, table: accuracies }, areas];
}
