import type { FineTuneOptions } from '../../lib/attack/fineTune.js';
import type { SampleWiseLearningCurveOptions } from '../../lib/evaluate/sampleWiseLearningCurve.js';
import { attack, authorize, Domain, evaluate, type Model, prune, train } from '../../lib/index.js';
import { claimsOf, kVariants, optionClaimsOf, termClaimsOf } from './ntpClaims.js';
import { accuracy, type Context, fromPython, type Measurement, type Reproduction } from './reproduction.js';

// Non-transferable pruning, with the simulated attacker and as published, against magnitude pruning with about as
// many steps, by what fine-tuning on other domains reaches.

const kSparsity = 0.95;
const kTraining = {
  epochs: 2,
  batchSize: 64,
  optimizer: { kind: 'adam', learningRate: 1e-3, weightDecay: 0 },
} as const;
const kEncoder = ['0.weight', '4.weight', '8.weight'];
const kPublished = { attacker: 'none', alphaTarget: 0.1, lambdaFisher: 100 } as const;
const kHalfPublished = { attacker: 'none', alphaTarget: 0.05, lambdaFisher: 50 } as const;
const kTargetOnly = { ...kPublished, lambdaFisher: 0 } as const;
const kFisherOnly = { ...kPublished, alphaTarget: 0 } as const;
const kPruningOnly = { ...kPublished, alphaTarget: 0, lambdaFisher: 0 } as const;
const kLongAttack = { count: 1000, steps: 750, checkpoints: [150, 300, 750] };

const kShape = { channels: 3, size: 32 };

const kNetwork =
  '3 x 32 x 32, conv16-BN-pool-conv32-BN-pool-conv64-BN with a linear head (23,472 weights of convolutions, of which ' +
  `${kSparsity * 100} % are pruned in every variant), trained for 2 epochs`;
const kArea =
  'area: of the learning curve over the natural logarithm of the samples (15, 60, 250, 1,000, 4,000, as far as there ' +
  'are so many), less that of fresh weights, 150 steps of Adam (rate 0.001, batches of 32) a point; held: zeros stay ' +
  'zero; released: the attacker lifts the mask.';

export async function ntp(context: Context): Promise<Reproduction> {
  const [target, unseen] = [await Domain.sample('mnist-m', kShape), await Domain.sample('syn', kShape)];
  const measurements = await measure(context, (bench) => bench.protect(target, unseen));
  return {
    title: 'Non-transferable pruning',
    setting:
      `mnist to mnist-m, ${kNetwork}; 1,500 steps of non-transferable pruning (simulated attacker: all options as by ` +
      'default; published form: alpha 0.1, lambda 100, and half of both), against global magnitude pruning at once with 2 epochs (1,688 ' +
      `steps) of fine-tuning; ${kArea}`,
    domains: ['mnist', 'mnist-m', 'syn'],
    claims: claimsOf(measurements),
    measurements,
  };
}

/** Either term alone and pruning alone, on two targets. */
export async function ntpTerms(context: Context): Promise<Reproduction> {
  const [target, other] = [await Domain.sample('mnist-m', kShape), await Domain.sample('optdigits', kShape)];
  const measurements = await measure(context, async (bench) => {
    await bench.ablate(target, '');
    await bench.ablate(other, 'optdigits: ');
    await bench.protectElsewhere(other, 'optdigits: ');
  });
  return {
    title: 'Non-transferable pruning: terms, and another target',
    setting: `mnist to mnist-m and to optdigits, networks and variants as in ntp; ${kArea}`,
    domains: ['mnist', 'mnist-m', 'optdigits'],
    claims: termClaimsOf(measurements),
    measurements,
  };
}

