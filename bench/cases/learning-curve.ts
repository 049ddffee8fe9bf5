import { evaluate, Model, prune } from '../../lib/index.js';
import { asked, tell, timed } from '../trial.js';
import { stripes } from './data.js';

// Trainings of 150 steps: five sizes, a model with its zeros held and fresh weights; three models and seeds in full.
const { threads, device, size } = asked();
const times = size === 'full' ? 3 : 1;
const { domain, digest } = await stripes(4096);
const fresh = await Model.create('convnet', { classes: 10, widths: [16, 32, 64], seed: 1 });
const { model } = await prune.magnitude(fresh, { sparsity: 0.5, seed: 1, threads });
const { ms, result } = await timed(async () => {
  const reports = [];
  for (let i = 0; i < times; i++) reports.push(await curve());
  return reports;
});
const [first] = result;
const images = result.reduce((sum, { figures }) => sum + figures.images, 0);
if (first !== undefined) tell(ms, images, first, digest);

async function curve() {
  return (await evaluate.sampleWiseLearningCurve(model, { domain, seeds: times, seed: 1, threads, device }))
    .report;
}
