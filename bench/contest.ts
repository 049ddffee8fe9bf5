import path from 'node:path';
import type { Setting } from './setting.js';
import { figuresOf, type Race } from './sides.js';
import { interpreter, lastLine, root } from './trial.js';

/** What one process of bench/contests/NAME.py prints: several sides, interleaved, from the same inputs. */
interface Told {
  times: Record<string, number[]>;
  grownMegabytes: Record<string, number>;
  compileSeconds: Record<string, number>;
  agreement: { difference: number; tolerance: number };
  weights: number;
  bytesMoved: Record<string, number>;
  leftOut: Record<string, string>;
  instructionSet: string;
  versions: Record<string, string>;
  seed: number;
}

/** The operators against PyTorch, both called from Python. */
export interface Contest {
  name: string;
  title: string;
  script: string;
  args: string[];
  goals: Record<string, number>;
  /** Not in the short form: a race from Node has it too. */
  fullOnly?: boolean;
}

const masked = (kind: 'sgd' | 'adam', millions?: number): Contest => ({
  name: `masked-${kind}${millions ? `-${millions}m` : ''}`,
  title: `a step of ${kind === 'sgd' ? 'SGD with momentum' : 'Adam'} under masks, 10 % kept`,
  script: `masked-${kind}`,
  args: millions ? ['--millions', String(millions)] : [],
  goals:
    kind === 'sgd'
      ? { 'fused + foreach mask': 1.6, 'fused + bool masks': 2.2, 'prune style': 3 }
      : { 'fused + foreach mask': 1.5 },
});

const selection = (millions: number): Contest => ({
  name: `selection-${millions}m`,
  title: 'masks that cut the 90 % of least magnitude, all tensors together',
  script: 'selection',
  args: ['--millions', String(millions)],
  goals: { 'prune.global_unstructured': 300, 'cat + kthvalue': 30, 'cat + topk': 30 },
});

export const contests: Contest[] = [
  masked('sgd'),
  masked('sgd', 100),
  masked('adam'),
  masked('adam', 100),
  {
    name: 'ltp-step',
    title: 'gates, threshold gradients and update of learned thresholds, ResNet-18, denormals flushed',
    script: 'ltp-step',
    args: [],
    goals: { eager: 10, compiled: 2.5, 'compiled formula': 2.5 },
  },
  selection(25),
  selection(100),
  {
    name: 'resnet18-step',
    title: 'a whole training step of ResNet-18, batch 32, our operators called from Python',
    script: 'resnet18-step',
    fullOnly: true,
    args: [],
    goals: { dense: 1 / 1.03, eager: 1 },
  },
];

const kProcesses = 3;

/** Each trial is a process of its own; the rounds of all trials are taken together. */
export async function contest(
  { name, title, script, args, goals }: Contest,
  setting: Setting,
  { tiny = false } = {},
): Promise<Race> {
  const told: Told[] = [];
  const program = path.join(root, 'bench/contests', `${script}.py`);
  const { threads, device } = setting;
  const given = [program, '--threads', String(threads), '--device', device];
  for (let i = 0; i < (setting.trials ?? kProcesses); i++)
    told.push(await lastLine<Told>(interpreter(), [...given, ...(tiny ? ['--tiny'] : args)], threads));
  const first = told[0];
  if (!first) throw new Error(`expected at least one trial of ${name}, received ${setting.trials}`);
  const { tolerance } = first.agreement;
  const difference = Math.max(...told.map(({ agreement }) => agreement.difference));
  // A race between sides that compute different things has no figure.
  if (!(difference <= tolerance))
    throw new Error(`${name}: the sides differ by ${difference}, expected at most ${tolerance}`);
  const rounds = (side: string) => told.flatMap((one) => one.times[side] ?? []);
  const most = (list: 'grownMegabytes' | 'compileSeconds', side: string) => {
    const values = told.flatMap((one) => one[list][side] ?? []);
    return values.length > 0 ? { [list]: Math.max(...values) } : {};
  };
  const sides: Race['sides'] = {};
  for (const side of Object.keys(first.times)) {
    const figures = figuresOf(rounds(side), rounds('ours'));
    const bytes = first.bytesMoved[side];
    sides[side] = {
      ...figures,
      ...(bytes === undefined ? {} : { gigabytesPerSecond: bytes / figures.median / 1e6 }),
      ...most('grownMegabytes', side),
      ...most('compileSeconds', side),
    };
  }
  const { versions, leftOut, weights, instructionSet, seed } = first;
  return {
    name,
    title,
    kind: 'operators',
    unit: 'ms',
    date: new Date().toISOString(),
    device,
    seed,
    data: null,
    versions: Object.fromEntries(Object.keys(sides).map((side) => [side, versions])),
    agreement: { difference, tolerance },
    goals,
    sides,
    leftOut,
    weights,
    instructionSet,
  };
}
