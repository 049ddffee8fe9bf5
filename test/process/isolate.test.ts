import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { Dataset } from '../../lib/dataset.js';
import { Domain } from '../../lib/domain.js';
import { isEspalierError } from '../../lib/errors.js';
import { accuracy } from '../../lib/evaluate/accuracy.js';
import { launch } from '../../lib/isolate/launch.js';
import { Model } from '../../lib/model.js';
import { magnitude } from '../../lib/prune/magnitude.js';
import { supervised } from '../../lib/train/supervised.js';
import { childrenOf, runChild, runCommand } from '../support/child.js';
import { findPython, root, temporaryFolder } from '../support/paths.js';
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
    const other = isolated as unknown as Model;
    assert.is(await codeOf(accuracy(other, { domain })), 'ERR_INVALID_ARG_TYPE');
    assert.is(await codeOf(supervised(other, { domain, epochs: 1 })), 'ERR_INVALID_ARG_TYPE');
    assert.is(await codeOf(magnitude(other, { sparsity: 0.5 })), 'ERR_INVALID_ARG_TYPE');
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
from typing import Tuple
class Loop(torch.nn.Module):
    def forward(self, x):
        while bool(x.sum() == x.sum()):
            x = x * 1.0
        return x
class Crash(torch.nn.Module):
    def forward(self, x):
        return torch.ops.inductor._reinterpret_tensor(x, [1 << 40], [1], 1 << 40).sum()
class Eat(torch.nn.Module):
    def forward(self, x):
        kept = [x]
        while bool(x.sum() == x.sum()):
            kept.append(torch.rand(4000000))
        return kept[0]
class Waits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.ones(2)
    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)
    @torch.jit.export
    def __setstate__(self, state: Tuple[torch.Tensor, bool]):
        self.weight = state[0]
        self.training = state[1]
        while state[0].numel() > 0:
            self.training = not self.training
    def forward(self, x):
        return x + self.weight
for name, module in (('loop', Loop()), ('eat', Eat()), ('crash', Crash()), ('waits', Waits())):
    torch.jit.save(torch.jit.script(module), sys.argv[1] + '/' + name + '.pt')
