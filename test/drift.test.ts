import * as assert from 'uvu/assert';
import * as z from 'zod';
import { loadBinding } from '../lib/binding.js';
import { allMethods } from '../lib/methods.js';
import { describeFields } from '../lib/schema/descriptor.js';
import { handle, oneOrList } from '../lib/schema/handle.js';
import { defineMethod } from '../lib/schema/method.js';
import { runOptions } from '../lib/schema/runOptions.js';
import { differences, fieldDifferences, type NativeFields, type NativeSchema } from './support/drift.js';
import { test } from './support/test.js';

test('every method is known on both sides, by the same name', async () => {
  const native = (await loadBinding()).methods().map(({ name }) => name);
  assert.equal(allMethods.map(({ name }) => name).sort(), native.sort());
  assert.ok(native.length >= 4);
});

for (const method of allMethods) {
  test(`${method.name} is described alike in TypeScript and C++`, async () => {
    const native = (await loadBinding()).methods().find(({ name }) => name === method.name);
    assert.equal(differences(method, native?.schema as NativeSchema), []);
  });
}

test('the options of every run are described alike', async () => {
  const native = (await loadBinding()).runOptions() as { fields: NativeFields };
  assert.equal(fieldDifferences(describeFields(runOptions), native.fields), []);
});

// A method that exists only here, and what C++ would say of it.
const fake = defineMethod({
  name: 'test.fake',
  summary: 'Nothing.',
  source: 'none',
  inputs: { models: oneOrList('Model') },
  options: z.strictObject({
    domain: handle('Domain'),
    teacher: handle('Model').optional(),
    sparsity: z.number().min(0).lt(1),
    scope: z.enum(['global', 'layer']).default('global'),
    batchSize: z.union([z.literal('auto'), z.int().min(1)]).default('auto'),
    limit: z.int().min(1).optional(),
    rates: z.array(z.number().gt(0)).default([0.1]),
    nested: z.strictObject({ epochs: z.int().min(1).default(3) }).prefault({}),
  }),
  outputs: { model: 'Model' },
  report: z.strictObject({
    loss: z.number().nullable(),
    layers: z.array(z.strictObject({ path: z.string() })),
  }),
});

const described = (): NativeSchema => ({
  inputs: {
    fields: {
      models: { type: 'list', of: { type: 'handle', noun: 'Model' } },
      domain: { type: 'handle', noun: 'Domain' },
      teacher: { type: 'handle', noun: 'Model', optional: true, default: null },
    },
  },
  options: {
    fields: {
      sparsity: { type: 'number', min: 0, exclusiveMax: 1, default: 0.5, required: true },
      scope: { type: 'enum', values: ['layer', 'global'], default: 'global' },
      batchSize: { type: 'integer', min: 1, literal: 'auto', default: 'auto' },
      limit: { type: 'integer', min: 1, optional: true, default: null },
      rates: { type: 'list', of: { type: 'number', exclusiveMin: 0, default: 0 }, default: [0.1] },
      nested: { type: 'object', fields: { epochs: { type: 'integer', min: 1, default: 3 } } },
    },
  },
  report: {
    fields: {
      loss: { type: 'number', optional: true, default: null },
      layers: {
        type: 'list',
        of: { type: 'object', fields: { path: { type: 'string', default: '' } } },
        default: [],
      },
    },
  },
  outputs: { fields: { model: { type: 'handle', noun: 'Model' } } },
});

test('descriptions that agree have no differences', () => {
  assert.equal(differences(fake, described()), []);
});

