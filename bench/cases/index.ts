import { node, type Program, python } from '../trial.js';
import { writeNet } from './digits.js';

/** A race from Node: programs of bench/cases and bench/pytorch that do the same. */
export interface Case {
  name: string;
  title: string;
  sides: Record<string, Program>;
  /** How far the check figures of the sides may lie apart from ours, by `difference`. */
  tolerance: number;
  difference: (ours: number, other: number) => number;
  /** Sides that compute something else, shown beside it. */
  controls?: string[];
  /** The least ratio that is aimed at, by side. */
  goals: Record<string, number>;
  /** Sample domains that it needs. */
  samples?: string[];
  /** Writes into a folder what all sides need; their arguments for it. */
  prepare?: (folder: string) => Promise<string[]>;
  /** About the machine's start: there is nothing of a device in it. */
  cpuOnly?: boolean;
  /** Not in the short form, which has another of its kind. */
  fullOnly?: boolean;
}

export const OURS = 'ours';

const absolute = (a: number, b: number) => Math.abs(a - b);
const relative = (a: number, b: number) => Math.abs(a - b) / Math.abs(b);
const samples = ['mnist', 'mnist-m'];

/** Ours against one plain eager program. */
const duel = (script: string, goal: number, ...args: string[]) => ({
  sides: { [OURS]: node(script, ...args), eager: python(script, ...args) },
  goals: { eager: goal },
});

/** Steps of a network of bench/pytorch/nets.py: the mean loss tells whether both did the same. */
const training = (
  net: string,
  precision: 'float32' | 'bfloat16',
  steps: number,
  goals: Case['goals'],
): Case => ({
  name: `train-${net}${precision === 'float32' ? '' : '-bf16'}`,
  title: `${steps} steps of supervised training of ${net}, ${precision}`,
  sides: {
    [OURS]: node('train', net, precision, String(steps)),
    eager: python('train', net, precision, String(steps), 'eager'),
    compiled: python('train', net, precision, String(steps), 'compiled'),
  },
  goals,
  tolerance: precision === 'float32' ? 0.01 : 0.05,
  difference: relative,
  samples: ['mnist'],
});

/** Training with learned thresholds. */
const learnedThreshold = (batch: number, steps: number): Case => ({
  name: `ltp-resnet18-${batch}`,
  title: `${steps} steps of prune.learnedThreshold, ResNet-18, batches of ${batch} of 3 x 32 x 32`,
  sides: {
    [OURS]: node('ltp', String(batch), String(steps)),
    'dense step': python('ltp', String(batch), String(steps), 'dense'),
    eager: python('ltp', String(batch), String(steps), 'ltp'),
  },
  controls: ['dense step'],
  goals: { 'dense step': 1 / 1.03, eager: 1 },
  tolerance: 0.05,
  difference: relative,
  samples: ['mnist'],
});

export const cases: Case[] = [
  {
    name: 'prune-global',
    title: 'prune.magnitude of ResNet-18, all layers together, against prune.global_unstructured',
    ...duel('prune-global', 1),
    tolerance: 0,
    difference: absolute,
  },
  training('convnet', 'float32', 16, { eager: 1.5, compiled: 1 }),
  training('convnet', 'bfloat16', 16, { eager: 1.5, compiled: 1 }),
  training('resnet18', 'float32', 20, { eager: 1.05, compiled: 1 }),
  training('resnet18', 'bfloat16', 32, { eager: 1.05, compiled: 1 }),
  learnedThreshold(32, 20),
  learnedThreshold(128, 5),
  {
    name: 'evaluate-domains',
    title: 'evaluate.domains: three models on four domains',
    sides: {
      [OURS]: node('evaluate-domains'),
      'DataLoader loop': python('evaluate-domains', 'loader'),
      eager: python('evaluate-domains', 'eager'),
      frozen: python('evaluate-domains', 'frozen'),
    },
    goals: { 'DataLoader loop': 5, eager: 1.3, frozen: 1 },
    // Right answers of all cells; rounding decides on images between two classes.
    tolerance: 0.002,
    difference: relative,
  },
  {
    name: 'ntp',
    title: 'authorize.nonTransferablePruning with the simulated attacker, convnet',
    ...duel('ntp', 2, 'simulated', 'convnet'),
    tolerance: 0,
    difference: absolute,
  },
  {
    name: 'ntp-published',
    title: 'authorize.nonTransferablePruning as published, convnet',
    ...duel('ntp', 2, 'none', 'convnet'),
    tolerance: 0,
    difference: absolute,
    fullOnly: true,
  },
  {
    name: 'ntp-resnet20',
    title: 'authorize.nonTransferablePruning with the simulated attacker, ResNet-20',
    ...duel('ntp', 2, 'simulated', 'resnet20'),
    tolerance: 0,
    difference: absolute,
  },
  {
    name: 'learning-curve',
    title: 'evaluate.sampleWiseLearningCurve, five sizes',
    ...duel('learning-curve', 3),
    // Images that all trainings saw.
    tolerance: 0,
    difference: absolute,
  },
  ...['transfer', 'plain'].flatMap((net): Case[] => [
    {
      name: net === 'plain' ? 'ntl-plain' : 'ntl',
      title: `authorize.nonTransferableLearning, ${net === 'plain' ? 'no batch norm' : 'batch norms held'}`,
      ...duel('ntl', 2, net),
      fullOnly: net === 'plain',
      // Mean loss over all steps and both domains: the same batches, so that only rounding tells them apart.
      tolerance: 0.01,
      difference: relative,
      samples,
    },
    {
      name: net === 'plain' ? 'map-plain' : 'map',
      title: `authorize.maskPruning, ${net === 'plain' ? 'no batch norm' : 'batch norms held'}`,
      ...duel('map', 2, net),
      fullOnly: net === 'plain',
      // Weights that the learned mask cuts; rounding decides on those close to the threshold.
      tolerance: 0.02,
      difference: relative,
      samples,
    },
  ]),
  {
    name: 'start',
    title: 'a fresh process loads the addon (torch), a ResNet-18, and gives one answer',
    sides: { [OURS]: node('start'), 'import torch': python('start') },
    prepare: async (folder) => [await writeNet(folder, 'resnet18')],
    goals: { 'import torch': 2 },
    tolerance: 1e-5,
    difference: relative,
    cpuOnly: true,
  },
];
