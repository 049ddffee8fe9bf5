import type { NativeHandle } from './binding.js';
import { Handle, kNative, kWrap } from './handle.js';

interface DomainFacts {
  name: string;
  classes: number;
  shape: number[];
  roles: ('fit' | 'select' | 'report')[];
}

/** One data domain: a name and up to three datasets with roles. */
export class Domain extends Handle<DomainFacts> {
  static [kWrap](handle: NativeHandle): Domain {
    return new Domain(handle);
  }

  get name(): string {
    return this[kNative].facts.name;
  }

  get classes(): number {
    return this[kNative].facts.classes;
  }

  /** Of one sample. */
  get shape(): number[] {
    return this[kNative].facts.shape;
  }

  /** Which datasets it has. */
  get roles(): ('fit' | 'select' | 'report')[] {
    return this[kNative].facts.roles;
  }
}
