import * as assert from 'uvu/assert';
import * as z from 'zod';
import { type AnyEspalierError, isEspalierError } from '../lib/errors.js';
import { check } from '../lib/schema/check.js';
import { describe } from '../lib/schema/descriptor.js';
import { defineMethod } from '../lib/schema/method.js';
import { nearest } from '../lib/schema/nearest.js';
import { test } from './support/test.js';

const schema = z.strictObject({
  sparsity: z.number().min(0).lt(1),
  scope: z.enum(['global', 'layer']).default('global'),
  batchSize: z.union([z.literal('auto'), z.int().min(1)]).default('auto'),
  patterns: z.array(z.string()).default([]),
  fineTune: z.strictObject({ epochs: z.int().min(1).default(1) }).optional(),
});

function refusal(value: unknown, by: z.ZodType = schema): AnyEspalierError {
  try {
    check(by, value, 'prune.test');
  } catch (error) {
    assert.ok(isEspalierError(error));
    return error as AnyEspalierError;
  }
  throw new Error('it was accepted');
}

const messages: [unknown, string][] = [
  [{}, 'expected a number >= 0 and < 1 for sparsity, received undefined'],
  [{ sparsity: 'x' }, "expected a number >= 0 and < 1 for sparsity, received 'x'"],
  [{ sparsity: Number.NaN }, 'expected a number >= 0 and < 1 for sparsity, received NaN'],
  [{ sparsity: 0, scope: 'all' }, "expected one of 'global', 'layer' for scope, received 'all'"],
  [{ sparsity: 0, batchSize: 'aut' }, "expected 'auto' or a whole number >= 1 for batchSize, received 'aut'"],
  [{ sparsity: 0, patterns: ['a', 1] }, 'expected a string for patterns[1], received 1'],
  [
    { sparsity: 0, fineTune: { epochs: 1.5 } },
    'expected a whole number >= 1 for fineTune.epochs, received 1.5',
  ],
  [{ sparsity: 0, fineTune: [] }, 'expected an object for fineTune, received an array of 0'],
  [
    { sparsty: 0, sparsity: 0 },
    "expected a known option for prune.test, received 'sparsty' (did you mean 'sparsity'?)",
  ],
  [
    { sparsity: 0, fineTune: { epoch: 1 } },
    "expected a known option for fineTune of prune.test, received 'epoch' (did you mean 'epochs'?)",
  ],
  [
    { sparsity: 0, fineTune: { zzzzzz: 1 } },
    "expected a known option for fineTune of prune.test, received 'zzzzzz' (known are epochs)",
  ],
];

for (const [value, message] of messages) {
  test(`refuses in one sentence: ${message}`, () => {
    const error = refusal(value);
    assert.is(error.message, message);
    assert.instance(error, TypeError);
    assert.is(error.code, 'ERR_INVALID_ARG_TYPE');
  });
}

test('a number outside its range is a RangeError, wherever it stands', () => {
  for (const [value, message] of [
    [{ sparsity: 1 }, 'expected a number >= 0 and < 1 for sparsity, received 1'],
    [{ sparsity: 0, batchSize: 0 }, "expected 'auto' or a whole number >= 1 for batchSize, received 0"],
    [
      { sparsity: 0, fineTune: { epochs: 0 } },
      'expected a whole number >= 1 for fineTune.epochs, received 0',
    ],
  ] as const) {
    const error = refusal(value);
    assert.is(error.message, message);
    assert.instance(error, RangeError);
    assert.is(error.code, 'ERR_OUT_OF_RANGE');
  }
});

test('defaults are filled in', () => {
  assert.equal(check(schema, { sparsity: 0.5 }, 'x'), {
    sparsity: 0.5,
    scope: 'global',
    batchSize: 'auto',
    patterns: [],
  });
});

test("a refinement's message is the sentence", () => {
  const refined = schema.refine((value) => value.sparsity > 0.1, 'expected more for sparsity, received less');
  assert.is(refusal({ sparsity: 0 }, refined).message, 'expected more for sparsity, received less');
});

const variants = z.discriminatedUnion('variant', [
  z.strictObject({ variant: z.literal('fast'), steps: z.int().min(1) }),
  z.strictObject({ variant: z.enum(['exact', 'slow']), tolerance: z.number().gt(0).default(0.1) }),
]);

test('a variant takes only its own options', () => {
  assert.equal(check(variants, { variant: 'slow' }, 'x'), { variant: 'slow', tolerance: 0.1 });
  const error = refusal({ variant: 'fast', steps: 1, tolerance: 1 }, variants);
  assert.match(error.message, "received 'tolerance' (known are variant, steps)");
  assert.is(
    refusal({ variant: 'quick' }, variants).message,
    "expected one of 'fast', 'exact', 'slow' for variant, received 'quick'",
  );
});

test('a method tells its options, variant by variant', () => {
  const method = defineMethod({
    name: 'test.variants',
    summary: 'Nothing.',
    source: 'none',
    inputs: {},
    options: variants,
    outputs: {},
    report: z.strictObject({}),
  });
  assert.equal(method.options.variant?.values, ['fast', 'exact', 'slow']);
  assert.ok(method.options.steps?.optional);
  assert.equal(
    method.variants?.cases.map(({ values, options }) => [values, Object.keys(options)]),
    [
      [['fast'], ['steps']],
      [['exact', 'slow'], ['tolerance']],
    ],
  );
});

test('an option that every run has cannot be defined again', () => {
  const define = () =>
    defineMethod({
      name: 'test.clash',
      summary: 'Nothing.',
      source: 'none',
      inputs: {},
      options: z.strictObject({ seed: z.int() }),
      outputs: {},
      report: z.strictObject({}),
    });
  assert.throws(define, /seed/);
});

test('descriptors tell type, bounds, default, unit and words', () => {
  const field = z.int().min(1).max(9).default(3).meta({ unit: 'epochs' }).describe('How long.');
  assert.equal(describe(field), {
    type: 'integer',
    description: 'How long.',
    unit: 'epochs',
    required: false,
    optional: false,
    default: 3,
    min: 1,
    max: 9,
  });
  assert.is(describe(z.number().gt(0).lt(1)).exclusiveMin, 0);
  assert.is(describe(schema.shape.batchSize).literal, 'auto');
});

test('the nearest word is one that a slip of the finger makes', () => {
  assert.is(nearest('sparsty', ['sparsity', 'scope']), 'sparsity');
  assert.is(nearest('socpe', ['sparsity', 'scope']), 'scope');
  assert.is(nearest('SCOPE', ['sparsity', 'scope']), 'scope');
  assert.is(nearest('frobnicate', ['sparsity', 'scope']), undefined);
});

test.run();
