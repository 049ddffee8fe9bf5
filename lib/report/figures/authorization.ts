import * as z from 'zod';
import { type Block, type HeatMap, number, table, text } from '../blocks.js';
import { bars, lines, shaded } from '../charts.js';
import { count, duration, figure, interval, isNumber, percent, percentInWords, plural } from '../format.js';
import { type AnyReport, isObject } from '../report.js';
import { bindingFigures, effects, needs, points } from './binding.js';
import { presenter } from './presenter.js';

const share = z.object({ accuracy: z.number(), interval: z.array(z.number()) });
const course = z.object({
  samples: z.number(),
  labels: z.number(),
  images: z.number(),
  seconds: z.number(),
  readings: z.array(z.object({ steps: z.number(), accuracy: share })),
  costFactor: z.number().nullable(),
});
const curve = z.object({
  attack: z.string(),
  courses: z.array(course),
  areas: z.array(z.object({ steps: z.number(), ln: z.number() })),
});
export const authorizationFigures = z.object({
  verdict: z.object({
    outcome: z.enum(['unknown', 'holds', 'delays', 'fails']),
    cheapest: z
      .object({
        attack: z.string(),
        samples: z.number(),
        steps: z.number(),
        accuracy: z.number(),
        scratch: z.number(),
        costFactor: z.number(),
      })
      .nullable(),
    sourceDrop: z.number(),
    comparable: z.number(),
  }),
  binding: bindingFigures.optional(),
  method: z.string().nullable(),
  sparsity: z.number(),
  steps: z.number(),
  scratch: z.array(course),
  original: curve,
  attacks: z.array(curve),
  leftOut: z.array(z.object({ attack: z.string(), reason: z.string() })).default([]),
  controls: z.array(
    z.object({
      control: z.string(),
      notRun: z.string().nullable(),
      sparsity: z.number(),
      areaHeld: z.number().nullable(),
      areaReleased: z.number().nullable(),
    }),
  ),
  unseen: z.array(
    z.object({
      domain: z.string(),
      areaOriginal: z.number().nullable(),
      areaHeld: z.number().nullable(),
    }),
  ),
  matrix: z.object({
    models: z.array(z.string()),
    domains: z.array(z.string()),
    cells: z.array(z.array(share)),
  }),
  layers: z.array(z.object({ path: z.string(), weights: z.number(), zeros: z.number() })),
});
type Figures = z.infer<typeof authorizationFigures>;
type Curve = z.infer<typeof curve>;
type Course = z.infer<typeof course>;

const names: { [attack: string]: string } = {
  'fine-tune': 'Fine-tuning, mask held',
  'release-mask': 'Fine-tuning, mask released',
  'fresh-head': 'Fresh head, mask held',
  'fresh-head-released': 'Fresh head, mask released',
  'fresh-batch-norm': 'Fresh batch norms, mask released',
  fast: 'Learning rate × 3, mask released',
  sgd: 'SGD, mask released',
  'source-repair': 'A little source data first',
  redensify: 'Pruned weights refilled',
  'retrain-head': 'Head alone',
  'linear-probe': 'Linear probe',
  'nearest-neighbour': 'Nearest neighbour',
  'batch-norm-adaptation': 'Batch norm statistics, no labels',
};
const nameOf = (attack: string) => names[attack] ?? attack;
const controls: { [control: string]: string } = {
  magnitude: 'Magnitude pruning',
  'terms-off': 'The same run, protecting terms off',
};

const nameOfControl = (control: string) => controls[control] ?? control;
const models: { [model: string]: string } = { original: 'Unprotected', protected: 'Protected' };

/** What `evaluate.authorization` reports. */
export const authorization = presenter(authorizationFigures, (figures, report) => ({
  title: `What the protected model is worth on ${targetOf(report)}`,
  summary: summary(figures, report),
  highlights: highlights(figures),
  blocks: [
    ...binding(figures),
    attacks(figures),
    compared(figures),
    matrix(figures),
    ...panels(figures),
    steps(figures),
    ...layers(figures),
  ],
}));

