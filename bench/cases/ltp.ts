import { prune } from '../../lib/index.js';
import { asked, tell } from '../trial.js';
import { stepsOf } from './digits.js';

// Steps in which thresholds are learned; the same start and batches as bench/pytorch/ltp.py.
const { threads, device, args } = asked();
const [batchSize = 0, steps = 0] = args.map(Number);
const options = {
  epochs: 1,
  fineTuneEpochs: 0,
  batchSize,
  lambda: 1e-7,
  temperature: 0.01,
  thresholdRule: 'plain',
  thresholdRate: 1e-6,
  optimizer: { learningRate: 0.0003, momentum: 0.9 },
  keepZeros: false,
  refreshBatches: 0,
  seed: 1,
  threads,
  device,
} as const;
const { ms, report, digest } = await stepsOf(
  { net: 'resnet18', steps, batchSize, select: 8 },
  ({ model, source }) => prune.learnedThreshold(model, { domain: source, ...options }),
);
tell(ms, report.figures.epochs[0]?.loss ?? Number.NaN, report, digest);
