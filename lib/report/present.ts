import type { Facts, Presentation } from './blocks.js';
import { accuracy } from './figures/accuracy.js';
import { attack } from './figures/attack.js';
import { attackOverwrite } from './figures/attackOverwrite.js';
import { attackMaskGuess, attackPrune, attackQuantize } from './figures/attackRows.js';
import { authorization } from './figures/authorization.js';
import { contrastive } from './figures/contrastive.js';
import { domains } from './figures/domains.js';
import { presentAnything } from './figures/generic.js';
import { learnedThreshold } from './figures/learnedThreshold.js';
import { magnitude } from './figures/magnitude.js';
import { maskPruning } from './figures/maskPruning.js';
import { nonTransferableLearning } from './figures/nonTransferableLearning.js';
import { nonTransferablePruning } from './figures/nonTransferablePruning.js';
import type { Presenter } from './figures/presenter.js';
import { sampleWiseLearningCurve } from './figures/sampleWiseLearningCurve.js';
import { sourceTargetDrop } from './figures/sourceTargetDrop.js';
import { supervised } from './figures/supervised.js';
import { verifyOwnership } from './figures/verifyOwnership.js';
import { isNumber, label, plain } from './format.js';
import { type AnyReport, isObject } from './report.js';

const presenters: ReadonlyMap<string, Presenter> = new Map([
  ['train.supervised', supervised],
  ['train.contrastive', contrastive],
  ['prune.magnitude', magnitude],
  ['prune.learnedThreshold', learnedThreshold],
  ['authorize.nonTransferablePruning', nonTransferablePruning],
  ['authorize.nonTransferableLearning', nonTransferableLearning],
  ['authorize.verifyOwnership', verifyOwnership],
  ['authorize.maskPruning', maskPruning],
  ['evaluate.accuracy', accuracy],
  ['evaluate.domains', domains],
  ['evaluate.sampleWiseLearningCurve', sampleWiseLearningCurve],
  ['evaluate.sourceTargetDrop', sourceTargetDrop],
  ['evaluate.authorization', authorization],
  ['attack.prune', attackPrune],
  ['attack.quantize', attackQuantize],
  ['attack.maskGuess', attackMaskGuess],
  ['attack.overwrite', attackOverwrite],
  ...[
    'fineTune',
    'retrainHead',
    'sourceRepair',
    'elasticFineTune',
    'corruptedViews',
    'redensify',
    'linearProbe',
    'nearestNeighbour',
    'batchNormAdaptation',
  ].map((name): [string, Presenter] => [`attack.${name}`, attack]),
]);

/** What a report says. A method without a presentation of its own, or with other figures, is shown as data. */
export function present(report: AnyReport): Presentation {
  return presenters.get(report.method)?.(report.figures, report) ?? presentAnything(report);
}

/** How the figures came about: everything that it takes to get them again. */
export function provenance(report: AnyReport): Facts[] {
  const { options, inputs, versions, machine, seed } = report;
  const groups: [string, object | undefined][] = [
    ['Options', { ...(seed === undefined ? {} : { seed }), ...options }],
    ['Inputs', inputs],
    ['Versions', versions],
    ['Machine', machine],
  ];
  return groups.flatMap(([title, value]) => {
    const entries = flattened(value ?? {}, '');
    return entries.length === 0 ? [] : [{ kind: 'facts', title, entries }];
  });
}

/** A tree as one list: 'fineTune.epochs' is 1. */
export function flattened(value: object, prefix: string): { label: string; value: string }[] {
  return Object.entries(value).flatMap(([key, item]) => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (isObject(item) || (Array.isArray(item) && item.some(isObject)))
      return flattened(item as object, name);
    return [{ label: name, value: exact(item) }];
  });
}

// Options are shown as they are given, not rounded.
function exact(value: unknown): string {
  if (isNumber(value)) return String(value);
  if (Array.isArray(value)) return value.map(exact).join(', ') || plain(undefined);
  return plain(value);
}

/** "1 thread on cpu": where it ran, in a few words. */
export function place(report: AnyReport): string[] {
  const { machine, versions } = report;
  const where = [
    ...(machine?.device === undefined ? [] : [machine.device]),
    ...(machine?.threads === undefined
      ? []
      : [`${machine.threads} ${machine.threads === 1 ? 'thread' : 'threads'}`]),
    ...(machine?.cpu === undefined ? [] : [machine.cpu]),
  ].join(', ');
  const software = Object.entries(versions ?? {}).map(([name, version]) => `${label(name)} ${version}`);
  return [where, software.join(', ')].filter((part) => part !== '');
}
