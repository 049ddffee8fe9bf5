import { Model, prune } from '../../lib/index.js';
import { asked, tell, timed } from '../trial.js';

const { threads, device } = asked();
const options = { seed: 1, threads, device };
const model = await Model.create('resnet18', { classes: 10, seed: 1 });
await prune.magnitude(await Model.create('lenet5', { classes: 10, seed: 1 }), { sparsity: 0.5, ...options });
const { ms, result } = await timed(() => prune.magnitude(model, { sparsity: 0.9, ...options }));
tell(ms, result.report.figures.totals.zeros, result.report);
