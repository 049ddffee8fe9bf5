import type { Report } from '../../lib/report/index.js';

// Reports of every kind with figures as methods give them, for the tests of the renderings.

const digest = (digit: string) => digit.repeat(64);

function envelope<Figures extends object>(
  method: string,
  figures: Figures,
  over: object = {},
): Report<Figures> {
  return {
    format: 'espalier-report/1',
    method,
    options: { batchSize: 128, fineTune: { epochs: 2, learningRate: 0.05 }, exclude: [] },
    seed: 1,
    versions: { espalier: '0.1.0', libtorch: '2.13.0', node: '20.20.2' },
    machine: { cpu: 'Example CPU', cores: 8, threads: 4, device: 'cpu' },
    inputs: {
      model: { digest: digest('a'), architecture: 'convnet' },
      domain: {
        name: 'mnist',
        fit: { samples: 54000, digest: digest('b') },
        select: { samples: 6000, digest: digest('c') },
        report: null,
      },
    },
    startedAt: '2026-11-23T22:27:19.120Z',
    durationMs: 83_400,
    warnings: [],
    figures,
    ...over,
  };
}

export const trainingFigures = {
  epochs: Array.from({ length: 8 }, (_, i) => ({
    epoch: i + 1,
    loss: 0.42 * 0.55 ** i + 0.012,
    accuracy: 1 - 0.13 * 0.6 ** i,
    learningRate: 0.1 * (1 - i / 8),
    selectAccuracy: 1 - 0.09 * 0.7 ** i - 0.006,
    selectLoss: 0.3 * 0.6 ** i + 0.025,
  })),
  steps: 3376,
  finalLoss: 0.0185,
  best: { epoch: 7, selectAccuracy: 0.98341 },
  sparsity: 0,
};

export const training = envelope('train.supervised', trainingFigures);

const layers = [
  { path: 'features.0.conv', weights: 864, zeros: 221, sparsity: 0.2558, threshold: 0.0312 },
  { path: 'features.1.conv', weights: 18432, zeros: 14008, sparsity: 0.76, threshold: 0.0312 },
  { path: 'features.2.conv', weights: 73728, zeros: 67462, sparsity: 0.915, threshold: 0.0312 },
  { path: 'features.3.conv', weights: 147456, zeros: 137871, sparsity: 0.935, threshold: 0.0312 },
  { path: 'head', weights: 1280, zeros: 0, sparsity: 0, threshold: null },
];

export const pruning = envelope(
  'prune.magnitude',
  {
    sparsity: 0.9083,
    requested: 0.9,
    scope: 'global',
    structure: 'unstructured',
    layers,
    totals: { weights: 241760, zeros: 219562 },
    stages: [
      { sparsity: 0.6, epochs: 1 },
      { sparsity: 0.8, epochs: 1 },
      { sparsity: 0.9083, epochs: 1 },
    ],
    fineTune: { ...trainingFigures, sparsity: 0.9083 },
  },
  { warnings: ['other threads than those of the checkpoint: the bytes will differ'] },
);

/** Figures of one evaluation: `right` of a hundred samples a class, the rest taken for the next class. */
export function accuracyOf(right: number[]) {
  const classes = right.length;
  const confusion = right.map((n, i) =>
    right.map((_, j) => (j === i ? n : j === (i + 1) % classes ? 100 - n : 0)),
  );
  const hits = right.reduce((sum, n) => sum + n, 0);
  const accuracy = hits / (100 * classes);
  return {
    accuracy,
    interval: [Math.max(0, accuracy - 0.012), Math.min(1, accuracy + 0.011)] as [number, number],
    loss: 0.05 + (1 - accuracy) * 3,
    samples: 100 * classes,
    perClass: right.map((n, i) => ({
      class: i,
      accuracy: n / 100,
      samples: 100,
      interval: [Math.max(0, n / 100 - 0.04), Math.min(1, n / 100 + 0.02)] as [number, number],
    })),
    confusion,
    expectedCalibrationError: 0.0123,
    optimised: true,
    batchSize: 1000,
  };
}

const digits = [99, 98, 97, 99, 96, 98, 99, 97, 95, 98];

export const evaluation = envelope('evaluate.accuracy', accuracyOf(digits));

