import { Model, prune } from '../../lib/index.js';
import { asked, tell } from '../trial.js';

const { threads, device } = asked();
const options = { seed: 1, threads, device };
const model = await Model.create('resnet18', { classes: 10, seed: 1 });
await prune.magnitude(await Model.create('lenet5', { classes: 10, seed: 1 }), { sparsity: 0.5, ...options });
const start = performance.now();
const { report } = await prune.magnitude(model, { sparsity: 0.9, ...options });
tell(performance.now() - start, report.figures.totals.zeros, report);
