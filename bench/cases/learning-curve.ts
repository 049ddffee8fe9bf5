import { evaluate, Model, prune } from '../../lib/index.js';
import { tell } from '../trial.js';
import { stripes } from './data.js';

// Ten trainings of 150 steps: five sizes, the model with its zeros held and fresh weights.
const threads = Number(process.argv[2]);
const { domain, digest } = await stripes(4096);
const fresh = await Model.create('convnet', { classes: 10, widths: [16, 32, 64], seed: 1 });
const { model } = await prune.magnitude(fresh, { sparsity: 0.5, seed: 1, threads });
const start = performance.now();
const { report } = await evaluate.sampleWiseLearningCurve(model, { domain, seeds: 1, seed: 1, threads });
const ms = performance.now() - start;
tell(ms, report.figures.images, report, digest);
