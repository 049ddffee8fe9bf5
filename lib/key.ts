import * as z from 'zod';
import { type NativeHandle, native } from './binding.js';
import { Handle, kNative, kWrap } from './handle.js';
import { check } from './schema/check.js';

interface KeyFacts {
  digest: string;
  holds: 'secret' | 'weights';
  masked: string | null;
  weights: number;
}

/**
 * What only the owner holds. Either a secret, which `create` makes and patterns are derived from: it proves
 * ownership, or opens a model to those who have it. Or what opens a model that `authorize.applyMask` locked, the
 * values that were cut out of it: as secret as the dense model.
 */
export class Key extends Handle<KeyFacts> {
  static [kWrap](handle: NativeHandle): Key {
    return new Key(handle);
  }

  /** A secret of 32 bytes from the operating system's generator: never from a seed, so save it. */
  static async create(): Promise<Key> {
    return new Key(await native((binding) => binding.keyCreate(), Key.create));
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

  /** Whether it is a secret, or holds weights. */
  get holds(): 'secret' | 'weights' {
    return this[kNative].facts.holds;
  }

  /** How many values it holds; 0 of a secret. */
  get weights(): number {
    return this[kNative].facts.weights;
  }

  /** Digest of the one model that it opens; null for a secret. */
  get masked(): string | null {
    return this[kNative].facts.masked;
  }

  /** SHA-256 of what `save` writes. */
  get digest(): string {
    return this[kNative].facts.digest;
  }
}
