import path from 'node:path';
import { parseArgs } from 'node:util';
import * as native from './lib/native.mjs';
import { filesBelow, inRoot, nativeBuild } from './lib/paths.mjs';
import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import { step } from './lib/steps.mjs';
import { report, runAll, runFile, runNative, summarize } from './lib/testing.mjs';

const kHelp = `npm test [-- FILTER]: all tests; with FILTER the files and C++ tests whose name contains it`;

await main(async () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const filter = positionals[0] ?? '';
  const tools = await ensureTools();
  const results = [];
  const onResult = (result) => {
    results.push(result);
    report(result);
  };
  await runEverything(tools, filter, onResult);
  return summarize(results);
}, kHelp);

async function runEverything(tools, filter, onResult) {
  await ensureNative(tools);
  await step('Building the C++ tests', async () => {
    await native.configure(tools);
    await native.build({ ...tools, targets: ['espalier_tests', 'espalier_races', 'espalier_queue'] });
  });
  await ensureTypeScript();
  const tests = inRoot('dist/test');
  const files = filesBelow(tests, ['.test.js']).map((file) => ({ file, title: path.relative(tests, file) }));
  const jobs = (isAlone) =>
    files
      .filter(({ title }) => title.includes(filter) && title.includes('.serial.') === isAlone)
      .map(
        ({ file, title }) =>
          () =>
            runFile(file, title),
      );
  const cplusplus = () => runNative(path.join(nativeBuild, 'espalier_tests'), filter);
  await runAll([cplusplus, ...jobs(false)], jobs(true), onResult);
}