/** Each option of the simulated attacker at other values, the rest as by default. */
export async function ntpOptions(context: Context): Promise<Reproduction> {
  const target = await Domain.sample('mnist-m', kShape);
  const measurements = await measure(context, (bench) => bench.vary(target));
  return {
    title: 'Non-transferable pruning: options',
    setting: `mnist to mnist-m, network as in ntp; simulated attacker, one option changed at a time; attacked with 1,000 samples in 150 steps of Adam (rate 0.001, batches of 32): accuracy with the mask held, released, and held with a fresh head`,
    domains: ['mnist', 'mnist-m'],
    claims: optionClaimsOf(measurements),
    measurements,
  };
}

async function measure(context: Context, run: (bench: Bench) => Promise<void>): Promise<Measurement[]> {
  const source = await Domain.sample('mnist', kShape);
  const measurements: Measurement[] = [];
  for (const seed of context.seeds) {
    const bench = new Bench(seed, source, context);
    await bench.prepare();
    await run(bench);
    measurements.push(...bench.measurements);
  }
  return measurements;
}

// What one seed measures.
class Bench {
  readonly measurements: Measurement[] = [];
  #base!: Model;
  #magnitude!: Model;

  constructor(
    private readonly seed: number,
    private readonly source: Domain,
    private readonly context: Context,
  ) {}