const drifts: [string, (schema: NativeSchema) => void, RegExp][] = [
  ['a name', (s) => rename(s.options.fields, 'limit', 'limits'), /options.limit: is unknown in C\+\+/],
  [
    'a further option',
    (s) => Object.assign(s.options.fields, { more: { type: 'string' } }),
    /options.more: is unknown in TypeScript/,
  ],
  [
    'a lower bound',
    (s) => Object.assign(s.options.fields.limit!, { min: 2 }),
    /options.limit: min is 1 in TypeScript, 2 in C\+\+/,
  ],
  [
    'an exclusive bound',
    (s) => rename(s.options.fields.sparsity!, 'exclusiveMax', 'max'),
    /options.sparsity: max/,
  ],
  [
    "an element's bound",
    (s) => Object.assign(s.options.fields.rates!.of!, { exclusiveMin: 1 }),
    /rates\[0\]: exclusiveMin/,
  ],
  [
    'a default',
    (s) => Object.assign(s.options.fields.scope!, { default: 'layer' }),
    /options.scope: default/,
  ],
  [
    'a default of a list',
    (s) => Object.assign(s.options.fields.rates!, { default: [] }),
    /options.rates: default/,
  ],
  [
    'a nested default',
    (s) => Object.assign(s.options.fields.nested!.fields!.epochs!, { default: 4 }),
    /nested.epochs: default is 3/,
  ],
  ['a word of an enumeration', (s) => s.options.fields.scope!.values!.push('block'), /options.scope: values/],
  [
    'a literal',
    (s) => Object.assign(s.options.fields.batchSize!, { literal: 'all' }),
    /options.batchSize: literal/,
  ],
  [
    'a type',
    (s) => Object.assign(s.options.fields.limit!, { type: 'number' }),
    /options.limit: is integer in TypeScript, number/,
  ],
  [
    'whether it may be absent',
    (s) => Object.assign(s.options.fields.limit!, { optional: false }),
    /options.limit: optional/,
  ],
  [
    'whether it must be given',
    (s) => Object.assign(s.options.fields.sparsity!, { required: false }),
    /options.sparsity: required/,
  ],
  [
    'whether it is secret',
    (s) => Object.assign(s.options.fields.limit!, { secret: true }),
    /options.limit: secret/,
  ],
  [
    'the noun of a handle',
    (s) => Object.assign(s.inputs.fields.domain!, { noun: 'Dataset' }),
    /inputs.domain: noun/,
  ],
  [
    'an optional handle',
    (s) => Object.assign(s.inputs.fields.domain!, { optional: true }),
    /inputs.domain: optional/,
  ],
  [
    'the noun of an output',
    (s) => Object.assign(s.outputs.fields.model!, { noun: 'Mask' }),
    /outputs.model: is Model in TypeScript, Mask/,
  ],
  ['a figure', (s) => rename(s.report.fields, 'loss', 'losses'), /report.loss/],
  [
    'a figure in a list',
    (s) => rename((s.report.fields.layers!.of as { fields: object }).fields, 'path', 'name'),
    /report.layers\[0\].path/,
  ],
  [
    'a figure that may be null',
    (s) => Object.assign(s.report.fields.loss!, { optional: false }),
    /report.loss: optional/,
  ],
];

for (const [what, change, expected] of drifts) {
  test(`the comparison sees a drift of ${what}`, () => {
    const schema = described();
    change(schema);
    const found = differences(fake, schema);
    assert.ok(found.length > 0);
    assert.match(found.join('\n'), expected);
  });
}

const variant = defineMethod({
  name: 'test.variant',
  summary: 'Nothing.',
  source: 'none',
  inputs: {},
  options: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('fast'), steps: z.int().min(1) }),
    z.strictObject({ kind: z.enum(['exact', 'slow']), tolerance: z.number().gt(0).default(0.1) }),
  ]),
  outputs: {},
  report: z.strictObject({}),
});

const describedVariant = (): NativeSchema => ({
  inputs: { fields: {} },
  options: {
    fields: {
      kind: { type: 'enum', values: ['fast', 'exact', 'slow'], default: 'fast', required: true },
      steps: { type: 'integer', min: 1, optional: true, default: null },
      tolerance: { type: 'number', exclusiveMin: 0, optional: true, default: null },
    },
  },
  report: { fields: {} },
  outputs: { fields: {} },
});

test('variants are compared one by one', () => {
  assert.equal(differences(variant, describedVariant()), []);
  const narrower = describedVariant();
  narrower.options.fields.kind!.values = ['fast', 'exact'];
  assert.match(differences(variant, narrower).join(), /options.kind: values/);
  const required = describedVariant();
  Object.assign(required.options.fields.tolerance!, { optional: false, default: 0.1 });
  assert.match(differences(variant, required).join(), /kind fast, tolerance: is in C\+\+ not optional/);
  const ranged = describedVariant();
  Object.assign(ranged.options.fields.steps!, { min: 0 });
  assert.match(differences(variant, ranged).join(), /kind fast, options.steps: min/);
});

function rename(object: object, from: string, to: string): void {
  const entries = object as Record<string, unknown>;
  entries[to] = entries[from];
  delete entries[from];
}

test.run();
