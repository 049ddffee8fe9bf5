import * as z from 'zod';
import { type NativeHandle, native } from './binding.js';
import { expected } from './errors.js';
import { Handle, kNative, kWrap } from './handle.js';
import { Model } from './model.js';
import { check } from './schema/check.js';

interface MaskFacts {
  digest: string;
  weights: number;
  kept: number;
  dense: string | null;
}

/** Which weights are kept: true where kept, the same on every device. */
export class Mask extends Handle<MaskFacts> {
  static [kWrap](handle: NativeHandle): Mask {
    return new Mask(handle);
  }

  /** A model's mask: the nonzero pattern of its prunable weights, and of what else was pruned in it. */
  static async of(model: Model): Promise<Mask> {
    if (!(model instanceof Model)) throw expected('a Model', 'model', model);
    return new Mask(await native((binding) => binding.maskOf(model[kNative]), Mask.of));
  }

  /** Reads what `save` wrote. */
  static async load(path: string): Promise<Mask> {
    const file = check(z.string(), path, 'path');
    return new Mask(await native((binding) => binding.maskLoad(file), Mask.load));
  }

  /** Writes a safetensors file with a boolean tensor a weight. */
  async save(path: string): Promise<void> {
    const file = check(z.string(), path, 'path');
    await native((binding) => binding.maskSave(this[kNative], file), this.save);
  }

  /** Weights that it speaks of. */
  get weights(): number {
    return this[kNative].facts.weights;
  }

  /** Those that are kept. */
  get kept(): number {
    return this[kNative].facts.kept;
  }

  /** Share of those that are not. */
  get sparsity(): number {
    return this.weights === 0 ? 0 : 1 - this.kept / this.weights;
  }

  /** Digest of the one model that it was made for; null where it fits any model with weights of these shapes. */
  get dense(): string | null {
    return this[kNative].facts.dense;
  }

  /** SHA-256 of the pattern: masks that keep the same weights have the same. */
  get digest(): string {
    return this[kNative].facts.digest;
  }
}
