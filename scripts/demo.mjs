import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { inRoot } from './lib/paths.mjs';
import { main, Problem } from './lib/problem.mjs';

const kHelp = `npm run demo [-- --full]: a model of handwritten digits that is of use on its owner's domain (mnist) and not on
another (mnist-m), attacked as its buyer would. Everything that it writes is under demo/

  --full    the whole grid of attacks, three seeds, two more domains; about an hour on two cores`;

const kDomains = ['mnist', 'mnist-m', 'optdigits', 'syn'];
const kTraining = {
  epochs: 2,
  batchSize: 128,
  optimizer: { learningRate: 0.1 },
  schedule: { kind: 'cosine', warmup: 0.1 },
};
const kGoal = 0.985;
const kQuick = {
  seeds: [1],
  others: [],
  judged: {
    counts: [60, 1000],
    reportSamples: 2000,
    stepFactors: [0.2, 1, 5],
    attacks: ['fine-tune', 'release-mask', 'fresh-head', 'linear-probe'],
  },
};
const kFull = { seeds: [1, 2, 3], others: ['optdigits', 'syn'], judged: {} };

await main(async () => {
  const { values } = parseArgs({ options: { full: { type: 'boolean', default: false } } });
  const setting = values.full ? kFull : kQuick;
  const { Domain, Model, authorize, evaluate, train } = await import('../dist/lib/index.js');
  const { makeSamples } = await import('../dist/lib/data/index.js');
  const { renderTable, saveReport } = await import('../dist/lib/report/index.js');
  const { makeDisplay } = await import('../dist/lib/cli/terminal.js');
  const out = inRoot('demo');
  fs.mkdirSync(out, { recursive: true });
  const start = performance.now();

  say('The domains: handwritten digits, and the same over colour photographs');
  const names = kDomains.filter((name, i) => i < 2 || setting.others.includes(name));
  const onProgress = ({ name, message }) => console.log(`  ${name.padEnd(9)}  ${message}`);
  await makeSamples({ names, out: inRoot('data'), onProgress });
  const [source, target, ...others] = await Promise.all(names.map((name) => Domain.sample(name)));

  for (const seed of setting.seeds) {
    const suffix = seed === 1 ? '' : `-${seed}`;
    say(`A convolutional network learns its owner's digits (mnist), seed ${seed}`);
    const fresh = await Model.create('convnet', { classes: 10, widths: [16, 32, 64, 64], seed });
    const { model, report: training } = await watch(
      train.supervised(fresh, { domain: source, seed, ...kTraining }),
    );

    say('Non-transferable pruning: 90 % of the weights go, and what stays resists fine-tuning on mnist-m');
    const protection = { source, target, sparsity: 0.9, seed };
    const { model: locked, report: protecting } = await watch(
      authorize.nonTransferablePruning(model, protection),
    );
    await model.save(path.join(out, `model${suffix}.pt`));
    await locked.save(path.join(out, `locked${suffix}.pt`));

    say('What a buyer gets out of it: attacks, training from scratch, and two controls at equal sparsity');
    const domains = { source, target, ...(others.length > 0 ? { others } : {}) };
    const { report: verdict } = await watch(
      evaluate.authorization(model, locked, { ...domains, ...setting.judged, seed }),
    );

    const reports = [verdict, protecting, training];
    console.log(`\n${renderTable(verdict)}`);
    await saveReport(path.join(out, `report${suffix}.html`), reports, {
      title: 'Espalier: protected, attacked, and measured',
    });
    await saveReport(path.join(out, `report${suffix}.json`), reports);
    const [{ accuracy }] = verdict.figures.matrix.cells[0];
    if (accuracy < kGoal)
      throw new Problem(`the model reached ${accuracy} on mnist, expected at least ${kGoal}`);
  }
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
}, kHelp);

function say(sentence) {
  console.log(`\n${sentence}`);
}

function whatNext(seconds) {
  return `
Done in ${seconds.toFixed(0)} s. Open demo/report.html in a browser.

Next:
  npx espalier inspect demo/locked.pt
  npx espalier evaluate demo/model.pt demo/locked.pt --domains mnist,mnist-m --report demo/two.html
  npx espalier attack fine-tune demo/locked.pt --domain mnist-m --count 1000 --steps 750 --out demo/stolen.pt
  python3 -c "import torch; print(torch.jit.load('demo/locked.pt').eval())"
`;
}
