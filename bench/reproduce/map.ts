import { attack, authorize, evaluate, type Model } from '../../lib/index.js';
import { Barriers, drops, Figures, kNetworks, kSuffix, minus, type Net } from './barriers.js';
import { type Claim, type Context, mean, type Reproduction, spread } from './reproduction.js';

// Mask pruning with and without its data, against masks that know nothing of the target.

const kControls = ['lambda 0', 'random', 'magnitude'];

export const map = (context: Context) => reproduceOn('plain', context);
export const mapNorms = (context: Context) => reproduceOn('transfer', context);

async function reproduceOn(net: Net, context: Context): Promise<Reproduction> {
  const measurements = await Barriers.each(context, (bench) => measure(bench, net));
  return {
    title: `Mask pruning${kSuffix[net]}`,
    setting:
      `mnist to mnist-m; ${kNetworks[net]}; 600 steps on the mask, all options as by default; non-transferable ` +
      'learning beside it in as many steps. Accuracies on report data, in percent; those under control masks on ' +
      'select data, beside the learned mask on the same.',
    domains: ['mnist', 'mnist-m'],
    claims: claimsOf(new Figures(measurements), net),
    measurements,
  };
}

async function measure(bench: Barriers, net: Net): Promise<void> {
  const { source, target, seed } = bench;
  const domains = { source, target };
  const base = await bench.train(net);
  await bench.note('trained', base, domains);
  const given = await authorize.maskPruning(base, { variant: 'sourceAvailable', source, target, seed });
  await bench.note('masked', given.model, domains);
  const { figures } = given.report;
  const onSelect: { [name: string]: number } = {
    'trained, target': (figures.targets[0]?.before ?? 0) * 100,
    'learned, source': figures.source.after * 100,
    'learned, target': (figures.targets[0]?.after ?? 0) * 100,
    pruned: figures.sparsity * 100,
  };
  for (const control of figures.controls) {
    onSelect[`${control.name}, source`] = control.source * 100;
    onSelect[`${control.name}, target`] = (control.targets[0] ?? 0) * 100;
  }
  bench.noteFigures('masks on select data', onSelect);
  const batch = { capOver: 'batch', beta: 1, learningRate: 1e-3, steps: 300, controls: false } as const;
  const mask = async (label: string, how: object) => {
    const options = { variant: 'sourceAvailable', source, target, seed, controls: false, ...how } as const;
    await bench.note(label, (await authorize.maskPruning(base, options)).model, domains);
  };
  await mask('masked, cap over the batch', batch);
  await mask('masked, pseudo-labels', { targetLabels: 'pseudo' });
  const learned = await authorize.nonTransferableLearning(base, {
    variant: 'targetSpecified',
    source,
    target,
    seed,
    control: false,
  });
  await ratios(bench, base, { masked: given.model, learned: learned.model });
  await attacks(bench, base, given.model);
  if (net === 'transfer') await imagined(bench, base);
}

async function ratios(bench: Barriers, base: Model, models: { [label: string]: Model }) {
  const figures: { [name: string]: number } = {};
  for (const [label, model] of Object.entries(models)) {
    const { report } = await evaluate.sourceTargetDrop(base, model, {
      source: bench.source,
      target: bench.target,
      seed: bench.seed,
    });
    const { value } = report.figures.ratioOfMeans;
    if (value !== null) figures[label] = value;
  }
  bench.noteFigures('ST-D', figures);
}

async function attacks(bench: Barriers, base: Model, masked: Model): Promise<void> {
  const { target, seed } = bench;
  const guess = async (options: object) =>
    (await attack.maskGuess(masked, { domain: target, seed, ...options })).report.figures.after.accuracy *
    100;
  bench.noteFigures('attacked, target', {
    trained: await bench.fineTuned(base),
    'fine-tuned on 300 samples': await bench.fineTuned(masked),
    'zeros at the mean': await guess({ refill: 'mean' }),
    'zeros as noise': await guess({ refill: 'he' }),
    'mask flipped by 1 %': await guess({ refill: 'mean', flip: 0.01 }),
  });
}

// Without the source, and without any data.
async function imagined(bench: Barriers, base: Model): Promise<void> {
  const { source, target, seed } = bench;
  const options = { seed, controls: false } as const;
  const free = await authorize.maskPruning(base, { variant: 'sourceFree', target, ...options });
  await bench.note('source-free', free.model, { source, target });
  bench.noteFigures('generator', {
    agreement: 100 * (free.report.figures.generator[0]?.agreement ?? 0),
    'source samples read': free.report.figures.read.source,
  });
  const none = await authorize.maskPruning(base, {
    variant: 'dataFree',
    imageShape: [3, 32, 32],
    ...options,
  });
  await bench.note('data-free', none.model, { source, target });
}

const around = (values: number[], digits = 1) =>
  values.length > 1 ? spread(values, digits) : mean(values).toFixed(digits);

