import { type NativeHandle, native } from './binding.js';

/** The native side of a handle, and how a class makes itself from one. Not part of the API. */
export const kNative = Symbol('espalier.native');
export const kWrap = Symbol('espalier.wrap');

/**
 * What Model, Mask, Dataset and Domain have in common: they stand for something native that is freed by
 * `dispose()`, at the end of an `await using` block, or by garbage collection. What runs keeps what it uses.
 */
export abstract class Handle<Facts = unknown> {
  readonly [kNative]: NativeHandle<Facts>;

  protected constructor(handle: NativeHandle) {
    this[kNative] = handle as NativeHandle<Facts>;
  }

  /** Frees the memory; a second call does nothing. A run that uses it goes on. */
  async dispose(): Promise<void> {
    await native((binding) => binding.handleDispose(this[kNative]), this.dispose);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
