import { stylesheet } from './learningCurves.mjs';

// Pictures of what `npm run bench -- --publish` measured; one file for light and dark, in the colours of a report's page.
const kWidth = 460;
const kRow = 16;
const kPanel = { width: 250, height: 190 };

/** { name: SVG }. */
export async function drawBenchmarks({ races, readings }) {
  const series = readings.flatMap((reading) => reading.series);
  return {
    ...(races.length > 0 ? { benchmarks: await drawRaces(races) } : {}),
    ...(series.length > 0 ? { scaling: await drawSeries(series) } : {}),
  };
}

async function drawRaces(races) {
  const rows = races.flatMap(({ name, sides, goals }) =>
    Object.entries(sides)
      .filter(([side]) => !['ours', 'copy'].includes(side))
      .map(
        ([
          side,
          {
            ratio,
            ratioInterval: [low, high],
          },
        ]) => ({
          row: `${name}: ${side}`,
          ratio,
          low,
          high,
          goal: goals[side],
        }),
      ),
  );
  const y = {
    field: 'row',
    type: 'nominal',
    sort: rows.map(({ row }) => row),
    title: null,
    axis: { labelLimit: 0, ticks: false, grid: false },
  };
  const x = (field) => ({
    field,
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: { title: "PyTorch's time over ours", values: [0.5, 1, 2, 3, 5, 10, 30, 100, 300], format: '~g' },
  });
  return await draw('How many times as long PyTorch takes', {
    size: { width: kWidth, height: kRow * rows.length },
    data: { values: rows },
    layer: [
      { mark: { type: 'rule', color: 'var(--ink)' }, encoding: { x: { datum: 1, type: 'quantitative' } } },
      {
        mark: { type: 'rule', color: 'var(--accent)', strokeWidth: 3, opacity: 0.5 },
        encoding: { y, x: x('low'), x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 45, color: 'var(--accent)' },
        encoding: { y, x: x('ratio') },
      },
      {
        transform: [{ filter: 'isValid(datum.goal)' }],
        mark: { type: 'tick', color: 'var(--muted)', thickness: 2 },
        encoding: { y, x: x('goal') },
      },
    ],
  });
}

async function drawSeries(series) {
  const titles = [...new Set(series.map(({ title }) => title))];
  const panels = titles.map((title) => {
    const own = series.filter((each) => each.title === title);
    const values = own.flatMap(({ threads, points }) =>
      points.map(({ x, median }) => ({ x, median, threads: `${threads} thread${threads > 1 ? 's' : ''}` })),
    );
    const axis = (field, name, format) => ({
      field,
      type: 'quantitative',
      scale: { type: 'log', nice: false },
      axis: { title: name, format, tickCount: 5 },
    });
    return {
      ...kPanel,
      title: { text: title, color: 'var(--ink)', fontSize: 12, fontWeight: 'normal', anchor: 'start' },
      data: { values },
      mark: { type: 'line', point: true },
      encoding: {
        x: axis('x', own[0].x, '~s'),
        y: axis('median', 'ms', '~g'),
        color: {
          field: 'threads',
          type: 'nominal',
          scale: { range: ['var(--accent)', 'var(--series-2)'] },
          legend: { title: null, labelColor: 'var(--ink)', orient: 'top' },
        },
      },
    };
  });
  return await draw('How time grows', { concat: panels, columns: 2 });
}

async function draw(alt, { size, ...specification }) {
  const { frame } = await import('../../dist/lib/report/charts.js');
  const { colours } = await import('../../dist/lib/report/style.js');
  const { toSvg } = await import('../../dist/lib/report/svg.js');
  const { width, height, ...common } = frame(size?.width ?? 1, size?.height ?? 1);
  const svg = await toSvg({
    ...common,
    ...(size ?? {}),
    ...specification,
    autosize: 'pad',
    padding: { left: 12, top: 8, right: 16, bottom: 12 },
  });
  return svg.replace(
    /(<svg[^>]*)>/,
    (_, open) => `${open} role="img" aria-label="${alt}">${stylesheet(colours)}`,
  );
}