`;
async function make(interpreter: string): Promise<void> {
  const file = path.join(folder, 'models.py');
  fs.writeFileSync(file, script);
  const made = await runCommand(interpreter, [file, folder]);
  assert.is(made.code, 0, made.stderr);
}

/** Whether a process computes no more: gone, or a name that nobody has asked for yet. */
function hasEnded(pid: number): boolean {
  try {
    return / [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/, ''));
  } catch {
    return true;
  }
}

const child = path.join(root, 'dist/test/process/children/isolate.js');
const python = findPython();
if (python === undefined) {
  test.skip('models without end: there is no Python with torch');
} else {
  test(
    'a forward without end is ended at its seconds, one that eats memory at its memory',
    async () => {
      await make(python);
      const earlier = childrenOf(process.pid);
      const loop = await Model.isolate(path.join(folder, 'loop.pt'), { limits: { seconds: 3 } });
      const children = childrenOf(process.pid).filter((pid) => !earlier.includes(pid));
      assert.is(children.length, 1);
      const before = Date.now();
      assert.is(await codeOf(loop.forward([tinyInput()])), 'ERR_LIMIT_EXCEEDED');
      assert.ok(Date.now() - before < 4000);
      for (let i = 0; i < 40 && !children.every(hasEnded); i++) await sleep(50);
      assert.ok(children.every(hasEnded));
      assert.is(await codeOf(loop.forward([tinyInput()])), 'ERR_DISPOSED');
      const measured = await Model.isolate(path.join(folder, 'loop.pt'), { limits: { seconds: 3 } });
      const samples = { data: new Uint8Array(16 * 16), shape: [1, 1, 16, 16], labels: [0] };
      assert.is(await codeOf(measured.evaluate({ name: 'made', ...samples })), 'ERR_LIMIT_EXCEEDED');
      const eat = await Model.isolate(path.join(folder, 'eat.pt'), { limits: { memoryMB: 1500 } });
      assert.is(await codeOf(eat.forward([tinyInput()])), 'ERR_LIMIT_EXCEEDED');
    },
    { timeoutMs },
  );

  test(
    'a load without end, which only trust lets begin, is ended at its seconds',
    async () => {
      await make(python);
      const file = path.join(folder, 'waits.pt');
      assert.is(await codeOf(Model.isolate(file)), 'ERR_MODEL_UNSAFE');
      const limits = { seconds: 5 };
      assert.is(await codeOf(Model.isolate(file, { trust: true, limits })), 'ERR_LIMIT_EXCEEDED');
    },
    { timeoutMs },
  );

  test(
    'what the scan refuses does not run; trusted and run, its crash is an error and ends one process only',
    async () => {
      await make(python);
      const file = path.join(folder, 'crash.pt');
      assert.is(await codeOf(Model.isolate(file)), 'ERR_MODEL_UNSAFE');
      const trusted = await Model.isolate(file, { trust: true });
      assert.is(await codeOf(trusted.forward([tinyInput()])), 'ERR_MODEL_RUN');
      assert.is(await codeOf(trusted.inspect()), 'ERR_DISPOSED');
    },
    { timeoutMs },
  );

  test(
    'a parent that is killed leaves no process behind',
    async () => {
      await make(python);
      const parent = spawn(process.execPath, [child, 'kill', path.join(folder, 'loop.pt')]);
      const line = await new Promise<string>((resolve) =>
        parent.stdout.setEncoding('utf8').once('data', resolve),
      );
      const pids = line.trim().split(' ').map(Number);
      assert.ok(pids.length > 0 && pids.every((pid) => pid > 0 && !hasEnded(pid)), line);
      parent.kill('SIGKILL');
      for (let i = 0; i < 100 && !pids.every(hasEnded); i++) await sleep(50);
      assert.ok(pids.every(hasEnded));
    },
    { timeoutMs },
  );
}

test(
  'a model that is forgotten keeps no process alive',
  async () => {
    const { file } = await saved();
    const { code, signal, stdout } = await runChild(child, ['forget', file], { deadlineMs: 30_000 });
    assert.equal({ code, signal, stdout: stdout.trim() }, { code: 0, signal: null, stdout: 'done' });
  },
  { timeoutMs },
);

test(
  'an abort in a call rejects with its reason and closes the model',
  async () => {
    const { file } = await saved();
    const isolated = await Model.isolate(file);
    const controller = new AbortController();
    const call = codeOf(isolated.forward([tinyInput()], { signal: controller.signal }));
    const reason = new Error('enough');
    controller.abort(reason);
    assert.is(await call, reason);
    assert.is(await codeOf(Model.isolate(file, { signal: AbortSignal.abort(reason) })), reason);
    await isolated.dispose();
  },
  { timeoutMs },
);

test(
  'its accuracy on samples, or on a domain of them, is that of a model in this process',
  async () => {
    const { model, file } = await saved();
    const isolated = await Model.isolate(file);
    const count = 8;
    const data = new Uint8Array(count * 16 * 16).map((_, i) => (i * 37) % 256);
    const labels = Array.from({ length: count }, (_, i) => i % 3);
    const samples = { data, shape: [count, 1, 16, 16], labels };
    const domain = await Domain.open({ name: 'made', report: await Dataset.from(samples) });
    const there = (await isolated.evaluate({ name: 'made', ...samples })).report.figures;
    const here = (await accuracy(model, { domain })).report.figures;
    assert.equal(there, JSON.parse(JSON.stringify(here)));
    assert.equal((await isolated.evaluate(domain)).report.figures, there);
    const unreported = await Domain.open({ name: 'fit', fit: await Dataset.from(samples), select: 0 });
    assert.is(await codeOf(isolated.evaluate(unreported)), 'ERR_DATA_INVALID');
    await isolated.dispose();
  },
  { timeoutMs },
);

test(
  'its process may read the model and what it runs on, and write, start or learn nothing',
  async () => {
    const { file } = await saved();
    const process = await launch(file, fileURLToPath(new URL('children/rights.js', import.meta.url)));
    const done = new Promise((resolve) => process.once('message', resolve));
    process.send({ folder });
    const { environment, ...outcomes } = (await done) as { environment: string[] };
    const denied = 'ERR_ACCESS_DENIED';
    assert.equal(outcomes, {
      readsModel: 'allowed',
      readsElsewhere: denied,
      readsHome: denied,
      writesModel: denied,
      writesTemporary: denied,
      removes: denied,
      startsProcesses: denied,
      startsWorkers: denied,
    });
    assert.ok(fs.existsSync(file));
    const known =
      /^(LIBTORCH|LD_LIBRARY_PATH|\w+_NUM_THREADS|OMP_WAIT_POLICY|GOMP_SPINCOUNT|NODE_CHANNEL_\w+)$/;
    assert.equal(
      environment.filter((name) => !known.test(name)),
      [],
    );
  },
  { timeoutMs },
);

test.run();
