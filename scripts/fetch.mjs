import { checkDisk, checkNode, checkPlatform, findPython } from './lib/checks.mjs';
import { kTorch, ofVenv } from './lib/libtorch.mjs';
import { main } from './lib/problem.mjs';
import { step } from './lib/steps.mjs';
import * as python from './lib/venv.mjs';

// fetch.mjs VENV: the pinned libtorch, for an installed package, in a virtual environment of its own.
const kTorchBytes = 2e9;

await main(async () => {
  const [venv] = process.argv.slice(2);
  checkNode();
  checkPlatform();
  const found = ofVenv(venv);
  if (found) return console.log(`libtorch ${found.version} is in ${found.root} already.`);
  const basePython = await findPython();
  checkDisk(venv, kTorchBytes, 'libtorch');
  await step(`Fetching torch ${kTorch} into ${venv}`, async () => {
    await python.create(venv, basePython);
    await python.install(venv, [`torch==${kTorch}`]);
  });
});
