import { authorize } from '../../lib/index.js';
import { asked, tell, timed } from '../trial.js';
import { digits } from './digits.js';

const kFeatureLayers: { [net: string]: string } = { transfer: '5', plain: '3' };

/** Trains a network away from a target, with the options of bench/pytorch/ntl.py and the same batches. */
async function race(): Promise<void> {
  const { threads, device, args } = asked();
  const [net = ''] = args;
  const { source, target, model, digest } = await digits(net, threads);
  const options = {
    variant: 'targetSpecified',
    source,
    target,
    alpha: 1,
    beta: 1,
    capTarget: 5,
    capOver: 'sample',
    capDiscrepancy: 1,
    reduction: 'batchMean',
    featureLayer: kFeatureLayers[net] as string,
    kernels: { count: 5, factor: 2 },
    batchNorm: 'frozen',
    steps: 200,
    batchSize: 32,
    learningRate: 1e-3,
    learningRateDecay: 1,
    weightDecay: 0,
    readings: 1,
    sourceFloor: 1, // every iterate holds it: the last is returned
    refreshBatches: 0,
    control: false,
    keepZeros: false,
    precision: 'float32',
    seed: 1,
    threads,
    device,
  } as const;
  const { ms, result } = await timed(() => authorize.nonTransferableLearning(model, options));
  const { sourceLoss, targetLoss } = result.report.figures.readings[0] ?? {};
  tell(ms, ((sourceLoss ?? Number.NaN) + (targetLoss ?? Number.NaN)) / 2, result.report, digest);
}

await race();
