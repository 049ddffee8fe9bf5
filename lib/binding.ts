import type { RuntimeFacts } from './doctor.js';
import { type ErrorCode, EspalierError, makeError } from './errors.js';
import { load } from './loader.js';
import type { Progress, RunContext } from './run.js';

/** A native thing that JavaScript holds: opaque, bound to the thread that made it. */
export interface NativeHandle<Facts = unknown> {
  /** Its noun: 'Model', 'Dataset', ... */
  readonly kind: string;
  /** What never changes about it. */
  readonly facts: Facts;
}

/** Work on a native thread that can be stopped. */
export interface NativeTask<Result> {
  readonly promise: Promise<Result>;
  cancel(): void;
}

/** A tensor as it crosses to native code. */
export interface NativeTensor {
  data: ArrayBufferView;
  shape: number[];
  dtype?: string;
}

export interface NativeRequest {
  method: string;
  inputs: unknown;
  options: unknown;
  run: unknown;
}

export interface NativeResult {
  outputs: { [name: string]: NativeHandle | null };
  report: unknown;
}

/** The whole native surface; a test compares its keys with what the addon exports. */
export interface NativeBinding {
  /** Version of libtorch, devices, threads. */
  describe(): Promise<RuntimeFacts>;
  configure(options: { concurrentRuns: number }): void;
  /** The schemas of every method, for the drift test. */
  methods(): { name: string; schema: unknown }[];
  /** The schema of the options of every run. */
  runOptions(): unknown;
  startRun(request: NativeRequest, onProgress: (progress: Progress) => void): NativeTask<NativeResult>;
  /** Cancels and joins everything that runs; called when the process exits. */
  stop(): void;

  handleDispose(handle: NativeHandle): Promise<void>;

  modelLoad(path: string, options: object): Promise<NativeHandle>;
  modelCreate(options: object): Promise<NativeHandle>;
  modelSave(model: NativeHandle, path: string, manifest: string | null): Promise<void>;
  modelClone(model: NativeHandle): Promise<NativeHandle>;
  modelTo(model: NativeHandle, device: string): Promise<NativeHandle>;
  modelReinitialize(model: NativeHandle, options: object): Promise<NativeHandle>;
  modelForward(model: NativeHandle, inputs: unknown[]): NativeTask<unknown>;
  modelInspect(model: NativeHandle, options: object): Promise<unknown>;

  datasetOpen(source: object): Promise<NativeHandle>;
  datasetFrom(samples: NativeTensor, labels: NativeTensor, classes: number | null): Promise<NativeHandle>;
  datasetDigest(dataset: NativeHandle): Promise<string>;
  datasetSplit(dataset: NativeHandle, fractions: number[], seed: number): Promise<NativeHandle[]>;
  datasetTake(dataset: NativeHandle, count: number, seed: number, stratified: boolean): Promise<NativeHandle>;
  datasetResize(dataset: NativeHandle, size: number, channels: number | null): NativeHandle;
  datasetPad(dataset: NativeHandle, size: number): NativeHandle;
  datasetHoldOut(dataset: NativeHandle, fraction: number): Promise<[NativeHandle, NativeHandle]>;

  maskLoad(path: string): Promise<NativeHandle>;
  maskSave(mask: NativeHandle, path: string): Promise<void>;
  /** The nonzero pattern of a model's prunable weights. */
  maskOf(model: NativeHandle): Promise<NativeHandle>;
  keyCreate(): Promise<NativeHandle>;
  keyLoad(path: string): Promise<NativeHandle>;
  keySave(key: NativeHandle, path: string): Promise<void>;
  trailLoad(path: string): Promise<NativeHandle>;
  trailSave(trail: NativeHandle, path: string): Promise<void>;
  trailPick(trail: NativeHandle, by: { density: number } | { accuracyDrop: number }): Promise<NativeHandle>;

