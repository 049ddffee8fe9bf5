import { type NativeHandle, native } from './binding.js';

/** The native side of a handle, and how a class makes itself from one. Not part of the API. */
export const kNative = Symbol('espalier.native');
export const kWrap = Symbol('espalier.wrap');

/**
 * What Model, Mask, Dataset and Domain have in common: they stand for something native that is freed by
 * `dispose()`, at the end of an `await using` block, or by garbage collection. What runs keeps what it uses.
 */
export abstract class Handle<Facts = unknown> {
  declare readonly [kNative]: NativeHandle<Facts>;

  protected constructor(handle: NativeHandle) {
    Object.defineProperty(this, kNative, { value: handle });
    // A symbol cannot be cloned, so posting a handle to another thread throws, and the message is this text.
    const why = `this ${handle.kind} belongs to the thread that made it: load or open it there`;
    Object.defineProperty(this, 'thread', { value: Symbol(why), enumerable: true });
  }

  /** Frees the memory; a second call does nothing. A run that uses it goes on. */
  async dispose(): Promise<void> {
    await native((binding) => binding.handleDispose(this[kNative]), this.dispose);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
