// The page and the README's table of what `npm run bench -- --publish` measured.

/**
 * What ran now, of what ran before on the same machine what did not, and what other machines measured (`elsewhere`). The
 * page is about the machine that measured most.
 */
export function mergeBenchmarks(before, { failed = [], ...now }) {
  const { elsewhere = [], ...main } = before ?? now;
  const known = [main, ...elsewhere];
  const same = known.find(({ machine }) => isSame(machine, now.machine));
  const all = [same ? merged(same, now, failed) : now, ...known.filter((one) => one !== same)];
  const [first, ...others] = all.sort((one, other) => other.races.length - one.races.length);
  return others.length > 0 ? { ...first, elsewhere: others } : first;
}

const isSame = (one, other) => Object.entries(other).every(([what, value]) => one[what] === value);

function merged(before, now, failed) {
  const merge = (list) => {
    // A race that failed has no figure, not an older one.
    const kept = before[list]
      .filter(({ name }) => !failed.includes(name))
      .map((one) => now[list].find(({ name }) => name === one.name) ?? one);
    const added = now[list].filter(({ name }) => !before[list].some((one) => one.name === name));
    return [...kept, ...added];
  };
  return { ...now, races: merge('races'), readings: merge('readings') };
}

export function renderBenchmarks({ machine, date, races, readings, elsewhere = [] }, hasPlots) {
  const { cpu, cores, threads, device, memoryGigabytes, system } = machine;
  const of = (kind) => races.filter((race) => race.kind === kind);
  const picture = (name, alt) => (hasPlots ? ['', `![${alt}](images/${name}.svg)`] : []);
  return [
    '# Benchmarks',
    '',
    'Espalier against PyTorch on one machine, and in short on others, written by `npm run bench -- --publish` from',
    '`docs/benchmarks.json`. The sides have the same data, weights and steps, and take turns, A B B A; from Node each',
    'trial is a process of its own; operators have rounds within several processes. How many there were stands with each;',
    'by default seven trials where a side takes under ten seconds, three above. A race whose sides do not agree on the result has no figure. Medians with',
    'quartiles; ratios above 1 mean that Espalier is faster, with the 95 % bootstrap interval of the ratio of medians.',
    "PyTorch's sides are in [bench/pytorch](../bench/pytorch) and [bench/contests](../bench/contests). What limits each",
    'and what was tried: [performance.md](performance.md).',
    '',
    `${cpu}, ${cores} cores, ${threads} threads, ${memoryGigabytes} GB, ${system}, device ${device}; ${day(date)}.`,
    ...picture('benchmarks', 'How many times as long PyTorch takes, a race each'),
    ...section('From Node', 'Our side from Node, the others from Python.', of('node').flatMap(race)),
    ...section(
      'Operators',
      'All sides called from Python, in turns within a process.',
      of('operators').flatMap(race),
    ),
    ...section('Of us alone', undefined, readings.flatMap(reading)),
    ...(readings.some(({ name }) => name === 'scaling')
      ? picture('scaling', 'Milliseconds over millions of weights, layers, images a batch and classes')
      : []),
    ...section(
      'On other machines',
      'What was measured there, in short; nothing was left out for what it showed.',
      elsewhere.flatMap((one) => ['', renderShort(one)]),
    ),
    '',
  ].join('\n');
}

/** The short table: a row a race, its rivals beside each other. */
export function renderShort({ races, machine, date }) {
  const rows = races.map(({ name, title, sides }) => {
    const rivals = Object.entries(sides).filter(([side]) => side !== 'ours' && side !== 'copy');
    return `| \`${name}\` | ${title} | ${rivals.map(([side, { ratio }]) => `${side} ${times(ratio)}`).join(', ')} |`;
  });
  return [
    '| race | what | times ours |',
    '| --- | --- | --- |',
    ...rows,
    '',
    `${machine.cpu}, ${machine.cores} cores, ${day(date)}.`,
  ].join('\n');
}

const section = (title, words, lines) =>
  lines.length === 0 ? [] : ['', `## ${title}`, ...(words ? ['', words] : []), ...lines];

