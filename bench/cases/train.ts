import { train } from '../../lib/index.js';
import { asked, tell } from '../trial.js';
import { stepsOf } from './digits.js';

// Steps of SGD with momentum; the same start and batches as bench/pytorch/train.py.
const { threads, device, args } = asked();
const [net, precision] = args as [string, 'float32' | 'bfloat16'];
const steps = Number(args[2]);
const [batchSize, select] = net === 'resnet18' ? [32, 128] : [128, 512];
const options = {
  epochs: 1,
  batchSize,
  optimizer: {
    kind: 'sgd',
    learningRate: net === 'resnet18' ? 0.0003 : 0.05,
    momentum: 0.9,
    nesterov: false,
    weightDecay: 0,
  },
  schedule: { kind: 'constant' },
  precision,
  seed: 1,
  threads,
  device,
} as const;
const { ms, report, digest } = await stepsOf({ net, steps, batchSize, select }, ({ model, source }) =>
  train.supervised(model, { domain: source, ...options }),
);
tell(ms, report.figures.epochs[0]?.loss ?? Number.NaN, report, digest);
