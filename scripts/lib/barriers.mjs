import { stylesheet } from './learningCurves.mjs';

// The picture of a reproduction of barriers: for each model its accuracy on the source and on the target, mean of the
// seeds with one standard deviation about it. One file for light and dark: it carries the colours of a report's page.
const kNames = new Set(['ntl', 'ntl-norms', 'map', 'map-norms']);
const kWidth = 480;
const kRow = 30;
const kModels = {
  trained: 'trained',
  control: 'trained on, no target',
  'bound, cap over the batch': 'NTL, cap over the batch',
  'bound, no discrepancy': 'NTL, no discrepancy',
  bound: 'NTL',
  'masked, cap over the batch': 'MAP, cap over the batch',
  masked: 'MAP',
  'masked, pseudo-labels': 'MAP, no labels of the target',
  'source-free': 'MAP, source-free',
  'data-free': 'MAP, data-free',
};
const kDomains = { source: 'Source (mnist)', target: 'Target (mnist-m)' };

/** SVG of one such JSON file; undefined for a reproduction of something else. */
export async function drawBarriers({ name, measurements, seeds }) {
  if (!kNames.has(name)) return undefined;
  const rows = Object.entries(kModels).flatMap(([label, model]) => {
    const found = measurements.filter((of) => of.label === label);
    return found.length === 0
      ? []
      : Object.entries(kDomains).map(([key, domain]) => ({
          model,
          domain,
          ...around(found.map(({ figures }) => figures[key] / 100)),
        }));
  });
  const models = [...new Set(rows.map(({ model }) => model))];
  const { frame } = await import('../../dist/lib/report/charts.js');
  const { colours } = await import('../../dist/lib/report/style.js');
  const { toSvg } = await import('../../dist/lib/report/svg.js');
  const alt = `Accuracy on source and target of ${models.length} models, mean of ${seeds.length} seeds`;
  const y = {
    field: 'model',
    type: 'nominal',
    sort: models,
    title: null,
    axis: { labelLimit: 0, ticks: false },
  };
  const x = (field) => ({
    field,
    type: 'quantitative',
    scale: { domain: [0, 1], nice: false },
    axis: { title: 'Accuracy', format: '.0%', tickCount: 5 },
  });
  const svg = await toSvg({
    ...frame(kWidth, kRow * models.length),
    autosize: 'pad',
    padding: { left: 12, top: 8, right: 16, bottom: 12 },
    data: { values: rows },
    layer: [
      {
        mark: { type: 'rule', color: 'var(--muted)', opacity: 0.35 },
        encoding: { y, x: { aggregate: 'min', ...x('mean') }, x2: { aggregate: 'max', field: 'mean' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: { y, x: x('low'), x2: { field: 'high' }, color: colour },
      },
      {
        mark: { type: 'point', filled: true, size: 110, opacity: 1 },
        encoding: { y, x: x('mean'), color: colour },
      },
    ],
  });
  return svg.replace(
    /(<svg[^>]*)>/,
    (_, open) => `${open} role="img" aria-label="${alt}">${stylesheet(colours)}`,
  );
}

const colour = {
  field: 'domain',
  type: 'nominal',
  scale: { domain: Object.values(kDomains), range: ['var(--accent)', 'var(--series-2)'] },
  legend: { title: null, labelLimit: 0, orient: 'top' },
};

function around(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
  return { mean, low: mean - deviation, high: mean + deviation };
}
