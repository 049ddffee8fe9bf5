import * as z from 'zod';
import type { NativeHandle } from '../binding.js';
import { Dataset } from '../dataset.js';
import { Domain } from '../domain.js';
import { kWrap } from '../handle.js';
import { Key } from '../key.js';
import { Mask } from '../mask.js';
import { Model } from '../model.js';
import { Trail } from '../trail.js';
import type { FieldMeta } from './descriptor.js';

/** The classes behind the nouns that methods take and return. */
export interface Handles {
  Model: Model;
  Dataset: Dataset;
  Domain: Domain;
  Mask: Mask;
  Key: Key;
  Trail: Trail;
}
export type Noun = keyof Handles;
export type HandleOf<N extends Noun> = Handles[N];
export const handleClasses = { Model, Dataset, Domain, Mask, Key, Trail };

/** A handle as an input of a method. */
export function handle<N extends Noun>(noun: N): z.ZodCustom<HandleOf<N>, HandleOf<N>> {
  const meta: FieldMeta = { noun };
  return z.custom<HandleOf<N>>((value) => value instanceof handleClasses[noun]).meta({ ...meta });
}

/** One handle, or a list of them. */
export function oneOrList<N extends Noun>(noun: N) {
  return z.union([handle(noun), z.array(handle(noun))]);
}

/** One of a few words, or a handle. */
export function wordsOr<const Words extends readonly [string, ...string[]], N extends Noun>(
  words: Words,
  noun: N,
) {
  return z.union([z.enum(words), handle(noun)]);
}

/** The object of the API that stands for a native handle. */
export function wrap(native: NativeHandle): HandleOf<Noun> {
  const noun = native.kind as Noun;
  return handleClasses[noun][kWrap](native);
}
