import * as z from 'zod';
import { type NativeHandle, native } from './binding.js';
import { Handle, kNative, kWrap } from './handle.js';
import { check } from './schema/check.js';

interface KeyFacts {
  digest: string;
  masked: string;
  weights: number;
}

/**
 * What opens a model that `authorize.applyMask` locked: the values that were cut out of it. Keep it as secret as the
 * dense model: who has both has that model.
 */
export class Key extends Handle<KeyFacts> {
  static [kWrap](handle: NativeHandle): Key {
    return new Key(handle);
  }

  /** Reads what `save` wrote. */
  static async load(path: string): Promise<Key> {
    const file = check(z.string(), path, 'path');
    return new Key(await native((binding) => binding.keyLoad(file), Key.load));
  }

  /** Writes a safetensors file that its owner alone may read. */
  async save(path: string): Promise<void> {
    const file = check(z.string(), path, 'path');
    await native((binding) => binding.keySave(this[kNative], file), this.save);
  }

  /** How many values it holds. */
  get weights(): number {
    return this[kNative].facts.weights;
  }

  /** Digest of the one model that it opens. */
  get masked(): string {
    return this[kNative].facts.masked;
  }

  /** SHA-256 of what `save` writes. */
  get digest(): string {
    return this[kNative].facts.digest;
  }
}
