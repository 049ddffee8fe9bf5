// The page that shows what `npm run reproduce` measured.
export function renderReproductions(results) {
  return [
    '# Reproduction',
    '',
    'Figures that `npm run reproduce -- NAME` measured on real data, on the `report` role, on which nothing was',
    'chosen; mean and standard deviation over the seeds. This page is written by that command from the JSON files in',
    '`docs/reproduction/`.',
    ...results.flatMap(section),
    '',
  ].join('\n');
}

function section({ name, title, setting, seeds, seconds, machine, claims, measurements }) {
  const versions = Object.entries(machine.versions)
    .map(([what, version]) => `${what} ${version}`)
    .join(', ');
  return [
    '',
    `## ${title}`,
    '',
    `\`npm run reproduce -- ${name}\`: ${setting}`,
    '',
    `Seeds ${seeds.join(', ')}; ${Math.round(seconds / 60)} minutes on ${machine.cores} cores (${machine.cpu}); ${versions}.`,
    '',
    '| claim | measured | holds |',
    '| --- | --- | --- |',
    ...claims.map(
      ({ text, measured, holds, isGoal }) =>
        `| ${isGoal ? 'Goal: ' : ''}${text} | ${measured} | ${holds ? 'yes' : isGoal ? 'not reached' : '**no**'} |`,
    ),
    '',
    '| run | seed | figures |',
    '| --- | --- | --- |',
    ...measurements.map(
      ({ label, seed, figures }) =>
        `| ${label} | ${seed} | ${Object.entries(figures)
          .filter(([, value]) => typeof value === 'number')
          .map(([key, value]) => `${key} ${round(value)}`)
          .join(', ')} |`,
    ),
  ];
}

const round = (value) => (Math.abs(value) >= 10 ? value.toFixed(1) : Number(value.toPrecision(3)));