export const domainOf = (report: AnyReport, role: 'source' | 'target') => {
  const domain = report.inputs?.[role];
  return isObject(domain) && typeof domain.name === 'string' ? domain.name : `the ${role}`;
};
const targetOf = (report: AnyReport) => domainOf(report, 'target');

const atSteps = (of: Course, steps: number) =>
  of.readings.find((reading) => reading.steps === steps)?.accuracy.accuracy;
const last = (of: Course) => of.readings.at(-1);
export const areaAt = (of: Curve, steps: number) => of.areas.find((area) => area.steps === steps)?.ln;

function summary(figures: Figures, report: AnyReport): string {
  const { verdict, steps } = figures;
  const { cheapest, comparable } = verdict;
  const target = targetOf(report);
  const cost = `It costs its owner ${points(verdict.sourceDrop)} of accuracy on ${domainOf(report, 'source')}.`;
  if (comparable === 0) {
    return `Nothing can be said: after ${count(steps)} steps training from scratch itself has learnt too little on ${target} with any number of samples. ${cost}`;
  }
  const longest = Math.max(
    ...figures.attacks.flatMap(({ courses }) => courses.map((of) => last(of)?.steps ?? 0)),
  );
  if (cheapest === null) {
    return `No attack that was tried, of up to ${count(longest)} steps, gets from it what ${count(steps)} steps of training from scratch give on ${target} with the same samples. A longer or another attack may. ${cost}`;
  }
  const how = `${nameOf(cheapest.attack)} on ${plural(cheapest.samples, 'sample')}`;
  const got = `${percent(cheapest.accuracy)}, where ${count(steps)} steps from scratch give ${percent(cheapest.scratch)}`;
  return verdict.outcome === 'delays'
    ? `The protection delays, and does not prevent: on ${target} the cheapest attack that wins takes ${figure(cheapest.costFactor)} times the steps of training from scratch (${how}, ${count(cheapest.steps)} steps: ${got}). ${cost}`
    : `The protection fails on ${target}: ${how} gets ${got}, in no more steps (${count(cheapest.steps)}). ${cost}`;
}

function highlights({ verdict, attacks, original, matrix, steps, sparsity }: Figures) {
  // Its own domain comes first.
  const source = matrix.cells[matrix.models.indexOf('protected')]?.[0];
  const of = (name: string) => attacks.find(({ attack }) => attack === name);
  const area = (name: string) => {
    const found = of(name);
    return found === undefined ? undefined : areaAt(found, steps);
  };
  return [
    ...(verdict.comparable === 0
      ? [{ label: 'Verdict', value: verdict.outcome, note: 'scratch learns too little to compare' }]
      : [
          { label: 'Verdict', value: verdict.outcome },
          {
            label: 'Cost factor of the cheapest attack',
            value: verdict.cheapest === null ? 'none wins' : figure(verdict.cheapest.costFactor),
            note: 'its steps over those of scratch',
          },
        ]),
    {
      label: 'SLC-AUC, mask held',
      value: figure(area('fine-tune')),
      note: `unprotected ${figure(areaAt(original, steps))}, ${plural(steps, 'step')}`,
    },
    { label: 'SLC-AUC, mask released', value: figure(area('release-mask')) },
    {
      label: 'Source accuracy lost',
      value: points(verdict.sourceDrop),
      ...(source && { note: `${percent(source.accuracy)} left, ${interval(source.interval)}` }),
    },
    { label: 'Sparsity', value: percent(sparsity) },
  ];
}

function binding({ binding }: Figures): Block[] {
  if (binding === undefined) return [];
  const entries = [...effects, ...needs].map(({ label, value }) => ({ label, value: value(binding) }));
  return [{ kind: 'facts', title: 'What the binding keeps, takes and needs', entries }];
}

