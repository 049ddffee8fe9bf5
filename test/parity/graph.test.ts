import { findPython, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { runNativeTests, runPython } from './programs.js';

const timeoutMs = 240_000;

if (findPython() === undefined) {
  test.skip('scripted and traced models against PyTorch: there is no Python with torch');
} else {
  test(
    'scripted and traced models evaluate, train and are tapped as in PyTorch, which loads what was saved',
    async () => {
      const folder = temporaryFolder();
      await runPython('models.py', [folder]);
      await runNativeTests('graph models', { ESPALIER_TEST_MODELS: folder });
      await runPython('models.py', ['--check', folder]);
    },
    { timeoutMs },
  );
}

test.run();