function race(each) {
  const { name, title, sides, leftOut, goals, versions, agreement } = each;
  const shown = {
    share: (side) => ('copy' in sides && side.gigabytesPerSecond ? percent(side, sides.copy) : ''),
    megabytes: ({ grownMegabytes, peakMegabytes }) => (grownMegabytes ?? peakMegabytes)?.toFixed(0) ?? '',
  };
  const hasBandwidth = Object.values(sides).some(({ gigabytesPerSecond }) => gigabytesPerSecond);
  const hasCompile = Object.values(sides).some(({ compileSeconds }) => compileSeconds !== undefined);
  const header = [
    'side',
    'median ms (quartiles)',
    'least',
    'times ours (95 %)',
    'goal',
    each.kind === 'operators' ? 'first call grew, MiB' : 'peak, MiB',
    ...(hasBandwidth ? ['GB/s', "share of a copy's"] : []),
    ...(hasCompile ? ['compiling, s'] : []),
  ];
  const rows = Object.entries(sides).map(([side, figures]) => [
    side,
    `${ms(figures.median)} (${figures.quartiles.map(ms).join(' to ')})`,
    ms(figures.min),
    side === 'ours' ? '' : `${times(figures.ratio)} (${figures.ratioInterval.map(times).join(' to ')})`,
    goal(goals[side], figures.ratio),
    shown.megabytes(figures),
    ...(hasBandwidth ? [figures.gigabytesPerSecond?.toFixed(1) ?? '', shown.share(figures)] : []),
    ...(hasCompile ? [figures.compileSeconds?.toFixed(0) ?? ''] : []),
  ]);
  return [
    '',
    `### ${name}`,
    '',
    `${capital(title)}. ${facts(each, versions, agreement)}; ${taken(each)}.`,
    '',
    ...table(header, rows),
    ...Object.entries(leftOut).map(([side, reason]) => `\nLeft out: ${side}: ${reason}.`),
  ];
}

const taken = ({ size, loadAverage: { before, after }, date }) =>
  `${size} grid; load ${before.toFixed(1)} before and ${after.toFixed(1)} after; ${day(date)}`;

function facts({ weights, instructionSet, seed, data, sides }, versions, { difference, tolerance }) {
  const all = Object.assign({}, ...Object.values(versions));
  return [
    ...(weights ? [`${weights.toLocaleString('en-US')} weights, ${instructionSet}`] : []),
    Object.entries(all)
      .map(([what, version]) => `${what} ${version}`)
      .join(', '),
    `seed ${seed}`,
    `${sides.ours.rounds.length} rounds a side`,
    ...(data ? [`samples ${data.slice(0, 12)}`] : []),
    `sides differ by ${difference.toPrecision(2)}, ${tolerance} allowed`,
  ].join('; ');
}

function reading(each) {
  const { name, title, series, figures, goals, versions } = each;
  const about = Object.entries(versions).map(([what, version]) => `${what} ${version}`);
  return [
    '',
    `### ${name}`,
    '',
    `${capital(title)}. ${about.join(', ')}; ${taken(each)}.`,
    ...(Object.keys(figures).length > 0
      ? [
          '',
          ...table(
            ['figure', 'median', 'goal'],
            Object.entries(figures).map(([figure, value]) => [
              figure,
              Number(value.toPrecision(3)),
              goals[figure] === undefined
                ? ''
                : `at most ${goals[figure]}: ${value <= goals[figure] ? 'reached' : 'missed'}`,
            ]),
          ),
        ]
      : []),
    ...(series.length > 0
      ? [
          '',
          ...table(
            ['', 'threads', 'ms'],
            series.map(({ title, x, threads, points }) => [
              `${title}, by ${x}`,
              threads,
              points.map((point) => `${point.x}: ${ms(point.median)}`).join(', '),
            ]),
          ),
        ]
      : []),
  ];
}

// The name of a method keeps its letters.
const capital = (title) => (/^[a-z]+\./.test(title) ? title : `${title[0].toUpperCase()}${title.slice(1)}`);
const goal = (least, ratio) =>
  least === undefined ? '' : `${times(least)}: ${ratio >= least ? 'reached' : 'missed'}`;
const percent = (side, copy) => `${Math.round((100 * side.gigabytesPerSecond) / copy.gigabytesPerSecond)} %`;
const ms = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
const times = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
const day = (date) => date.slice(0, 10);
const table = (header, rows) =>
  [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