// One line an attack, at the most samples; a factor a number of samples.
function attacks({ attacks, leftOut, original, scratch, steps }: Figures): Block {
  const sizes = scratch.map(({ samples }) => samples);
  const row = (label: string, of: Curve) => {
    const most = of.courses.at(-1);
    const factors = of.courses.map(({ costFactor }) =>
      of.attack === 'scratch' ? '' : isNumber(costFactor) ? figure(costFactor) : '–',
    );
    return [
      label,
      percent(most && (atSteps(most, steps) ?? last(most)?.accuracy.accuracy)),
      percent(most && last(most)?.accuracy.accuracy),
      count(most && last(most)?.steps),
      count(most?.labels),
      duration((most?.seconds ?? 0) * 1000),
      figure(areaAt(of, steps)),
      ...factors,
    ];
  };
  const fresh = { attack: 'scratch', courses: scratch, areas: [] };
  const missing = leftOut.map(({ attack, reason }) => ` ${nameOf(attack)} was left out: ${reason}.`);
  return table(
    'Attacks',
    [
      text('Attack'),
      number(`After ${count(steps)} steps`),
      number('At the end'),
      ...['Steps', 'Labels', 'Time', 'SLC-AUC', ...sizes.map((size) => `Factor, ${count(size)}`)].map(number),
    ],
    [
      row('From scratch', fresh),
      row('Unprotected model, fine-tuned', original),
      ...attacks.map((of) => row(nameOf(of.attack), of)),
    ],
    `Accuracies, steps, labels and time at ${count(sizes.at(-1))} samples. Factor: steps at the first reading as good as ${count(steps)} steps from scratch with as many samples, over those; a dash where none is, or where scratch learns too little. An attack of another length is as it ends.${missing.join('')}`,
  );
}

function compared({ controls: rows, attacks, original, unseen, sparsity, steps }: Figures): Block {
  const of = (name: string) => {
    const found = attacks.find(({ attack }) => attack === name);
    return found === undefined ? undefined : areaAt(found, steps);
  };
  const missing = rows.flatMap(({ control, notRun }) =>
    notRun === null ? [] : [` ${nameOfControl(control)} was not run: ${notRun}.`],
  );
  return table(
    'Compared',
    [text('Model'), ...['Sparsity', 'SLC-AUC held', 'SLC-AUC released'].map(number)],
    [
      ['Protected', percent(sparsity), figure(of('fine-tune')), figure(of('release-mask'))],
      ['Unprotected', percent(0), figure(areaAt(original, steps)), ''],
      ...rows.map((row) =>
        row.notRun === null
          ? [
              nameOfControl(row.control),
              percent(row.sparsity),
              figure(row.areaHeld),
              figure(row.areaReleased),
            ]
          : [nameOfControl(row.control), '', '', 'not run'],
      ),
      ...unseen.flatMap(({ domain, areaOriginal, areaHeld }) => [
        [`Protected, on ${domain} (never seen)`, percent(sparsity), figure(areaHeld), ''],
        [`Unprotected, on ${domain}`, percent(0), figure(areaOriginal), ''],
      ]),
    ],
    `Area between the learning curve and that of training from scratch, over ln(samples), after ${plural(steps, 'step')} each; positive: the model helps.${missing.join('')}`,
  );
}

function matrix({ matrix }: Figures): HeatMap {
  return {
    kind: 'heat',
    title: 'Accuracy without any training',
    note: 'With its 95% interval.',
    rowNoun: 'Model',
    columnNoun: 'domain',
    columns: matrix.domains,
    rows: matrix.models.map((model, i) => ({
      label: models[model] ?? nameOfControl(model),
      cells: (matrix.cells[i] ?? []).map((at) => ({
        value: at.accuracy,
        text: percent(at.accuracy),
        note: interval(at.interval),
      })),
    })),
  };
}