function claimsOf(figures: Figures, net: Net): Claim[] {
  const of = (label: string, name: string) => figures.of(label, name);
  const lost = (label: string) => minus(of('trained', 'source'), of(label, 'source'));
  const dropped = (label: string) => drops(of('trained', 'target'), of(label, 'target'));
  const select = (name: string) => of('masks on select data', name);
  const attacked = (name: string) => of('attacked, target', name);
  const change = (label: string) =>
    `source ${around(lost(label))} points lower; target ${around(of('trained', 'target'))} to ${around(of(label, 'target'))} %, a drop of ${around(dropped(label))} %`;
  const ratio = of('ST-D', 'masked');
  return [
    {
      id: 'mask',
      text: 'the source loses at most 2 points, mnist-m at least 35 % of its accuracy, and ST-D is at most 0.06.',
      measured: `${change('masked')}; ST-D ${around(ratio, 3)}; ${around(select('pruned'))} % pruned`,
      holds: mean(lost('masked')) <= 2 && mean(dropped('masked')) >= 35 && mean(ratio) <= 0.06,
    },
    {
      id: 'pseudo',
      text: `with the model's own answers as labels of the target the source loses at most 2 points, and mnist-m at least 20 % of its accuracy.`,
      measured: change('masked, pseudo-labels'),
      holds: mean(lost('masked, pseudo-labels')) <= 2 && mean(dropped('masked, pseudo-labels')) >= 20,
    },
    {
      id: 'cap',
      text: 'capped over samples, the target loses more than capped over the batch (rate 0.001, beta 1, 300 steps).',
      measured: `${change('masked')}, against: ${change('masked, cap over the batch')}`,
      holds: mean(dropped('masked')) > mean(dropped('masked, cap over the batch')),
      isGoal: true,
    },
    {
      id: 'controls',
      text: 'random and magnitude masks that prune as much of each layer, and one learned without the target, leave the target higher than the learned mask; without the target it loses at most 5 points.',
      measured: kControls
        .map(
          (name) =>
            `${name}: source ${around(select(`${name}, source`))}, target ${around(select(`${name}, target`))} %`,
        )
        .concat(`without a mask: target ${around(select('trained, target'))} %`)
        .concat(`learned: ${around(select('learned, source'))}, ${around(select('learned, target'))} %`)
        .join('; '),
      holds:
        kControls.every((name) => mean(select(`${name}, target`)) > mean(select('learned, target'))) &&
        mean(select('trained, target')) - mean(select('lambda 0, target')) <= 5,
    },
    {
      id: 'learning',
      text: 'its ST-D is at most that of non-transferable learning in as many steps.',
      measured: `${around(ratio, 3)} against ${around(of('ST-D', 'learned'), 3)}`,
      holds: mean(ratio) <= mean(of('ST-D', 'learned')),
      isGoal: true,
    },
    {
      id: 'guess',
      text: 'refilled zeros and a flipped mask leave the target at least 20 % below the trained model.',
      measured: ['zeros at the mean', 'zeros as noise', 'mask flipped by 1 %']
        .map((name) => `${name}: ${around(attacked(name))} %`)
        .join('; '),
      holds: ['zeros at the mean', 'zeros as noise', 'mask flipped by 1 %'].every(
        (name) => mean(attacked(name)) <= 0.8 * mean(of('trained', 'target')),
      ),
    },
    {
      id: 'limits',
      text: 'fine-tuned on 300 labelled target samples it stays below the trained model, so fine-tuned.',
      measured: `${around(attacked('fine-tuned on 300 samples'))} %, trained model ${around(attacked('trained'))} %`,
      holds: mean(attacked('fine-tuned on 300 samples')) < mean(attacked('trained')),
      isGoal: true,
    },
    ...(net === 'transfer' ? imaginedClaims(of, change, lost, dropped) : []),
  ];
}

function imaginedClaims(
  of: (label: string, name: string) => number[],
  change: (label: string) => string,
  lost: (label: string) => number[],
  dropped: (label: string) => number[],
): Claim[] {
  return [
    {
      id: 'source-free',
      text: 'Without the source no source sample is read, the model takes at least 90 % of the made images for their class, the source loses at most 5 points and mnist-m at least 20 % of its accuracy.',
      measured: `${Math.max(...of('generator', 'source samples read'))} source samples read; ${around(of('generator', 'agreement'))} % taken for their class; ${change('source-free')}`,
      holds:
        of('generator', 'source samples read').every((count) => count === 0) &&
        mean(of('generator', 'agreement')) >= 90 &&
        mean(lost('source-free')) <= 5 &&
        mean(dropped('source-free')) >= 20,
      isGoal: true,
    },
    {
      id: 'data-free',
      text: 'Without any data the source loses at most 8 points, and mnist-m some of its accuracy.',
      measured: change('data-free'),
      holds: mean(lost('data-free')) <= 8 && mean(dropped('data-free')) > 0,
      isGoal: true,
    },
  ];
}
