import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { isEspalierError } from '../../lib/errors.js';
import { accuracy } from '../../lib/evaluate/accuracy.js';
import { Model } from '../../lib/model.js';
import { runCommand } from '../support/child.js';
import { findPython, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { tinyDomain, tinyInput, tinyModel } from '../support/tiny.js';

const timeoutMs = 60_000;
const folder = temporaryFolder();

async function saved(): Promise<{ model: Model; file: string }> {
  const model = await tinyModel();
  const file = path.join(folder, 'tiny.pt');
  await model.save(file);
  return { model, file };
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => 'resolved',
    (error) => (isEspalierError(error) ? error.code : error),
  );
}

test(
  'an isolated model answers bit for bit as a loaded one, and is closed by dispose',
  async () => {
    const { model, file } = await saved();
    const isolated = await Model.isolate(file);
    assert.equal(await isolated.forward([tinyInput()]), await model.forward([tinyInput()]));
    assert.is((await isolated.inspect()).parameters.length, model.parameters.length);
    const pending = codeOf(isolated.forward([tinyInput()]));
    await isolated.dispose();
    await isolated.dispose();
    assert.is(await pending, 'ERR_DISPOSED');
    assert.is(await codeOf(isolated.inspect()), 'ERR_DISPOSED');
  },
  { timeoutMs },
);

test(
  'no other operation takes one, and limits refuse nonsense',
  async () => {
    const { file } = await saved();
    const isolated = await Model.isolate(file);
    const domain = await tinyDomain();
    assert.is(await codeOf(accuracy(isolated as unknown as Model, { domain })), 'ERR_INVALID_ARG_TYPE');
    await isolated.dispose();
    assert.is(await codeOf(Model.isolate(file, { limits: { seconds: 0 } })), 'ERR_OUT_OF_RANGE');
    assert.is(await codeOf(Model.isolate(file, { limits: { memoryMB: -1 } })), 'ERR_OUT_OF_RANGE');
  },
  { timeoutMs },
);

test(
  'a file that is no model is refused as load refuses it',
  async () => {
    const file = path.join(folder, 'no.pt');
    fs.writeFileSync(file, 'nothing');
    assert.is(await codeOf(Model.isolate(file)), await codeOf(Model.load(file)));
  },
  { timeoutMs },
);

const script = `
import sys, torch
class Loop(torch.nn.Module):
    def forward(self, x):
        while bool(x.sum() == x.sum()):
            x = x * 1.0
        return x
class Eat(torch.nn.Module):
    def forward(self, x):
        kept = [x]
        while bool(x.sum() == x.sum()):
            kept.append(torch.rand(4000000))
        return kept[0]
for name, module in (('loop', Loop()), ('eat', Eat())):
    torch.jit.save(torch.jit.script(module), sys.argv[1] + '/' + name + '.pt')
`;
const python = findPython();
if (python === undefined) {
  test.skip('models without end: there is no Python with torch');
} else {
  test(
    'a forward without end is ended at its seconds, one that eats memory at its memory',
    async () => {
      const file = path.join(folder, 'models.py');
      fs.writeFileSync(file, script);
      const made = await runCommand(python, [file, folder]);
      assert.is(made.code, 0, made.stderr);
      const loop = await Model.isolate(path.join(folder, 'loop.pt'), { limits: { seconds: 3 } });
      const before = Date.now();
      assert.is(await codeOf(loop.forward([tinyInput()])), 'ERR_LIMIT_EXCEEDED');
      assert.ok(Date.now() - before < 4000);
      assert.is(await codeOf(loop.forward([tinyInput()])), 'ERR_DISPOSED');
      const eat = await Model.isolate(path.join(folder, 'eat.pt'), { limits: { memoryMB: 1500 } });
      assert.is(await codeOf(eat.forward([tinyInput()])), 'ERR_LIMIT_EXCEEDED');
    },
    { timeoutMs },
  );
}

test.run();