// A small picture an attack: its learning curve, and the area to that of scratch; all on one scale.
function panels({ attacks, scratch, steps }: Figures): Block[] {
  if (scratch.length < 2) return [];
  const end = (course: Course) => atSteps(course, steps) ?? last(course)?.accuracy.accuracy ?? 0;
  const samples = scratch.map((course) => course.samples);
  const highest = Math.max(...[scratch, ...attacks.map(({ courses }) => courses)].flat().map(end));
  const numbers = table(
    `Learning curves after ${plural(steps, 'step')}`,
    [text('Attack'), ...samples.map((n) => number(plural(n, 'sample')))],
    [
      ['From scratch', ...scratch.map((course) => percent(end(course)))],
      ...attacks.map((of) => [nameOf(of.attack), ...of.courses.map((course) => percent(end(course)))]),
    ],
    'An attack that is not trained, or not for so many steps, is as it ends.',
  );
  return attacks.map((of) => {
    const points = (courses: Course[], series: string) =>
      courses.map((course) => ({ x: course.samples, y: end(course), series }));
    const data = [...points(scratch, 'From scratch'), ...points(of.courses, 'Attack')];
    const between = of.courses.map((course, i) => ({
      x: course.samples,
      low: end(course),
      high: end(scratch[i] ?? course),
    }));
    return {
      kind: 'chart',
      half: true,
      title: nameOf(of.attack),
      note: `SLC-AUC ${figure(areaAt(of, steps))}`,
      alt: `Accuracy over the samples after ${nameOf(of.attack).toLowerCase()}, and from scratch`,
      specification: (width) => ({
        ...shaded(lines(data, { x: 'Samples', y: 'Accuracy' }, 'percent'), between, highest)(width),
        height: 150,
      }),
      table: numbers,
    };
  });
}

// A barrier may be slower optimisation and no more: the same attack along its steps.
function steps({ attacks, original, scratch }: Figures): Block {
  const trained = attacks.filter(({ courses }) => (courses[0]?.readings.length ?? 0) > 1);
  const named: [string, Course | undefined][] = [
    ['From scratch', scratch.at(-1)],
    ['Unprotected', original.courses.at(-1)],
    ...trained
      .filter(({ attack }) => ['fine-tune', 'release-mask'].includes(attack))
      .map(({ attack, courses }): [string, Course | undefined] => [
        attack === 'fine-tune' ? 'Mask held' : 'Mask released',
        courses.at(-1),
      ]),
  ];
  const data = named.flatMap(([series, of]) =>
    (of?.readings ?? []).map(({ steps, accuracy }) => ({ x: steps, y: accuracy.accuracy, series })),
  );
  const all = [
    ['From scratch', scratch] as const,
    ['Unprotected', original.courses] as const,
    ...trained.map(({ attack, courses }) => [nameOf(attack), courses] as const),
  ];
  const stops = (scratch[0]?.readings ?? []).map(({ steps }) => steps);
  return {
    kind: 'chart',
    title: `Along the steps, ${plural(scratch.at(-1)?.samples ?? 0, 'sample')}`,
    alt: 'Accuracy over the steps of scratch, of the unprotected and of the protected model',
    specification: lines(data, { x: 'Steps', y: 'Accuracy' }, 'percent'),
    table: table(
      'Along the steps',
      [text('Training'), number('Samples'), ...stops.map((at) => number(`${count(at)} steps`))],
      all.flatMap(([label, courses]) =>
        courses.map((of) => [label, count(of.samples), ...stops.map((at) => percent(atSteps(of, at)))]),
      ),
    ),
  };
}

function layers({ layers, sparsity }: Figures): Block[] {
  if (layers.length === 0) return [];
  const data = layers.map(({ path, weights, zeros }) => ({
    label: path,
    share: zeros / weights,
    text: percent(zeros / weights),
  }));
  return [
    {
      kind: 'chart',
      title: 'Sparsity by layer',
      alt: data.map(({ label, text }) => `${label}: ${text}`).join('; '),
      specification: bars(data, 'Share of weights that are zero', {
        share: sparsity,
        text: `overall ${percentInWords(sparsity)}`,
      }),
      table: table(
        'Sparsity by layer',
        [text('Weight'), ...['Weights', 'Zeros', 'Sparsity'].map(number)],
        layers.map(({ path, weights, zeros }, i) => [
          path,
          count(weights),
          count(zeros),
          data[i]?.text ?? '',
        ]),
      ),
    },
  ];
}
