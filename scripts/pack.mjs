import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as consumer from './lib/consumer.mjs';
import { inRoot } from './lib/paths.mjs';
import { prebuild } from './lib/prebuild.mjs';
import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

// Packs what would be published, installs it as a stranger would, and uses it there.
await main(async () => {
  const tools = await ensureTools();
  await ensureNative(tools);
  await ensureTypeScript();
  await prebuild(tools);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-pack-'));
  const counts = { passed: 0, failed: 0 };
  try {
    for (const { title, body } of consumer.checks({
      folder,
      source: inRoot('test/package'),
      libtorch: tools.libtorch.root,
    })) {
      const problem = await body().then(
        () => undefined,
        (error) => error,
      );
      counts[problem ? 'failed' : 'passed'] += 1;
      console.log(`${problem ? 'FAILED' : 'ok'} ${title}${problem ? `\n${problem.message}` : ''}`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed > 0 ? 1 : 0;
});
