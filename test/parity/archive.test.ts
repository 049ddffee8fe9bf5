import { findPython, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { runNativeTests, runPython } from './programs.js';

const timeoutMs = 240_000;

if (findPython() === undefined) {
  test.skip('ordinary and hostile model files: there is no Python with torch');
} else {
  test(
    'every ordinary model that PyTorch writes loads, and every hostile one is refused',
    async () => {
      const folder = temporaryFolder();
      await runPython('archive_models.py', [folder]);
      await runNativeTests('archive: ordinary models load', { ESPALIER_TEST_MODELS: folder });
    },
    { timeoutMs },
  );
}

test.run();
