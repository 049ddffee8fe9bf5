import { train } from '../../lib/index.js';
import { asked, tell } from '../trial.js';
import { digitsWithFresh } from './digits.js';

// SGD with momentum, an evaluation an epoch; the same start, batches and steps as bench/pytorch/train.py.
const { threads, device, args } = asked();
const [net = '', precision] = args as [string, 'float32' | 'bfloat16'];
const [counts, batchSize, epochs] =
  net === 'resnet18'
    ? ([{ fit: 512, select: 128 }, 32, 1] as const)
    : ([{ fit: 2048, select: 512 }, 128, 1] as const);
const { source, model, digest } = await digitsWithFresh(net, counts);
const options = {
  epochs,
  batchSize,
  optimizer: {
    kind: 'sgd',
    learningRate: net === 'resnet18' ? 0.001 : 0.05,
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
// PyTorch's side has had a step and an evaluation too.
const few = await digitsWithFresh(net, { fit: batchSize, select: 128 });
await train.supervised(few.model, { domain: few.source, ...options, epochs: 1 });
const start = performance.now();
const { report } = await train.supervised(model, { domain: source, ...options });
const ms = performance.now() - start;
const losses = report.figures.epochs.map(({ loss }) => loss);
tell(ms, losses.reduce((sum, loss) => sum + loss, 0) / losses.length, report, digest);
