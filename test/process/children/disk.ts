// Writes into a folder that may have no room, and prints what came of each write.
import path from 'node:path';
import { authorize, isEspalierError, prune } from '../../../lib/index.js';
import { renderTable, saveReport } from '../../../lib/report/index.js';
import { supervised } from '../../../lib/train/supervised.js';
import { tinyDomain, tinyModel } from '../../support/tiny.js';

const [folder = '.'] = process.argv.slice(2);
const at = (name: string) => path.join(folder, name);
const model = await tinyModel();
const domain = await tinyDomain();
const { mask } = await prune.magnitude(model, { sparsity: 0.5 });
const { model: locked, key } = await authorize.applyMask(model, mask);

const train = (onWriteError: 'stop' | 'continue') =>
  supervised(model, {
    domain,
    epochs: 2,
    batchSize: 32,
    threads: 1,
    checkpoint: { path: at('run.checkpoint'), everySteps: 2, onWriteError },
  });

async function outcomeOf(work: () => PromiseLike<unknown>): Promise<string> {
  try {
    await work();
    return 'done';
  } catch (error) {
    if (isEspalierError(error)) return `${error.code}: ${error.message}`;
    return String(error);
  }
}

const outcomes: { [name: string]: string } = {};
outcomes.stop = await outcomeOf(() => train('stop'));
outcomes.continue = await outcomeOf(async () => {
  const { report } = await train('continue');
  outcomes.warnings = JSON.stringify(report.warnings);
  outcomes.table = renderTable(report);
});
outcomes.model = await outcomeOf(() => locked.save(at('model.pt')));
outcomes.mask = await outcomeOf(() => mask.save(at('mask.safetensors')));
outcomes.key = await outcomeOf(() => key.save(at('opener.key')));
const { report } = await train('continue');
outcomes.report = await outcomeOf(() => saveReport(at('report.json'), report));
console.log(JSON.stringify(outcomes));
