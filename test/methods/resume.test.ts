import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { allMethods } from '../../lib/methods.js';
import { temporaryFolder } from '../support/paths.js';
import { endOf, makeSetting, methodOf, type Recipe, recipesFor, startRecipe } from '../support/recipes.js';
import { test } from '../support/test.js';

// Every method: what was stopped and resumed ends with the bytes of what ran through.

const folder = temporaryFolder();
const recipes = recipesFor(await makeSetting(folder));
const enough = new Error('enough');
// They have no state between a beginning and an end.
const kAtOnce = new Set([
  'authorize.applyMask',
  'authorize.removeMask',
  'authorize.verifyOwnership',
  'evaluate.accuracy',
  'evaluate.domains',
  'evaluate.sourceTargetDrop',
  'attack.batchNormAdaptation',
  'attack.nearestNeighbour',
]);
// Steps between two checkpoints where each would be too many.
const kEverySteps: { [recipe: string]: number } = { 'attack.sourceRepair': 9, 'evaluate.authorization': 3 };

test('there is a recipe for every method', () => {
  const registered = allMethods.map(({ name }) => name);
  assert.equal([...new Set(Object.keys(recipes).map(methodOf))].sort(), registered.sort());
});

/** First, last, and evenly between. */
function spread<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.round((i * (all.length - 1)) / (count - 1))] as T);
}

// Oldest first.
function checkpointsAt(file: string): string[] {
  const age = (name: string) => Number(name.slice(path.basename(file).length + 1) || 0);
  const names = fs.readdirSync(folder).filter((name) => name.startsWith(path.basename(file)));
  return names.sort((a, b) => age(b) - age(a)).map((name) => path.join(folder, name));
}

// Stops it again and again, each time after about a quarter of what the whole takes.
async function inPieces(name: string, recipe: Recipe, wholeMs: number): Promise<number> {
  const file = path.join(folder, `${name}.pieces`);
  for (let stops = 0; ; stops++) {
    const resume = fs.existsSync(file) ? { resume: file } : {};
    const { run } = startRecipe(name, recipe, { checkpoint: { path: file }, ...resume });
    // Work that a checkpoint does not hold is done again, so that short pieces alone need not come to an end.
    const timer = setTimeout(() => run.cancel(enough), stops < 5 ? wholeMs / 4 : 60_000);
    try {
      assert.equal(await endOf(await run, folder), ends.get(name), `${name} in ${stops + 1} pieces`);
      return stops;
    } catch (error) {
      if (error !== enough) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

const ends = new Map<string, { [name: string]: string }>();

for (const [name, recipe] of Object.entries(recipes)) {
  test(`${name}: from any of its checkpoints, and in pieces, it ends with the same bytes`, async () => {
    const file = path.join(folder, `${name}.checkpoint`);
    const start = performance.now();
    const { run } = startRecipe(name, recipe, {});
    const whole = await endOf(await run, folder);
    const wholeMs = performance.now() - start;
    ends.set(name, whole);
    const everySteps = kEverySteps[name] ?? 1;
    const { run: kept } = startRecipe(name, recipe, { checkpoint: { path: file, everySteps, keep: 100 } });
    assert.equal(await endOf(await kept, folder), whole, 'writing checkpoints changes nothing');
    const checkpoints = checkpointsAt(file);
    assert.is(checkpoints.length < 2, kAtOnce.has(name), `${name} left ${checkpoints.length} checkpoints`);
    for (const from of spread(checkpoints, 3)) {
      const { run: resumed } = startRecipe(name, recipe, { resume: from });
      assert.equal(await endOf(await resumed, folder), whole, path.basename(from));
    }
    await inPieces(name, recipe, wholeMs);
    const left = fs.readdirSync(folder).filter((each) => each.endsWith('.tmp'));
    assert.equal(left, [], 'no temporary file is left');
  });
}

test('with two threads the same, on two threads', async () => {
  const file = path.join(folder, 'two.checkpoint');
  const [name, threads] = ['train.supervised', 2];
  const recipe = recipes[name] as Recipe;
  const { run } = startRecipe(name, recipe, {
    threads,
    checkpoint: { path: file, everySteps: 2, keep: 100 },
  });
  const whole = await endOf(await run, folder);
  const [from] = checkpointsAt(file);
  const { run: resumed } = startRecipe(name, recipe, { threads, resume: from });
  const result = await resumed;
  assert.equal(result.report.warnings, []);
  assert.equal(await endOf(result, folder), whole);
});

test.run();
