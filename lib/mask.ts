import type { NativeHandle } from './binding.js';
import { Handle, kWrap } from './handle.js';

/** Which weights are kept: true where kept, the same on every device. */
export class Mask extends Handle {
  static [kWrap](handle: NativeHandle): Mask {
    return new Mask(handle);
  }
}
