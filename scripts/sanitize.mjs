import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureTools } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import {
  buildSanitized,
  damagedEnvironment,
  environment,
  home,
  nativeTests,
  nodeEnvironment,
} from './lib/sanitized.mjs';
import { report, runFile, runNative, summarize } from './lib/testing.mjs';

const kHelp = `npm run sanitize [-- FILTER]: C++ and JavaScript tests that read files, own memory or run threads, under the address,
leak and undefined behaviour sanitizers; with FILTER those whose name contains it`;

const files = ['model', 'domain', 'run', 'runs', 'checkpoints', 'odd'].map((name) => `${name}.test.js`);
const kFuzz = 'fuzz.test.js';
const kFileMs = 900_000;

await main(async () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const filter = positionals[0] ?? '';
  const tools = await ensureTools();
  await buildSanitized(tools, ['espalier_tests']);
  const results = [];
  const onResult = (result) => {
    results.push(result);
    report(result);
  };
  onResult(await runNative(nativeTests, filter, environment(), kFileMs));
  const env = await nodeEnvironment(tools);
  for (const title of files.filter((name) => name.includes(filter)))
    onResult(await runFile(path.join(home, 'dist/test', title), title, kFileMs, env));
  if (kFuzz.includes(filter))
    onResult(
      await runFile(path.join(home, 'dist/test', kFuzz), kFuzz, kFileMs, await damagedEnvironment(tools)),
    );
  return summarize(results);
}, kHelp);
