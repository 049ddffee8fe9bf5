import { join } from 'node:path';
import * as z from 'zod';
import { type NativeHandle, native } from './binding.js';
import { findSample, type SampleDescription, sampleNames } from './data/index.js';
import type { DataSource } from './data/open.js';
import { Dataset, type DatasetData, isDataSource, pad } from './dataset.js';
import { EspalierTypeError, outOfRange } from './errors.js';
import { Handle, kNative, kWrap } from './handle.js';
import { Key } from './key.js';
import { check } from './schema/check.js';
import { patchOptions } from './schema/patch.js';

interface DomainFacts {
  name: string;
  classes: number;
  shape: number[];
  roles: ('fit' | 'select' | 'report')[];
}

const kSelectFraction = 0.1;
export const kReport = Symbol('report');

const datasetSource = z
  .custom<DomainSource>((value) => value instanceof Dataset || isDataSource(value))
  .meta({ noun: 'Dataset, a path, or { images, labels }' });
const name = z.string().min(1);
const secretKey = z.custom<Key>((value) => value instanceof Key).meta({ noun: 'Key' });
const fraction = z.number().min(0).lt(1);
const keys = z.strictObject({
  name: z.unknown(),
  fit: z.unknown().optional(),
  select: z.unknown().optional(),
  report: z.unknown().optional(),
});
const sampleOptions = z.strictObject({
  channels: z.int().min(1).default(3),
  size: z.int().min(1).default(32),
});

export type DomainSource = Dataset | DataSource;

export interface DomainOptions {
  name: string;
  /** What trains. */
  fit?: DomainSource;
  /**
   * What chooses thresholds, stops and best iterates: data of its own, or the fraction of `fit` that is held out
   * for it, cut by content. 0.1 by default; 0 holds nothing out.
   */
  select?: DomainSource | number;
  /** Only ever read for published figures. */
  report?: DomainSource;
}

/** One data domain: a name and up to three datasets with roles. */
export class Domain extends Handle<DomainFacts> {
  static [kWrap](handle: NativeHandle): Domain {
    return new Domain(handle);
  }

  /** A domain of datasets, or of files that `Dataset.open` reads. */
  static async open(options: DomainOptions): Promise<Domain> {
    const given = check(keys, options, 'Domain.open');
    const called = check(name, given.name, 'name');
    const scope = new Scope();
    try {
      const fit = await scope.open(given.fit, 'fit');
      const report = await scope.open(given.report, 'report');
      if (given.select === undefined || typeof given.select === 'number') {
        const share = check(fraction, given.select ?? kSelectFraction, 'select');
        if (fit === undefined && given.select !== undefined) {
          throw new EspalierTypeError('expected fit data for select to be a fraction of, received none');
        }
        return await scope.assemble(called, ...(await scope.holdOut(fit, share)), report);
      }
      return await scope.assemble(called, fit, await scope.open(given.select, 'select'), report);
    } finally {
      await scope.close();
    }
  }

  /**
   * A sample domain, made by `espalier data`, in one shape for all: MNIST-sized images get a frame of zeros,
   * those of optdigits are enlarged; a grey image is repeated over the channels.
   */
  static async sample(
    called: (typeof sampleNames)[number],
    options: z.input<typeof sampleOptions> = {},
  ): Promise<Domain> {
    const which = check(z.enum(sampleNames), called, 'name');
    const { channels, size } = check(sampleOptions, options, 'Domain.sample');
    const { folder, description } = await findSample(which);
    const scope = new Scope();
    try {
      const open = async (role: 'fit' | 'report') => {
        const { images, labels } = description[role];
        const source = { images: join(folder, images), labels: join(folder, labels) };
        return scope.shape(
          await scope.own(Dataset.open(source, { classes: description.classes })),
          description,
          size,
          channels,
        );
      };
      const [kept, heldOut] = await scope.holdOut(await open('fit'), kSelectFraction);
      return await scope.assemble(which, kept, heldOut, await open('report'));
    } finally {
      await scope.close();
    }
  }

  /**
   * The same images with the pattern of a secret key on each: what a licensed user's inputs look like, or what an
   * owner asks a suspect model with.
   *
   * @throws ERR_OUT_OF_RANGE for a channel that the images do not have, ERR_DATA_INVALID for samples that are no
   *   images, ERR_INVALID_ARG_TYPE for a key that is no secret
   */
  async patch(key: Key, options: z.input<typeof patchOptions> = {}): Promise<Domain> {
    const secret = check(secretKey, key, 'key');
    const patch = check(patchOptions, options, 'Domain.patch');
    return new Domain(
      await native((binding) => binding.domainPatch(this[kNative], secret[kNative], patch), this.patch),
    );
  }

  /** Its report data as numbers of this process; not part of the API. */
  async [kReport](): Promise<DatasetData & { name: string }> {
    const { name, samples, labels, classes } = await native(
      (binding) => binding.domainReport(this[kNative]),
      this[kReport],
    );
    return {
      name,
      data: samples.data as DatasetData['data'],
      shape: samples.shape,
      labels: labels.data as BigInt64Array,
      classes,
    };
  }

  get name(): string {
    return this[kNative].facts.name;
  }

  get classes(): number {
    return this[kNative].facts.classes;
  }

  /** Of one sample: [channels, height, width] or [features]. */
  get shape(): number[] {
    return this[kNative].facts.shape;
  }

  /** Which datasets it has. */
  get roles(): ('fit' | 'select' | 'report')[] {
    return this[kNative].facts.roles;
  }
}

type Maybe = Dataset | undefined;

// The datasets that are made on the way to a domain; the domain keeps what it needs of them.
class Scope {
  readonly #owned: Dataset[] = [];

  async own(dataset: Dataset | Promise<Dataset>): Promise<Dataset> {
    const made = await dataset;
    this.#owned.push(made);
    return made;
  }

  async open(given: unknown, role: string): Promise<Maybe> {
    if (given === undefined) return undefined;
    const source = check(datasetSource, given, role);
    return source instanceof Dataset ? source : await this.own(Dataset.open(source));
  }

  async shape(dataset: Dataset, { name, shape }: SampleDescription, size: number, channels: number) {
    const [own = 0, , pixels = 0] = shape;
    if (channels !== own && own !== 1)
      throw outOfRange(
        `${own} channels`,
        `the sample domain '${name}', whose images are in colour,`,
        channels,
      );
    const framed = name !== 'optdigits' && size > pixels ? await this.own(pad(dataset, size)) : dataset;
    if (framed.shape.at(-1) === size && own === channels) return framed;
    return await this.own(framed.resize(own === channels ? { size } : { size, channels }));
  }

  async holdOut(fit: Maybe, share: number): Promise<[Maybe, Maybe]> {
    if (fit === undefined || share === 0) return [fit, undefined];
    const cut = await native((binding) => binding.datasetHoldOut(fit[kNative], share), Domain.open);
    const [kept, heldOut] = cut.map((handle) => Dataset[kWrap](handle)) as [Dataset, Dataset];
    return [await this.own(kept), await this.own(heldOut)];
  }

  async assemble(called: string, fit: Maybe, select: Maybe, report: Maybe): Promise<Domain> {
    const side = (dataset: Maybe) => dataset?.[kNative] ?? null;
    return Domain[kWrap](
      await native(
        (binding) => binding.domainCreate(called, side(fit), side(select), side(report)),
        Domain.open,
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#owned.map((dataset) => dataset.dispose()));
  }
}
