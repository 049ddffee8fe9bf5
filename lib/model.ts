import * as z from 'zod';
import { callerSite, cancellable, type NativeHandle, native } from './binding.js';
import { expected } from './errors.js';
import { Handle, kNative, kWrap } from './handle.js';
import { IsolatedModel, type IsolateOptions } from './isolate/isolatedModel.js';
import { check } from './schema/check.js';
import { creationOptions } from './schema/creation.js';
import type { Plain } from './schema/descriptor.js';
import type { Value } from './value.js';

/** One parametrised operator of a model's graph. */
export interface Layer {
  /** Of the module that holds its weight: 'features.0'. */
  path: string;
  /** The other paths of the same weight, where it is tied. */
  aliases: string[];
  kind: string;
  weightShape: number[];
  bias: boolean;
  inChannels: number;
  outChannels: number;
  /** Path of the norm that alone reads its output. */
  norm?: string;
  /** Whether pruning takes it by default: convolutions, transposed convolutions, linear layers. */
  prunable: boolean;
}

export interface ParameterInfo {
  path: string;
  aliases: string[];
  shape: number[];
  dtype: string;
  count: number;
}

/** What `inspect` finds out. */
export interface ModelInfo {
  parameters: (ParameterInfo & { zeros: number })[];
  /** Per layer and call, when an input shape was given or is known. */
  costs: { path: string; outputShape: number[]; multiplyAccumulates: number }[];
  multiplyAccumulates: number | null;
  /** Parts of the graph that the analysis cannot follow. */
  unknowns: { op: string; source: string; reason: string }[];
  bytes: number;
  digest: string;
  manifest: { [key: string]: Plain };
}

export type Architecture = z.infer<typeof creationOptions>['architecture'];

const preprocessing = z.strictObject({
  mean: z.array(z.number()).optional(),
  std: z.array(z.number().gt(0)).optional(),
  size: z.int().min(1).optional(),
});
const loadOptions = z.strictObject({
  device: z.string().default('cpu'),
  trust: z.boolean().default(false),
  preprocessing: preprocessing.optional(),
});
const saveOptions = z.strictObject({ manifest: z.enum(['public', 'full', 'none']).optional() });
const reinitializeOptions = z.strictObject({ seed: z.int().min(0), keep: z.array(z.string()).default([]) });
const forwardOptions = z.strictObject({
  signal: z
    .custom<AbortSignal>((value) => value instanceof AbortSignal)
    .meta({ noun: 'AbortSignal' })
    .optional(),
});
const inspectOptions = z.strictObject({ inputShape: z.array(z.int().min(0)).optional() });

export type LoadOptions = z.input<typeof loadOptions>;
export type CreateOptions = Omit<z.input<typeof creationOptions>, 'architecture'>;
export type SaveOptions = z.input<typeof saveOptions>;

interface ModelFacts {
  device: string;
  layers: Layer[];
  parameters: ParameterInfo[];
}

/** A TorchScript model. A method never changes its caller's model: it returns a new one. */
export class Model extends Handle<ModelFacts> {
  static [kWrap](handle: NativeHandle): Model {
    return new Model(handle);
  }

  /**
   * Loads a TorchScript file. Nothing of it runs before the archive is checked and its operators are scanned;
   * `trust: true` skips the scan. `preprocessing` is kept in the model's manifest.
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Model> {
    const file = check(z.string(), path, 'path');
    const checked = check(loadOptions, options, 'Model.load');
    return new Model(await native((binding) => binding.modelLoad(file, checked), Model.load));
  }

  /**
   * Loads an untrusted file in a process of its own, which is ended when a call takes longer than
   * `limits.seconds` (60) or the process more memory than `limits.memoryMB` (4096).
   *
   * @throws ERR_LIMIT_EXCEEDED at a limit, ERR_MODEL_RUN where the process crashes, and as `load`
   */
  static isolate(path: string, options: IsolateOptions = {}): Promise<IsolatedModel> {
    return IsolatedModel.open(path, options);
  }

  /** A fresh classifier, authored as TorchScript, with PyTorch's default initialisation. */
  static async create(architecture: Architecture, options: CreateOptions): Promise<Model> {
    const checked = check(creationOptions, { ...options, architecture }, 'Model.create');
    return new Model(await native((binding) => binding.modelCreate(checked), Model.create));
  }

  /** What parametrised operators it has; a tied weight is one layer with aliases. */
  get layers(): Layer[] {
    return this[kNative].facts.layers;
  }

  get parameters(): ParameterInfo[] {
    return this[kNative].facts.parameters;
  }

  get device(): string {
    return this[kNative].facts.device;
  }

  /** Writes plain TorchScript that stock PyTorch loads; the file is replaced only when all of it is written. */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    const file = check(z.string(), path, 'path');
    const { manifest } = check(saveOptions, options, 'Model.save');
    await native((binding) => binding.modelSave(this[kNative], file, manifest ?? null), this.save);
  }

  async clone(): Promise<Model> {
    return new Model(await native((binding) => binding.modelClone(this[kNative]), this.clone));
  }

  /** A copy on another device: 'cpu', 'cuda', 'cuda:1'. */
  async to(device: string): Promise<Model> {
    const name = check(z.string(), device, 'device');
    return new Model(await native((binding) => binding.modelTo(this[kNative], name), this.to));
  }

  /** A copy with fresh weights, PyTorch's default per layer kind; `keep` names parameters by glob pattern. */
  async reinitialize(options: z.input<typeof reinitializeOptions>): Promise<Model> {
    const checked = check(reinitializeOptions, options, 'Model.reinitialize');
    return new Model(
      await native((binding) => binding.modelReinitialize(this[kNative], checked), this.reinitialize),
    );
  }

  /** Runs the eval graph without gradients on copies of the inputs. */
  async forward(inputs: Value[], options: z.input<typeof forwardOptions> = {}): Promise<Value> {
    const site = callerSite(this.forward);
    if (!Array.isArray(inputs)) throw expected('a list of values', 'inputs', inputs);
    const { signal } = check(forwardOptions, options, 'Model.forward');
    const start = (binding: import('./binding.js').NativeBinding) =>
      binding.modelForward(this[kNative], inputs);
    return (await cancellable(start, signal, site)) as Value;
  }

  /** Zeros per parameter, what each layer costs for an input of `inputShape`, and the manifest. */
  async inspect(options: z.input<typeof inspectOptions> = {}): Promise<ModelInfo> {
    const checked = check(inspectOptions, options, 'Model.inspect');
    return (await native(
      (binding) => binding.modelInspect(this[kNative], checked),
      this.inspect,
    )) as ModelInfo;
  }
}
