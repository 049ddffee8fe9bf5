import type { AnyMethod } from '../schema/method.js';

/** Anything that can be written to a file: a model, a mask. */
export interface Savable {
  save(path: string): Promise<void>;
}

/** The size of the images that models take. */
export interface ImageShape {
  channels: number;
  size: number;
}

export interface OpenOptions {
  device: string;
  trust: boolean;
}

/** What the commands that run methods need of the library; the tests put another in its place. */
export interface Library {
  methods: readonly AnyMethod[];
  /** Whether what the noun stands for can be written to a file. */
  saves(noun: string): boolean;
  /** A handle of one of the nouns that are files: 'Model', 'Mask', 'Key', 'Trail', 'Dataset'. */
  open(noun: string, path: string, options: OpenOptions): Promise<unknown>;
  /** A fresh model: `architecture` and what `Model.create` takes. */
  create(creation: Creation): Promise<unknown>;
  /** What the models among the handles take; undefined where they do not say. */
  imagesOf(models: readonly unknown[]): Promise<ImageShape | undefined>;
  /** The names of the sample domains. */
  samples: readonly string[];
  sample(name: string, images: ImageShape | undefined): Promise<unknown>;
  domain(description: { [key: string]: unknown }): Promise<unknown>;
}

export interface Creation {
  architecture: string;
  classes?: number;
  inChannels?: number;
  inputSize?: number;
  widths?: number[];
  seed: number;
}
