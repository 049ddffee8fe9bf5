import { authorize, Model } from '../../lib/index.js';
import { asked, tell, timed, zerosOf } from '../trial.js';
import { stripes } from './data.js';

const kUsual = {
  images: 4096,
  targetHead: { steps: 100, refreshSteps: 20 },
  iterations: 4,
  stepsPerIteration: 50,
  polishSteps: 100,
};
// As much of a network that takes fourteen times as long would be no short race.
const kSmaller = {
  images: 1024,
  targetHead: { steps: 10, refreshSteps: 4 },
  iterations: 2,
  stepsPerIteration: 8,
  polishSteps: 10,
  refreshBatches: 4,
};
const kAttackers = {
  simulated: { attacker: 'simulated' },
  none: { attacker: 'none', alphaTarget: 0.1, lambdaFisher: 100 },
} as const;

/** Protects a fresh network in as many steps, evaluations and passes over batches as bench/pytorch/ntp.py. */
async function race(): Promise<void> {
  const { threads, device, args } = asked();
  const [attacker, architecture] = args as [keyof typeof kAttackers, 'convnet' | 'resnet20'];
  const { images, ...steps } = architecture === 'convnet' ? kUsual : kSmaller;
  const { domain: source, digest } = await stripes(images);
  const { domain: target } = await stripes(images, 1);
  const fresh = await Model.create(architecture, {
    classes: 10,
    seed: 1,
    ...(architecture === 'convnet' ? { widths: [16, 32, 64] } : {}),
  });
  const options = {
    source,
    target,
    sparsity: 0.9,
    ...steps,
    ...kAttackers[attacker],
    seed: 1,
    threads,
    device,
  } as const;
  const { ms, result } = await timed(() => authorize.nonTransferablePruning(fresh, options));
  tell(ms, zerosOf(result.report.figures.layers), result.report, digest);
}

await race();
