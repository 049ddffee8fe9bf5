import { prune } from '../../lib/index.js';
import { asked, tell } from '../trial.js';
import { digitsWithFresh } from './digits.js';

// An epoch in which thresholds are learned, with all that a run does beside its steps; the same start and batches as
// bench/pytorch/ltp.py.
const { threads, device, args } = asked();
const batchSize = Number(args[0]);
const steps = batchSize <= 32 ? 16 : 5;
const options = {
  epochs: 1,
  fineTuneEpochs: 0,
  batchSize,
  lambda: 1e-7,
  temperature: 0.01,
  thresholdRule: 'plain',
  thresholdRate: 1e-6,
  optimizer: { learningRate: 0.001, momentum: 0.9 },
  keepZeros: false,
  refreshBatches: 0,
  seed: 1,
  threads,
  device,
} as const;
const few = await digitsWithFresh('resnet18', { fit: batchSize, select: 8 });
await prune.learnedThreshold(few.model, { domain: few.source, ...options });
const { source, model, digest } = await digitsWithFresh('resnet18', { fit: steps * batchSize, select: 8 });
const start = performance.now();
const { report } = await prune.learnedThreshold(model, { domain: source, ...options });
const ms = performance.now() - start;
tell(ms, report.figures.epochs[0]?.loss ?? Number.NaN, report, digest);
