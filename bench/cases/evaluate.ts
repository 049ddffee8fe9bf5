import { evaluate, Model, train } from '../../lib/index.js';
import { tell } from '../trial.js';
import { stripes } from './data.js';

// A briefly trained network on 8,192 images; training is not timed.
const threads = Number(process.argv[2]);
const fresh = await Model.create('convnet', { classes: 10, widths: [32, 64, 128], seed: 1 });
const { model } = await train.supervised(fresh, {
  domain: (await stripes(1024)).domain,
  epochs: 2,
  seed: 1,
  threads,
});
const { domain, digest } = await stripes(8192);
await evaluate.accuracy(model, { domain: (await stripes(256)).domain, threads });
const start = performance.now();
const { report } = await evaluate.accuracy(model, { domain, seed: 1, threads });
tell(performance.now() - start, report.figures.samples, report, digest);
