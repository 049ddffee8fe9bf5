/** A race: bench/cases/NAME.ts is our side, bench/pytorch/NAME.py the other. */
export interface Case {
  name: string;
  /** How far the two sides' check figures may lie apart, by `difference`. */
  tolerance: number;
  difference: (ours: number, pytorch: number) => number;
  /** Sample domains that it needs. */
  samples?: string[];
}

const absolute = (a: number, b: number) => Math.abs(a - b);
const relative = (a: number, b: number) => Math.abs(a - b) / Math.abs(b);
const samples = ['mnist', 'mnist-m'];

export const cases: Case[] = [
  // Zeros after global magnitude pruning of ResNet-18: exactly as many.
  { name: 'prune-global', tolerance: 0, difference: absolute },
  // Accuracy after two epochs on easy data: both have learned it.
  { name: 'train-convnet', tolerance: 0.05, difference: absolute },
  // Samples evaluated: all of them.
  { name: 'evaluate', tolerance: 0, difference: absolute },
  // Weights that non-transferable pruning cut: exactly as many.
  { name: 'ntp', tolerance: 0, difference: absolute },
  { name: 'ntp-published', tolerance: 0, difference: absolute },
  // Images that all trainings of a learning curve saw.
  { name: 'learning-curve', tolerance: 0, difference: absolute },
  // Mean loss over all steps and both domains: the same batches, so that only rounding tells them apart.
  { name: 'ntl', tolerance: 0.01, difference: relative, samples },
  { name: 'ntl-plain', tolerance: 0.01, difference: relative, samples },
  // Weights that the learned mask cuts; rounding decides on those close to the threshold.
  { name: 'map', tolerance: 0.02, difference: relative, samples },
  { name: 'map-plain', tolerance: 0.02, difference: relative, samples },
];
