// The picture of a reproduction: its learning curves, each the mean over the seeds with one standard deviation
// about it, over the samples. One file for light and dark: it carries the colours of a report's page.
// Of the axes; the names stand to the right of them.
const kWidth = 540;
const kHeight = 400;
// Less between two names at the right edge, as a share of the height, and they would touch.
const kLeast = 0.052;

const kCurves = [
  { label: 'transfer', name: 'Unprotected model', colour: 'var(--ink)' },
  { label: 'magnitude, held', name: 'Magnitude pruning, mask held', colour: 'var(--series-3)' },
  {
    label: 'simulated attacker, released',
    name: 'Protected, mask released',
    colour: 'var(--accent)',
    dash: [6, 4],
  },
  { label: 'fresh weights', name: 'Fresh weights', colour: 'var(--muted)', dash: [2, 3] },
  { label: 'published, held', name: 'As published, mask held', colour: 'var(--series-2)' },
  { label: 'simulated attacker, held', name: 'Protected, mask held', colour: 'var(--accent)' },
];

/** SVG of the curves of one such JSON file; undefined for a reproduction that has none of them. */
export async function drawLearningCurves({ measurements, seeds }) {
  const curves = kCurves
    .map((curve) => ({ ...curve, points: pointsOf(measurements, `curve: ${curve.label}`) }))
    .filter(({ points }) => points.length > 0);
  if (curves.length < kCurves.length) return undefined;
  const { frame } = await import('../../dist/lib/report/charts.js');
  const { colours } = await import('../../dist/lib/report/style.js');
  const { toSvg } = await import('../../dist/lib/report/svg.js');
  const alt = `Accuracy over the samples of the attacker, mean of ${seeds.length} seeds`;
  const svg = await toSvg({
    ...frame(kWidth, kHeight),
    autosize: 'pad',
    padding: { left: 12, top: 16, right: 0, bottom: 12 },
    layer: [...curves.map(layer), names(curves)],
  });
  return svg.replace(
    /(<svg[^>]*)>/,
    (_, open) => `${open} role="img" aria-label="${alt}">${stylesheet(colours)}`,
  );
}

export const stylesheet = (colours) =>
  `<style>${colours}svg { background: var(--card); } text { font-family: system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }</style>`;

function pointsOf(measurements, label) {
  const bySamples = new Map();
  for (const { figures } of measurements.filter((of) => of.label === label))
    for (const [key, accuracy] of Object.entries(figures)) {
      const samples = Number(key.replace('samples ', ''));
      bySamples.set(samples, [...(bySamples.get(samples) ?? []), accuracy]);
    }
  return [...bySamples].map(([samples, values]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
    return { samples, mean, low: mean - deviation, high: mean + deviation };
  });
}

const y = (field) => ({
  field,
  type: 'quantitative',
  scale: { domain: [0, 1], nice: false },
  axis: { title: 'Accuracy on the target', format: '.0%', tickCount: 5 },
});

function layer({ points, colour, dash }) {
  const samples = points.map((point) => point.samples);
  const x = {
    field: 'samples',
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: {
      title: 'Labelled samples of the target that the attacker has',
      values: samples,
      format: ',d',
      grid: false,
      labelFlush: false,
    },
  };
  return {
    data: { values: points },
    layer: [
      {
        mark: { type: 'area', color: colour, opacity: 0.13 },
        encoding: { x, y: y('low'), y2: { field: 'high' } },
      },
      {
        mark: {
          type: 'line',
          color: colour,
          strokeWidth: 2.5,
          ...(dash && { strokeDash: dash }),
          point: { filled: true, color: colour, size: 40, opacity: 1 },
        },
        encoding: { x, y: y('mean') },
      },
    ],
  };
}

// Each curve is named where it ends; names that would touch are moved apart, in the order of the curves.
function names(curves) {
  const ends = curves.map(({ name, colour, points }) => ({ name, colour, ...points.at(-1) }));
  ends.sort((a, b) => b.mean - a.mean);
  let above = Number.POSITIVE_INFINITY;
  for (const end of ends) {
    end.at = Math.min(end.mean, above - kLeast);
    above = end.at;
  }
  return {
    data: { values: ends },
    mark: { type: 'text', align: 'left', dx: 12, fontSize: 13, fontWeight: 600 },
    encoding: {
      x: { field: 'samples', type: 'quantitative' },
      y: y('at'),
      text: { field: 'name' },
      color: { field: 'colour', type: 'nominal', scale: null, legend: null },
    },
  };
}
