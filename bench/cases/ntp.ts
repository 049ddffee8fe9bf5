import { authorize, Model } from '../../lib/index.js';
import { asked, tell, zerosOf } from '../trial.js';
import { stripes } from './data.js';

const kUsual = {
  targetHead: { steps: 100, refreshSteps: 20 },
  iterations: 4,
  stepsPerIteration: 50,
  polishSteps: 100,
};
// As many steps of a network that takes fourteen times as long would be no short race.
const kSmaller = {
  targetHead: { steps: 6, refreshSteps: 2 },
  iterations: 2,
  stepsPerIteration: 4,
  polishSteps: 5,
  refreshBatches: 2,
};
const kAttackers = {
  simulated: { attacker: 'simulated' },
  none: { attacker: 'none', alphaTarget: 0.1, lambdaFisher: 100 },
} as const;

/** Protects a fresh network in as many steps, evaluations and passes over batches as bench/pytorch/ntp.py. */
async function race(): Promise<void> {
  const { threads, device, args } = asked();
  const [attacker, architecture] = args as [keyof typeof kAttackers, 'convnet' | 'resnet20'];
  const { domain: source, digest } = await stripes(4096);
  const { domain: target } = await stripes(4096, 1);
  const fresh = await Model.create(architecture, {
    classes: 10,
    seed: 1,
    ...(architecture === 'convnet' ? { widths: [16, 32, 64] } : {}),
  });
  const start = performance.now();
  const { report } = await authorize.nonTransferablePruning(fresh, {
    source,
    target,
    sparsity: 0.9,
    ...(architecture === 'convnet' ? kUsual : kSmaller),
    ...kAttackers[attacker],
    seed: 1,
    threads,
    device,
  });
  const ms = performance.now() - start;
  tell(ms, zerosOf(report.figures.layers), report, digest);
}

await race();
