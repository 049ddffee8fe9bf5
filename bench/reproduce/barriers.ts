import fs from 'node:fs';
import path from 'node:path';
import { attack, Domain, Key, type Model, train } from '../../lib/index.js';
import { accuracy, type Context, fromPython, type Measurement } from './reproduction.js';

// What the reproductions of barriers against use elsewhere share: domains, networks, keys and the table of figures.

const kShape = { channels: 3, size: 32 };
const kTraining = {
  epochs: 2,
  batchSize: 64,
  optimizer: { kind: 'adam', learningRate: 1e-3, weightDecay: 0 },
} as const;

export type Net = 'plain' | 'transfer';
export const kNetworks: { [net in Net]: string } = {
  plain:
    'conv16-pool-conv32-pool-conv64-pool and linear layers of 64 and 10, without batch norm, for 3 x 32 x 32, trained on mnist for 2 epochs',
  transfer:
    'conv16-BN-pool-conv32-BN-pool-conv64-BN with a linear head, for 3 x 32 x 32, trained on mnist for 2 epochs',
};
export const kSuffix: { [net in Net]: string } = { plain: '', transfer: ', with batch norm' };

/** What one seed measures. */
export class Barriers {
  readonly measurements: Measurement[] = [];

  constructor(
    readonly seed: number,
    readonly source: Domain,
    readonly target: Domain,
    private readonly context: Context,
  ) {}

  static async each(context: Context, run: (bench: Barriers) => Promise<void>): Promise<Measurement[]> {
    const source = await Domain.sample('mnist', kShape);
    const target = await Domain.sample('mnist-m', kShape);
    const measurements: Measurement[] = [];
    for (const seed of context.seeds) {
      const bench = new Barriers(seed, source, target, context);
      await run(bench);
      measurements.push(...bench.measurements);
    }
    return measurements;
  }

  async train(net: Net, seed = this.seed): Promise<Model> {
    const fresh = await fromPython('fresh-net', this.context.folder, net, seed);
    return (await train.supervised(fresh, { domain: this.source, seed, ...kTraining })).model;
  }

  /** A secret that is the same in every run; an owner takes Key.create(). */
  async key(): Promise<Key> {
    const file = path.join(this.context.folder, `seed-${this.seed}.key`);
    await (await Key.create()).save(file);
    const bytes = fs.readFileSync(file);
    bytes.fill(this.seed, bytes.length - 32);
    fs.writeFileSync(file, bytes);
    return await Key.load(file);
  }

  /** Accuracy on report data by the name of a domain, in percent. */
  async note(label: string, model: Model, domains: { [name: string]: Domain }): Promise<void> {
    const figures: Measurement['figures'] = {};
    for (const [name, domain] of Object.entries(domains)) figures[name] = await accuracy(model, domain);
    this.noteFigures(label, figures);
  }

  noteFigures(label: string, figures: Measurement['figures']): void {
    this.measurements.push({ label, seed: this.seed, figures });
    const words = Object.entries(figures).map(([name, value]) => `${name} ${Number(value).toPrecision(4)}`);
    this.context.log(`seed ${this.seed}  ${label}: ${words.join(', ')}`);
  }

  /** Fine-tuning on labelled samples of the target: accuracy there, in percent. */
  async fineTuned(model: Model): Promise<number> {
    const { figures } = (
      await attack.fineTune(model, { domain: this.target, seed: this.seed, count: 300, steps: 150 })
    ).report;
    return figures.after.accuracy * 100;
  }
}

/** The figures by label, one value a seed. */
export class Figures {
  constructor(private readonly measurements: Measurement[]) {}

  of(label: string, name: string): number[] {
    return this.measurements
      .filter((measurement) => measurement.label === label)
      .map(({ figures }) => figures[name])
      .filter((value): value is number => typeof value === 'number');
  }
}

export const minus = (a: number[], b: number[]) => a.map((value, i) => value - (b[i] as number));
/** Relative drops, in percent. */
export const drops = (before: number[], after: number[]) =>
  before.map((value, i) => (100 * (value - (after[i] as number))) / value);
