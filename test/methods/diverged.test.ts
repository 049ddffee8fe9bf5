import * as assert from 'uvu/assert';
import { Dataset, Domain, isEspalierError, Model } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { makeSetting, recipesFor, startRecipe } from '../support/recipes.js';
import { test } from '../support/test.js';
import { brightnessParts, brightnessSamples } from './support.js';

// A sample that is a number and overflows in the first layer: what trains on it diverges, whatever the method.
const kCount = 64;
const kAtFault = 37;

async function poisoned(): Promise<Domain> {
  const { data, shape, labels } = brightnessSamples(kCount, 4);
  const samples = Float32Array.from(data, (value) => value / 255);
  const size = samples.length / kCount;
  samples.fill(3.4e38, kAtFault * size, (kAtFault + 1) * size);
  const fit = await Dataset.from({ data: samples, shape, labels, classes: 4 });
  const { select, report } = await brightnessParts();
  return await Domain.open({ name: 'poisoned', fit, select, report });
}

// By the option whose domain is trained on.
const trained: { [recipe: string]: string } = {
  'train.supervised': 'domain',
  'prune.magnitude': 'domain',
  'prune.learnedThreshold': 'domain',
  'authorize.nonTransferableLearning:targetSpecified': 'source',
  'authorize.nonTransferablePruning': 'source',
  'authorize.maskPruning:sourceAvailable': 'source',
  'authorize.maskPruning:sourceFree': 'target',
  'attack.fineTune': 'domain',
};

const recipes = recipesFor(await makeSetting(temporaryFolder()));
const domain = await poisoned();

for (const [name, option] of Object.entries(trained)) {
  test(`${name}: a sample that overflows is ERR_DIVERGED with the step, and the network before it`, async () => {
    const { inputs, options } = recipes[name] as (typeof recipes)[string];
    const recipe = { inputs, options: { ...options, [option]: domain, count: undefined } };
    const error = await startRecipe(name, recipe, {}).run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(isEspalierError(error, 'ERR_DIVERGED'), String(error));
    const { step, layer, samples, model } = error.details ?? {};
    assert.type(step, 'number', error.message);
    if (samples !== undefined) assert.equal(samples, [kAtFault]);
    assert.ok(layer !== undefined || samples !== undefined, error.message);
    assert.instance(model, Model);
    const { parameters } = await (model as Model).inspect();
    assert.ok(parameters.length > 0);
  });
}

test.run();
