import type { NonTransferablePruningOptions } from '../../lib/authorize/nonTransferablePruning.js';
import { authorize, Model } from '../../lib/index.js';
import { tell, zerosOf } from '../trial.js';
import { stripes } from './data.js';

/** Protects a fresh convnet in as many steps, evaluations and passes over batches as bench/pytorch/ntp.py. */
export async function raceProtection(
  options: Pick<NonTransferablePruningOptions, 'attacker' | 'alphaTarget' | 'lambdaFisher'>,
): Promise<void> {
  const threads = Number(process.argv[2]);
  const { domain: source, digest } = await stripes(4096);
  const { domain: target } = await stripes(4096, { inverted: true });
  const fresh = await Model.create('convnet', { classes: 10, widths: [16, 32, 64], seed: 1 });
  const start = performance.now();
  const { report } = await authorize.nonTransferablePruning(fresh, {
    source,
    target,
    sparsity: 0.9,
    targetHead: { steps: 100, refreshSteps: 20 },
    iterations: 4,
    stepsPerIteration: 50,
    polishSteps: 100,
    ...options,
    seed: 1,
    threads,
  });
  const ms = performance.now() - start;
  tell(ms, zerosOf(report.figures.layers), report, digest);
}
