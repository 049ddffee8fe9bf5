import fs from 'node:fs';
import path from 'node:path';
import { inRoot } from './lib/paths.mjs';
import { main, Problem } from './lib/problem.mjs';

// npm run demo: trains on one domain, prunes, and measures on four. Everything that it writes is under demo/.
const kDomains = ['mnist', 'optdigits', 'mnist-m', 'syn'];
const kSeed = 1;
const kGoal = 0.985;
const kTraining = {
  epochs: 2,
  batchSize: 128,
  optimizer: { learningRate: 0.1 },
  schedule: { kind: 'cosine', warmup: 0.1 },
};
const kFineTune = { epochs: 1, optimizer: { learningRate: 0.05 } };

await main(async () => {
  const { Domain, Model, evaluate, prune, train } = await import('../dist/lib/index.js');
  const { makeSamples } = await import('../dist/lib/data/index.js');
  const { renderTable, saveReport } = await import('../dist/lib/report/index.js');
  const { makeDisplay } = await import('../dist/lib/cli/terminal.js');
  const out = inRoot('demo');
  fs.mkdirSync(out, { recursive: true });
  const start = performance.now();

  say('The domains: one that the model learns, three that it never sees');
  const onProgress = ({ name, message }) => console.log(`  ${name.padEnd(9)}  ${message}`);
  await makeSamples({ names: kDomains, out: inRoot('data'), onProgress });
  const domains = await Promise.all(kDomains.map((name) => Domain.sample(name)));
  const [mnist] = domains;

  say('A convolutional network learns handwritten digits (mnist)');
  const fresh = await Model.create('convnet', { classes: 10, widths: [16, 32, 64, 64], seed: kSeed });
  const dense = await watch(train.supervised(fresh, { domain: mnist, seed: kSeed, ...kTraining }));

  const pruned = [];
  for (const sparsity of [0.9, 0.98]) {
    const from = pruned.at(-1) ?? dense;
    say(
      `Magnitude pruning ${from === dense ? '' : 'on '}to ${sparsity * 100} %, then one epoch with the zeros held`,
    );
    const options = { sparsity, domain: mnist, fineTune: kFineTune, seed: kSeed };
    pruned.push(await watch(prune.magnitude(from.model, options)));
  }

  say('All three models on all four domains (report data, which no training has seen)');
  const models = [dense, ...pruned].map(({ model }) => model);
  const labels = ['dense', '90% pruned', '98% pruned'];
  const { report: matrix } = await watch(evaluate.domains(models, domains, { labels }));

  const reports = [matrix, dense.report, ...pruned.map(({ report }) => report)];
  console.log(`\n${renderTable(matrix)}`);
  const files = ['dense.pt', 'pruned-90.pt', 'pruned-98.pt'];
  for (const [i, model] of models.entries()) await model.save(path.join(out, files[i]));
  await saveReport(path.join(out, 'report.html'), reports, {
    title: 'Espalier: pruned, and measured across domains',
  });
  await saveReport(path.join(out, 'report.json'), reports);

  const [accuracy] = matrix.figures.cells[0].map((cell) => cell.accuracy);
  if (accuracy < kGoal)
    throw new Problem(`the dense model reached ${accuracy} on mnist, expected at least ${kGoal}`);
  console.log(whatNext((performance.now() - start) / 1000));

  async function watch(run) {
    const bar = makeDisplay(false);
    try {
      for await (const progress of run) bar.update(progress);
      return await run;
    } finally {
      bar.stop();
    }
  }
});

function say(sentence) {
  console.log(`\n${sentence}`);
}

function whatNext(seconds) {
  return `
Done in ${seconds.toFixed(0)} s. Open demo/report.html in a browser.

Next:
  npx espalier inspect demo/pruned-98.pt
  npx espalier evaluate demo/dense.pt demo/pruned-98.pt --domains mnist,mnist-m --report demo/two.html
  npx espalier prune magnitude demo/dense.pt --sparsity 0.95 --scope layer --domain mnist --fine-tune.epochs 1 --out demo/layer-95.pt
  python3 -c "import torch; print(torch.jit.load('demo/pruned-98.pt').eval())"
`;
}