  async prepare(): Promise<void> {
    const { seed, source } = this;
    const fresh = await fromPython('transfer', this.context.folder, seed);
    this.#base = (await train.supervised(fresh, { domain: source, seed, ...kTraining })).model;
    this.#note('transfer', { source: await accuracy(this.#base, source) });
    const { model, report } = await prune.magnitude(this.#base, {
      domain: source,
      seed,
      sparsity: kSparsity,
      include: kEncoder,
      fineTune: kTraining,
    });
    this.#magnitude = model;
    await this.#noteModel('magnitude', model, report.figures.sparsity);
  }

  async protect(domain: Domain, unseen: Domain): Promise<void> {
    const { seed } = this;
    const simulated = await this.#protected('simulated attacker', domain);
    const published = await this.#protected('published', domain, kPublished);
    await this.#pair('simulated attacker', simulated, domain);
    const half = await this.#protected('published, half', domain, kHalfPublished);
    await this.#curves(domain, ['published, held', published], ['fresh weights', 'scratch']);
    await this.#curves(domain, ['published, half, held', half], ['transfer', this.#base]);
    // The transferred model has no zeros: released or held is the same to it.
    await this.#curves(domain, ['published, released', published], ['transfer', this.#base], {
      maskHeld: false,
    });
    await this.#curves(
      domain,
      ['simulated attacker, fresh head', simulated],
      ['magnitude, fresh head', this.#magnitude],
      { head: 'fresh' },
    );
    await this.#curves(
      domain,
      ['simulated attacker, held, 750 steps', simulated],
      ['fresh weights, 750 steps', 'scratch'],
      { steps: 750 },
    );
    await this.#curves(
      unseen,
      ['syn: simulated attacker, held', simulated],
      ['syn: fresh weights', 'scratch'],
    );
    await this.#curves(unseen, ['syn: transfer', this.#base], ['syn: magnitude, held', this.#magnitude]);
    await this.#probe(domain, { transfer: this.#base, magnitude: this.#magnitude, simulated });
    for (const maskHeld of [true, false]) {
      const { report } = await attack.fineTune(simulated, { domain, seed, maskHeld, ...kLongAttack });
      const { checkpoints } = report.figures;
      this.#note(
        `long attack, ${maskHeld ? 'held' : 'released'}`,
        Object.fromEntries(checkpoints.map((c) => [`steps ${c.steps}`, c.accuracy.accuracy])),
      );
    }
  }

  // What a linear classifier reads from the features, with 1,000 samples.
  async #probe(domain: Domain, models: { [name: string]: Model }): Promise<void> {
    const figures: Measurement['figures'] = {};
    for (const [name, model] of Object.entries(models)) {
      const { report } = await attack.linearProbe(model, {
        domain,
        seed: this.seed,
        count: 1000,
        steps: 750,
        learningRates: [1e-3, 1e-2],
      });
      figures[name] = report.figures.after.accuracy;
    }
    this.#note('linear probe', figures);
  }

  async protectElsewhere(domain: Domain, prefix: string): Promise<void> {
    const simulated = await this.#protected(`${prefix}simulated attacker`, domain);
    await this.#curves(
      domain,
      [`${prefix}simulated attacker, held`, simulated],
      [`${prefix}magnitude, held`, this.#magnitude],
    );
  }

  async ablate(domain: Domain, prefix: string): Promise<void> {
    const both = await this.#protected(`${prefix}published`, domain, kPublished);
    await this.#curves(domain, [`${prefix}published, held`, both], [`${prefix}fresh weights`, 'scratch']);
    await this.#curves(
      domain,
      [`${prefix}magnitude, held`, this.#magnitude],
      [`${prefix}transfer`, this.#base],
    );
    const fisher = await this.#protected(`${prefix}Fisher term only`, domain, kFisherOnly);
    const loss = await this.#protected(`${prefix}target loss only`, domain, kTargetOnly);
    await this.#curves(
      domain,
      [`${prefix}Fisher term only, held`, fisher],
      [`${prefix}target loss only, held`, loss],
    );
    const alone = await this.#protected(`${prefix}pruning only`, domain, kPruningOnly);
    await this.#curves(
      domain,
      [`${prefix}pruning only, held`, alone],
      [`${prefix}fresh weights under its mask`, 'scratch-under-mask'],
    );
  }

  // The attacker of each: 1,000 samples, 150 steps.
  async vary(domain: Domain): Promise<void> {
    const attacked = async (model: Model, how: Partial<FineTuneOptions>) => {
      const options = { domain, seed: this.seed, count: 1000, steps: 150, ...how };
      return (await attack.fineTune(model, options)).report.figures.after.accuracy;
    };
    for (const { label, options } of kVariants) {
      const model = await this.#protected(label, domain, options);
      this.#note(`attacked: ${label}`, {
        held: await attacked(model, {}),
        released: await attacked(model, { maskHeld: false }),
        freshHead: await attacked(model, { head: 'fresh' }),
      });
    }
  }

  async #protected(label: string, target: Domain, how = {}): Promise<Model> {
    const { model, report } = await authorize.nonTransferablePruning(this.#base, {
      source: this.source,
      target,
      seed: this.seed,
      sparsity: kSparsity,
      ...how,
    });
    await this.#noteModel(label, model, report.figures.sparsity);
    return model;
  }

  async #pair(label: string, model: Model, domain: Domain): Promise<void> {
    for (const maskHeld of [true, false]) {
      const how = maskHeld ? 'held' : 'released';
      await this.#curves(domain, [`${label}, ${how}`, model], [`magnitude, ${how}`, this.#magnitude], {
        maskHeld,
      });
    }
  }

  // Both curves of a run share samples, order and protocol, so any two models can share a run; claims subtract the
  // curve of fresh weights.
  async #curves(
    domain: Domain,
    [label, model]: [string, Model],
    [otherLabel, baseline]: [string, NonNullable<SampleWiseLearningCurveOptions['baseline']>],
    how: Partial<SampleWiseLearningCurveOptions> = {},
  ): Promise<void> {
    const { report } = await evaluate.sampleWiseLearningCurve(model, {
      domain,
      baseline,
      seed: this.seed,
      seeds: 1,
      ...how,
    });
    const { curves } = report.figures;
    for (const [name, curve] of [
      [label, curves.model],
      [otherLabel, curves.baseline],
    ] as const) {
      const figures = Object.fromEntries(curve.map((p) => [`samples ${p.samples}`, p.accuracy.mean]));
      this.#note(`curve: ${name}`, figures);
    }
  }

  async #noteModel(label: string, model: Model, sparsity: number): Promise<void> {
    this.#note(label, { source: await accuracy(model, this.source), sparsity });
  }

  #note(label: string, figures: Measurement['figures']): void {
    if (this.measurements.some((known) => known.label === label)) return;
    const measurement = { label, seed: this.seed, figures };
    this.measurements.push(measurement);
    this.context.log(JSON.stringify(measurement));
  }
}
