import * as assert from 'uvu/assert';
import { findPython, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { runNativeTests, runPython } from './programs.js';

const timeoutMs = 240_000;

if (findPython() === undefined) {
  test.skip('the zoo against torch.nn: there is no Python with torch');
} else {
  test(
    'every architecture is its torch.nn module: names, logits, running statistics, gradients',
    async () => {
      const folder = temporaryFolder();
      await runNativeTests('zoo: writes its variants', { ESPALIER_TEST_OUT: folder });
      const output = await runPython('zoo.py', [folder]);
      assert.is(output.match(/^ok /gm)?.length, 9);
    },
    { timeoutMs },
  );
}

test.run();
