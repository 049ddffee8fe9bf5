import { authorize } from '../../lib/index.js';
import { asked, tell, timed, zerosOf } from '../trial.js';
import { digits } from './digits.js';

/** Learns a mask over a network, with the options of bench/pytorch/map.py and the same batches. */
async function race(): Promise<void> {
  const { threads, device, args } = asked();
  const [net = ''] = args;
  const { source, target, model, digest } = await digits(net, threads);
  const options = {
    variant: 'sourceAvailable',
    source,
    target,
    targetLabels: 'given',
    lambda: 0.1,
    beta: 0.5,
    capOver: 'sample',
    scoreStart: 0.01,
    threshold: 0.005,
    learningRate: 5e-4,
    steps: 200,
    batchSize: 32,
    readings: 1,
    sourceFloor: 1, // every mask holds it: the last is returned
    keepHead: false,
    controls: false,
    precision: 'float32',
    seed: 1,
    threads,
    device,
  } as const;
  const { ms, result } = await timed(() => authorize.maskPruning(model, options));
  tell(ms, zerosOf(result.report.figures.layers), result.report, digest);
}

await race();
