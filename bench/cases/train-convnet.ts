import { evaluate, Model, train } from '../../lib/index.js';
import { tell } from '../trial.js';
import { stripes } from './data.js';

// Two epochs, each followed by an evaluation of all samples; PyTorch's side does the same.
const threads = Number(process.argv[2]);
const { domain, digest } = await stripes(4096);
const fresh = await Model.create('convnet', { classes: 10, widths: [32, 64, 128], seed: 1 });
const start = performance.now();
const { model } = await train.supervised(fresh, {
  domain,
  epochs: 2,
  batchSize: 128,
  optimizer: { learningRate: 0.05 },
  seed: 1,
  threads,
});
const ms = performance.now() - start;
const { report } = await evaluate.accuracy(model, { domain, seed: 1, threads });
tell(ms, report.figures.accuracy, report, digest);
