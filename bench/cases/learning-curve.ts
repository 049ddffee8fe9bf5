import { evaluate, Model, prune } from '../../lib/index.js';
import { asked, tell } from '../trial.js';
import { stripes } from './data.js';

// Trainings of 150 steps: five sizes, a model with its zeros held and fresh weights; three models and seeds in full.
const { threads, device, size } = asked();
const times = size === 'full' ? 3 : 1;
const { domain, digest } = await stripes(4096);
const fresh = await Model.create('convnet', { classes: 10, widths: [16, 32, 64], seed: 1 });
const { model } = await prune.magnitude(fresh, { sparsity: 0.5, seed: 1, threads });
let images = 0;
const start = performance.now();
let told: Awaited<ReturnType<typeof curve>> | undefined;
for (let i = 0; i < times; i++) {
  told = await curve();
  images += told.figures.images;
}
const ms = performance.now() - start;
if (told !== undefined) tell(ms, images, told, digest);

async function curve() {
  return (await evaluate.sampleWiseLearningCurve(model, { domain, seeds: times, seed: 1, threads, device }))
    .report;
}
