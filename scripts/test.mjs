import path from 'node:path';
import { parseArgs } from 'node:util';
import * as native from './lib/native.mjs';
import { filesBelow, inRoot, nativeBuild } from './lib/paths.mjs';
import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import { seconds, step } from './lib/steps.mjs';
import { runAll, runFile, runNative } from './lib/testing.mjs';

// npm test [-- FILTER]: files and C++ tests whose name contains FILTER. --sanitize: the C++ tests alone, under
// the address and undefined behaviour sanitizers.
await main(async () => {
  const { values, positionals } = parseArgs({
    options: { sanitize: { type: 'boolean' } },
    allowPositionals: true,
  });
  const filter = positionals[0] ?? '';
  const tools = await ensureTools();
  const results = [];
  const onResult = (result) => {
    results.push(result);
    report(result);
  };
  if (values.sanitize) onResult(await runSanitized(tools, filter));
  else await runEverything(tools, filter, onResult);
  return summarize(results);
});

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

async function runSanitized(tools, filter) {
  const folder = inRoot('build/sanitize');
  // Its libraries must not take the place of the ordinary ones.
  const options = {
    ...tools,
    folder,
    output: path.join(folder, 'package/build'),
    sanitize: 'address,undefined',
  };
  await step('Building the C++ tests with sanitizers', async () => {
    await native.configure(options);
    await native.build({ ...options, targets: ['espalier_tests'] });
  });
  const env = {
    ...process.env,
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
  return runNative(path.join(folder, 'espalier_tests'), filter, env);
}

function report({ title, passed, failed, skipped, output, ms }) {
  if (passed + failed + skipped.length === 0) return;
  console.log(
    `${failed > 0 ? 'FAILED' : 'ok'} ${title} (${passed} passed, ${failed} failed, ${seconds(ms)})`,
  );
  for (const line of skipped) console.log(`  ${line}`);
  if (output) console.log(output.trimEnd().replace(/^/gm, '    '));
}

function summarize(results) {
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  const failures = results.filter(({ failed }) => failed > 0);
  if (failures.length > 0) console.log(`\nFailed: ${failures.map(({ title }) => title).join(', ')}`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  // Nothing that ran must not look like success.
  return sum('failed') > 0 || sum('passed') === 0 ? 1 : 0;
}
