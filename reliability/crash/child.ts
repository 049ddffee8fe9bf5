// One run of a recipe with checkpoints, from what is there of an earlier one: for a parent that may kill it.
import fs from 'node:fs';
import path from 'node:path';
import { endOf, makeSetting, recipesFor, startRecipe } from '../../test/support/recipes.js';

const [name = '', length = '1', folder = '.', everySteps = '1'] = process.argv.slice(2);
const file = path.join(folder, 'run.checkpoint');
const scratch = path.join(folder, 'scratch');
fs.mkdirSync(scratch, { recursive: true });
const recipe = recipesFor(await makeSetting(scratch), Number(length))[name];
if (recipe === undefined) throw new Error(`expected a recipe, received ${name}`);
const resume = fs.existsSync(file) ? { resume: file } : {};
console.log('running');
const start = performance.now();
const { run } = startRecipe(name, recipe, {
  checkpoint: { path: file, everySteps: Number(everySteps) },
  ...resume,
});
const result = await run;
const ms = performance.now() - start;
const { versions, warnings } = result.report;
console.log(JSON.stringify({ end: await endOf(result, scratch), ms, versions, warnings }));
