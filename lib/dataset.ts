import * as z from 'zod';
import { callerSite, type NativeHandle, native, nativeAt, nativeNow } from './binding.js';
import { type DataSource, prepareSource } from './data/open.js';
import { Handle, kNative, kWrap } from './handle.js';
import { check } from './schema/check.js';
import type { Tensor } from './value.js';

const source = z
  .custom<DataSource>((value) => isDataSource(value))
  .meta({ noun: 'path or { images, labels }' });
const openOptions = z.strictObject({ size: z.int().min(1).optional(), classes: z.int().min(1).optional() });
const resizeOptions = z.strictObject({ size: z.int().min(1), channels: z.int().min(1).optional() });
const takeOptions = z.strictObject({ seed: z.int().min(0), stratified: z.boolean().default(false) });
const splitOptions = z.strictObject({ seed: z.int().min(0) });
const count = z.int().min(1);
const fractions = z.array(z.number().gt(0).lte(1)).min(1);
const fromOptions = z.strictObject({
  data: z
    .custom<Tensor['data']>((value) => ArrayBuffer.isView(value) && !(value instanceof DataView))
    .meta({ noun: 'TypedArray' }),
  shape: z.array(z.int().min(0)).min(2),
  labels: z
    .custom<Labels>(
      (value) => Array.isArray(value) || value instanceof Int32Array || value instanceof BigInt64Array,
    )
    .meta({ noun: 'list of labels, an Int32Array or a BigInt64Array' }),
  classes: z.int().min(1).optional(),
});

export type Labels = number[] | Int32Array | BigInt64Array;
export interface DatasetData {
  /** N x C x H x W, or N x D, or N x L: uint8, float32, int32 or int64. */
  data: Tensor['data'];
  shape: number[];
  labels: Labels;
  /** How many there are; the largest label + 1 by default. */
  classes?: number;
}

interface DatasetFacts {
  length: number;
  shape: number[];
  classes: number;
}

/** Samples with labels. Immutable; what `split`, `take` and `resize` return are views that share its storage. */
export class Dataset extends Handle<DatasetFacts> {
  static [kWrap](handle: NativeHandle): Dataset {
    return new Dataset(handle);
  }

  /**
   * Opens files: IDX (also gzipped), npy, npz, safetensors, CIFAR binary, or a folder of images with a folder a
   * class. `size` brings images to size x size pixels; `classes` says how many there are where the labels do
   * not show it.
   */
  static async open(from: DataSource, options: z.input<typeof openOptions> = {}): Promise<Dataset> {
    const site = callerSite(Dataset.open);
    const where = check(source, from, 'source');
    const { size, classes } = check(openOptions, options, 'Dataset.open');
    const { images, labels, classNames } = await prepareSource(where, size === undefined ? {} : { size });
    const prepared = { images, labels, classes: classes ?? classNames?.length };
    const dataset = new Dataset(await nativeAt((binding) => binding.datasetOpen(prepared), site));
    if (size === undefined || dataset.shape.slice(-2).every((extent) => extent === size)) return dataset;
    const resized = dataset.resize({ size });
    await dataset.dispose();
    return resized;
  }

  /** A dataset from numbers in memory, which are copied; they may change once the promise is settled. */
  static async from(source: DatasetData): Promise<Dataset> {
    const { data, shape, labels, classes } = check(fromOptions, source, 'Dataset.from');
    const samples = { data, shape };
    return new Dataset(
      await native(
        (binding) => binding.datasetFrom(samples, labelTensor(labels), classes ?? null),
        Dataset.from,
      ),
    );
  }

  get length(): number {
    return this[kNative].facts.length;
  }

  /** Of one sample: [channels, height, width] or [features]. */
  get shape(): number[] {
    return this[kNative].facts.shape;
  }

  get classes(): number {
    return this[kNative].facts.classes;
  }

  /** SHA-256 of bytes, selection and transform. */
  async digest(): Promise<string> {
    return await native((binding) => binding.datasetDigest(this[kNative]), this.digest);
  }

  /** Parts of the given fractions, drawn by seed. */
  async split(parts: number[], options: z.input<typeof splitOptions>): Promise<Dataset[]> {
    const checked = check(fractions, parts, 'fractions');
    const { seed } = check(splitOptions, options, 'Dataset.split');
    const handles = await native((binding) => binding.datasetSplit(this[kNative], checked, seed), this.split);
    return handles.map((handle) => new Dataset(handle));
  }

  /** `n` samples, drawn by seed; `stratified` keeps the classes' shares. */
  async take(n: number, options: z.input<typeof takeOptions>): Promise<Dataset> {
    const checked = check(count, n, 'n');
    const { seed, stratified } = check(takeOptions, options, 'Dataset.take');
    return new Dataset(
      await native((binding) => binding.datasetTake(this[kNative], checked, seed, stratified), this.take),
    );
  }

  /** A view of square images of `size` pixels by bilinear interpolation; `channels` repeats a single channel. */
  resize(options: z.input<typeof resizeOptions>): Dataset {
    const { size, channels } = check(resizeOptions, options, 'Dataset.resize');
    return new Dataset(
      nativeNow((binding) => binding.datasetResize(this[kNative], size, channels ?? null), this.resize),
    );
  }
}

/** Whether it is what `open` takes; not part of the API. */
export function isDataSource(value: unknown): value is DataSource {
  if (typeof value === 'string') return true;
  const pair = value as { images?: unknown; labels?: unknown } | null | undefined;
  return typeof pair?.images === 'string' && typeof pair.labels === 'string';
}

/** Images of one size inside larger ones of zeros; not part of the API. */
export function pad(dataset: Dataset, size: number): Dataset {
  return Dataset[kWrap](nativeNow((binding) => binding.datasetPad(dataset[kNative], size), pad));
}

function labelTensor(labels: Labels): { data: BigInt64Array | Int32Array; shape: number[] } {
  const data = Array.isArray(labels)
    ? BigInt64Array.from(labels, (label, i) => BigInt(check(z.int().min(0), label, `labels[${i}]`)))
    : labels;
  return { data, shape: [labels.length] };
}
