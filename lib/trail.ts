import * as z from 'zod';
import { type NativeHandle, native } from './binding.js';
import { Handle, kNative, kWrap } from './handle.js';
import { Model } from './model.js';
import { check } from './schema/check.js';

/** Where a pruning run stood when it kept a snapshot. */
export interface TrailPoint {
  /** From 1. */
  epoch: number;
  step: number;
  /** Share kept of the weights that may be pruned. */
  density: number;
  /** With the others at zero, on select data. */
  accuracy: number;
}

interface TrailFacts {
  digest: string;
  accuracy: number;
  points: TrailPoint[];
}

const share = z.number().min(0).max(1);
const choice = z.union([z.strictObject({ density: share }), z.strictObject({ accuracyDrop: share })]);

/** The ever sparser models that a pruning run passed through. */
export class Trail extends Handle<TrailFacts> {
  static [kWrap](handle: NativeHandle): Trail {
    return new Trail(handle);
  }

  /** Reads what `save` wrote. */
  static async load(path: string): Promise<Trail> {
    const file = check(z.string(), path, 'path');
    return new Trail(await native((binding) => binding.trailLoad(file), Trail.load));
  }

  /** Writes one file: of each snapshot a bit a weight, and the weights that are kept. */
  async save(path: string): Promise<void> {
    const file = check(z.string(), path, 'path');
    await native((binding) => binding.trailSave(this[kNative], file), this.save);
  }

  /**
   * The densest model with at most that `density`, or the sparsest whose accuracy is at most `accuracyDrop` below
   * the one before pruning: pruned for good, not fine-tuned.
   *
   * @throws ERR_TARGET_UNREACHABLE where the trail has none
   */
  async pick(by: { density: number } | { accuracyDrop: number }): Promise<Model> {
    const chosen = check(choice, by, 'options of pick');
    return Model[kWrap](await native((binding) => binding.trailPick(this[kNative], chosen), this.pick));
  }

  /** Densities fall from one to the next. */
  get points(): TrailPoint[] {
    return this[kNative].facts.points;
  }

  /** Of the model before pruning, on select data. */
  get accuracy(): number {
    return this[kNative].facts.accuracy;
  }

  /** SHA-256 of the snapshots and of the model that they are of. */
  get digest(): string {
    return this[kNative].facts.digest;
  }
}
