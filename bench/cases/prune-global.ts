import { Model, prune } from '../../lib/index.js';
import { tell } from '../trial.js';

const threads = Number(process.argv[2]);
const model = await Model.create('resnet18', { classes: 10, seed: 1 });
await prune.magnitude(await Model.create('lenet5', { classes: 10, seed: 1 }), { sparsity: 0.5, threads });
const start = performance.now();
const { report } = await prune.magnitude(model, { sparsity: 0.9, seed: 1, threads });
tell(performance.now() - start, report.figures.totals.zeros, report);
