/** What ran now, and of what ran before on the same machine what did not. */
export function mergePerformance(before, now) {
  const { loadAverage: _, ...machine } = now.machine;
  const isSame = Object.entries(machine).every(([what, value]) => before?.machine[what] === value);
  if (!isSame) return now;
  const merge = (list) => {
    const kept = before[list].map(
      (one) => now[list].find(({ name }) => name === one.name) ?? { date: before.date, ...one },
    );
    const added = now[list].filter(({ name }) => !before[list].some((one) => one.name === name));
    return [...kept, ...added];
  };
  return { ...now, contests: merge('contests'), cases: merge('cases') };
}

// The page that shows what `npm run bench -- --publish` measured.
export function renderPerformance({ machine, date, cases, contests }) {
  const { cpu, cores, threads, memoryGigabytes, system, loadAverage } = machine;
  return [
    '# Performance',
    '',
    'Races against PyTorch on one machine in one run, written by `npm run bench -- --publish` from',
    '`docs/performance.json`. Each trial is a process of its own, the sides are interleaved, and a race between sides',
    'that do not agree on the result has no figure. Medians with quartiles; ratios above 1 mean that Espalier is faster,',
    'with the 95 % bootstrap interval of the ratio of medians.',
    '',
    `${cpu}, ${cores} cores, ${threads} threads, ${memoryGigabytes} GB, ${system}; load ${loadAverage.before.toFixed(1)} before and ${loadAverage.after.toFixed(1)} after; ${date.slice(0, 10)}.`,
    ...(contests.length > 0
      ? ['', '## Operators', '', 'Both sides called from Python, in turns within a process.']
      : []),
    ...contests.flatMap(contest),
    ...(cases.length > 0
      ? [
          '',
          '## From Node',
          '',
          'Our side from Node, the other from Python.',
          '',
          ...table(cases),
          ...notes(cases),
        ]
      : []),
    '',
  ].join('\n');
}

function contest({ name, weights, instructionSet, sides, leftOut, versions, date }) {
  const rows = Object.entries(sides).map(
    ([side, { median, quartiles, ratio, ratioInterval, gigabytesPerSecond, grownMegabytes }]) =>
      `| ${side} | ${ms(median)} (${quartiles.map(ms).join(' to ')}) | ${times(ratio)} (${ratioInterval.map(times).join(' to ')}) | ${gigabytesPerSecond?.toFixed(1) ?? ''} | ${grownMegabytes?.toFixed(1) ?? ''} |`,
  );
  const facts = Object.entries(versions)
    .map(([what, version]) => `${what} ${version}`)
    .join(', ');
  return [
    '',
    `### ${name}`,
    '',
    `${weights.toLocaleString('en-US')} weights, ${instructionSet}; ${facts}${date ? `; ${date.slice(0, 10)}` : ''}.`,
    '',
    '| side | median ms | times ours | GB/s | first call grew MiB |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    ...Object.entries(leftOut).map(([side, reason]) => `\nLeft out: ${side}: ${reason}.`),
  ];
}

function table(cases) {
  return [
    '| case | ours, ms | PyTorch, ms | PyTorch over ours | |',
    '| --- | --- | --- | --- | --- |',
    ...cases.map(
      ({ name, ours, pytorch, ratio, ratioInterval, date }) =>
        `| ${name} | ${ms(ours.median)} (${ours.quartiles.map(ms).join(' to ')}) | ${ms(pytorch.median)} (${pytorch.quartiles.map(ms).join(' to ')}) | ${times(ratio)} (${ratioInterval.map(times).join(' to ')}) | ${date.slice(0, 10)} |`,
    ),
  ];
}

function notes(cases) {
  if (!cases.some(({ name }) => name === 'ntl' || name === 'map')) return [];
  return [
    '',
    '`ntl` and `map` learn from mnist and mnist-m (3 x 32 x 32, 200 steps of 32 images of each, batch norms with held',
    'statistics; `-plain`: a network without batch norm), with the same start, batches and options on both sides.',
    "The five evaluations of 1,024 images count on both. PyTorch's tensors are channels-last in these four races, where",
    'that is faster for it, and in its default layout in the others. Both sides then call the same convolutions of',
    'oneDNN, about half of our step: that is what limits the ratio.',
  ];
}

const ms = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
const times = (value) => value.toFixed(2);
