import * as assert from 'uvu/assert';
import { allMethods } from '../../lib/methods.js';
import { present } from '../../lib/report/present.js';
import type { FieldDescriptor, FieldDescriptors } from '../../lib/schema/descriptor.js';
import { test } from '../support/test.js';
import { envelope, pruning, training } from './samples.js';

/** Figures that fit a method's own description of its report: one element a list. */
const example = (fields: FieldDescriptors) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, sample(field)]));

function sample(field: FieldDescriptor): unknown {
  switch (field.type) {
    case 'boolean':
      return true;
    case 'integer':
      return 1;
    case 'number':
      return 0.5;
    case 'string':
      return 'name';
    case 'enum':
      return field.values?.[0];
    case 'list':
      return [sample(field.of as FieldDescriptor)];
    case 'map':
      return { name: sample(field.of as FieldDescriptor) };
    case 'object':
      return example(field.fields ?? {});
    case 'union':
      return sample(field.alternatives?.[0] as FieldDescriptor);
    default:
      return null;
  }
}

// Intervals are lists of two, which their description cannot say.
const withIntervals = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, item) => (key === 'interval' ? [0.4, 0.6] : item));

const pictured = [
  'train.supervised',
  'train.contrastive',
  'prune.magnitude',
  'evaluate.accuracy',
  'evaluate.domains',
  'evaluate.sampleWiseLearningCurve',
  'evaluate.sourceTargetDrop',
  'evaluate.authorization',
  'attack.fineTune',
  'attack.elasticFineTune',
  'attack.corruptedViews',
  'attack.batchNormAdaptation',
  'attack.prune',
  'attack.quantize',
  'attack.maskGuess',
  'attack.overwrite',
];

for (const method of allMethods) {
  test(`${method.name}: what the method says it reports is what its presentation expects`, () => {
    const figures = withIntervals(example(method.report)) as object;
    const { title, blocks } = present(envelope(method.name, figures));
    assert.ok(blocks.length > 0);
    if (pictured.includes(method.name)) assert.is.not(title, method.name);
  });
}

test('the held-out accuracy is that of the weights that were returned', () => {
  const shown = (options: object) => {
    const { summary, highlights } = present({ ...training, options: { ...training.options, ...options } });
    return [highlights[0]?.value, highlights[0]?.note, summary.includes('the best on held-out samples')];
  };
  assert.equal(shown({ restoreBest: true }), ['98.34%', 'best, epoch 7', true]);
  assert.equal(shown({ restoreBest: false }), ['98.66%', 'last epoch', false]);
  const tuned = (restoreBest: boolean) =>
    present({ ...pruning, options: { fineTune: { restoreBest } } }).highlights.at(-1)?.value;
  assert.equal([tuned(true), tuned(false)], ['98.34%', '98.66%']);
});

test('figures of another shape are shown as data, under the name of the method', () => {
  for (const name of pictured) {
    const { title, blocks } = present(envelope(name, { surprise: 1 }));
    assert.is(title, name);
    assert.equal(blocks, [{ kind: 'facts', title: 'Figures', entries: [{ label: 'Surprise', value: '1' }] }]);
  }
});

test.run();