const models = ['convnet', 'pruned to 90%', 'pruned to 98%'];
const domains = ['mnist', 'optdigits', 'mnist-m', 'syn'];
const cells = models.map((_, i) =>
  domains.map((_, j) =>
    accuracyOf(digits.map((n, k) => Math.max(0, Math.round(n - j * 18 - i * j * 6 - ((j * k * 7) % 23))))),
  ),
);

export const matrix = envelope('evaluate.domains', { models, domains, cells });

const answers = (accuracy: number) => ({
  accuracy,
  interval: [accuracy - 0.01, accuracy + 0.01],
  right: Math.round(accuracy * 1000),
  samples: 1000,
});
const changed = (before: number, after: number) => ({
  before: answers(before),
  after: answers(after),
  lost: before - after,
  interval: [before - after - 0.01, before - after + 0.01],
  share: (before - after) / before,
});
const course = (samples: number, accuracies: number[]) => ({
  samples,
  labels: samples,
  images: 32 * 300,
  seconds: 4,
  readings: accuracies.map((accuracy, i) => ({ steps: 150 * (i + 1), accuracy: answers(accuracy) })),
  costFactor: null,
});
const curveOf = (attack: string, ln: number) => ({
  attack,
  courses: [course(60, [0.2, 0.3]), course(1000, [0.5, 0.6])],
  areas: [{ steps: 150, ln }],
});

interface Bound {
  method?: string | null;
  targetAfter?: number;
  data?: { source: number; target: number; targetLabels: boolean } | null;
  seconds?: number | null;
  revocable?: boolean | null;
  target?: string;
}

/** A model that was bound to mnist, against mnist-m or another target. */
export function authorization({
  method = 'authorize.nonTransferablePruning',
  targetAfter = 0.12,
  data = { source: 60000, target: 59001, targetLabels: true },
  seconds = 61.5,
  revocable = false,
  target = 'mnist-m',
}: Bound = {}) {
  return envelope(
    'evaluate.authorization',
    {
      verdict: { outcome: 'holds', cheapest: null, sourceDrop: 0.012, comparable: 2 },
      binding: {
        source: changed(0.981, 0.969),
        target: changed(0.48, targetAfter),
        areaHeld: -1.25,
        areaReleased: 0.375,
        data,
        seconds,
        revocable,
      },
      method,
      sparsity: 0.9,
      steps: 150,
      scratch: curveOf('scratch', 0).courses,
      original: curveOf('fine-tune', 2.5),
      attacks: [curveOf('fine-tune', -1.25), curveOf('release-mask', 0.375)],
      leftOut: [],
      controls: [{ control: 'terms-off', notRun: null, sparsity: 0.9, areaHeld: 1.5, areaReleased: 1.75 }],
      unseen: [],
      matrix: {
        models: ['original', 'protected'],
        domains: ['mnist', target],
        cells: [
          [answers(0.981), answers(0.48)],
          [answers(0.969), answers(targetAfter)],
        ],
      },
      layers: [{ path: 'head.weight', weights: 1280, zeros: 1152 }],
    },
    {
      options: { batchSize: 32, learningRate: 1e-3, reportSamples: null },
      inputs: {
        original: { digest: digest('a') },
        protected: { digest: digest('b') },
        source: { name: 'mnist', report: { samples: 10000, digest: digest('c') } },
        target: { name: target, report: { samples: 9001, digest: digest('d') } },
      },
    },
  );
}

/** A method that the renderings have never heard of. */
export const unknown = envelope('authorize.someLaterMethod', {
  sourceAccuracy: 0.981,
  targetDrop: 0.62,
  verdict: { authorised: true, statistic: 12.5 },
  layers: layers.map(({ path, sparsity, weights, zeros }) => ({ path, sparsity, weights, zeros })),
  history: Array.from({ length: 12 }, (_, i) => ({
    step: i * 100,
    sourceAccuracy: 0.6 + 0.03 * i,
    targetAccuracy: 0.5 - 0.03 * i,
    loss: 2 / (i + 1),
  })),
  grid: [
    [1, 2, 3],
    [4, 5, 6],
  ],
  before: accuracyOf(digits),
  seeds: [1, 2, 3],
});

export { envelope };
