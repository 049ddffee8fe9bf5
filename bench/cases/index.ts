/** A race: bench/cases/NAME.ts is our side, bench/pytorch/NAME.py the other. */
export interface Case {
  name: string;
  /** How far the two sides' check figures may lie apart, by `difference`. */
  tolerance: number;
  difference: (ours: number, pytorch: number) => number;
}

const absolute = (a: number, b: number) => Math.abs(a - b);

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
];