  domainReport(
    domain: NativeHandle,
  ): Promise<{ name: string; samples: NativeTensor; labels: NativeTensor; classes: number }>;
  domainPatch(domain: NativeHandle, key: NativeHandle, patch: object): Promise<NativeHandle>;
  domainCreate(
    name: string,
    fit: NativeHandle | null,
    select: NativeHandle | null,
    report: NativeHandle | null,
  ): NativeHandle;
}

/** The stack of whoever called `callee`, for errors that come back from native threads. */
export interface CallSite {
  stack?: string;
}

// biome-ignore lint/complexity/noBannedTypes: what captureStackTrace takes
export function callerSite(callee: Function): CallSite {
  const site: CallSite = {};
  Error.captureStackTrace(site, callee);
  return site;
}

interface NativeError {
  code: ErrorCode | 'CANCELLED';
  message: string;
  details?: { [key: string]: unknown };
}

// What native code rejects with, as the error class of its code, with the stack of the caller.
function toError(raw: unknown, site: CallSite): unknown {
  const { code, message, details } = raw as NativeError;
  if (typeof code !== 'string' || code === 'CANCELLED') return raw;
  const error = makeError(code, message, details === undefined ? {} : { details });
  const frames = site.stack?.slice(site.stack.indexOf('\n')) ?? '';
  error.stack = `${error.name}: ${error.message}${frames}`;
  return error;
}

let loading: Promise<NativeBinding> | undefined;
let current: NativeBinding | undefined;

/** The native binding, loaded on first use. */
export function loadBinding(): Promise<NativeBinding> {
  loading ??= load().then(
    (binding) => {
      current = binding;
      return binding;
    },
    (error) => {
      loading = undefined; // what was missing may be there the next time
      throw error;
    },
  );
  return loading;
}

/** Calls into native code; what it rejects with becomes one of our errors, with the stack of `callee`'s caller. */
export function native<T>(
  call: (binding: NativeBinding) => Promise<T> | T,
  // biome-ignore lint/complexity/noBannedTypes: what captureStackTrace takes
  callee: Function,
): Promise<T> {
  return nativeAt(call, callerSite(callee));
}

/** The same for who has done something since it was called. */
export async function nativeAt<T>(
  call: (binding: NativeBinding) => Promise<T> | T,
  site: CallSite,
): Promise<T> {
  const binding = current ?? (await loadBinding());
  try {
    return await call(binding);
  } catch (error) {
    throw toError(error, site);
  }
}

/** The same at once, for who holds a handle: what made it has loaded the binding. */
export function nativeNow<T>(
  call: (binding: NativeBinding) => T,
  // biome-ignore lint/complexity/noBannedTypes: what captureStackTrace takes
  callee: Function,
): T {
  if (current === undefined) throw new EspalierError('ERR_INTERNAL', 'the binding is not loaded');
  try {
    return call(current);
  } catch (error) {
    throw toError(error, callerSite(callee));
  }
}

/** Runs a method; stops it when the context's signal says so, and rejects with the signal's reason then. */
export async function startRun(
  request: NativeRequest,
  context: RunContext,
  site: CallSite,
): Promise<NativeResult> {
  return await cancellable((binding) => binding.startRun(request, context.report), context.signal, site);
}

/** The same for any native work that can be stopped. */
export async function cancellable<T>(
  start: (binding: NativeBinding) => NativeTask<T>,
  signal: AbortSignal | undefined,
  site: CallSite,
): Promise<T> {
  const binding = current ?? (await loadBinding()); // what is loaded is called at once: inputs are copied at the call
  signal?.throwIfAborted();
  let task: NativeTask<T> | undefined;
  const stop = () => task?.cancel();
  try {
    task = start(binding);
    signal?.addEventListener('abort', stop, { once: true });
    return await task.promise;
  } catch (error) {
    if ((error as NativeError).code === 'CANCELLED') throw signal?.reason ?? error;
    throw toError(error, site);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
