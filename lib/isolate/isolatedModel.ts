import * as z from 'zod';
import type { DatasetData } from '../dataset.js';
import { Domain, kReport } from '../domain.js';
import { expected } from '../errors.js';
import type { accuracy } from '../evaluate/accuracy.js';
import type { ModelInfo } from '../model.js';
import { check } from '../schema/check.js';
import { evaluationOptions } from '../schema/evaluation.js';
import { signalOption } from '../schema/runOptions.js';
import type { Value } from '../value.js';
import { limitOptions } from './limits.js';
import { IsolatedProcess } from './process.js';

const isolateOptions = z.strictObject({
  limits: limitOptions.prefault({}),
  trust: z.boolean().default(false),
  ...signalOption.shape,
});
const inspectOptions = z.strictObject({
  inputShape: z.array(z.int().min(0)).optional(),
  ...signalOption.shape,
});
const forwardOptions = z.strictObject(signalOption.shape);
const accuracyOptions = evaluationOptions.extend(signalOption.shape);
const samples = z.strictObject({
  name: z.string().min(1),
  data: z.unknown(),
  shape: z.unknown(),
  labels: z.unknown(),
  classes: z.unknown().optional(),
});

/**
 * `limits.seconds` (60) bounds each call, the load among them; `limits.memoryMB` (4096) the resident memory of
 * the process, libtorch included. `trust: true` skips the operator scan, never the archive check.
 */
export type IsolateOptions = z.input<typeof isolateOptions>;
export type IsolatedSamples = DatasetData & { name: string };

/**
 * An untrusted model in a process of its own, which is ended when a call takes too long or too much memory. Calls
 * wait for each other. After a limit, a crash, an abort during a call or `dispose()` it is closed, and further
 * calls reject with ERR_DISPOSED. No other operation takes one.
 *
 * Each call rejects with ERR_LIMIT_EXCEEDED at a limit, with ERR_MODEL_RUN where the process crashes, and as that
 * of a Model does.
 */
export class IsolatedModel {
  readonly #process: IsolatedProcess;

  private constructor(process: IsolatedProcess) {
    this.#process = process;
  }

  /** What `Model.isolate` does. */
  static async open(path: string, options: IsolateOptions = {}): Promise<IsolatedModel> {
    const file = check(z.string(), path, 'path');
    const { limits, trust, signal } = check(isolateOptions, options, 'Model.isolate');
    signal?.throwIfAborted();
    const process = await IsolatedProcess.start(file, limits);
    try {
      await process.call('load', [file, { trust }], signal);
      return new IsolatedModel(process);
    } catch (error) {
      await process.close();
      throw error;
    }
  }

  /** As `Model.inspect`. */
  async inspect(options: z.input<typeof inspectOptions> = {}): Promise<ModelInfo> {
    const { signal, ...given } = check(inspectOptions, options, 'IsolatedModel.inspect');
    return (await this.#process.call('inspect', [given], signal)) as ModelInfo;
  }

  /** As `Model.forward`; an abort while it runs ends the process, for nothing else stops a forward. */
  async forward(inputs: Value[], options: z.input<typeof forwardOptions> = {}): Promise<Value> {
    if (!Array.isArray(inputs)) throw expected('a list of values', 'inputs', inputs);
    const { signal } = check(forwardOptions, options, 'IsolatedModel.forward');
    return (await this.#process.call('forward', [inputs], signal)) as Value;
  }

  /**
   * Accuracy on the report data of a domain, or on samples, as `evaluate.accuracy` measures it. They are copied to
   * the process, 4 bytes a value, within `limits.memoryMB`.
   */
  async evaluate(
    on: Domain | IsolatedSamples,
    options: z.input<typeof accuracyOptions> = {},
  ): Promise<Awaited<ReturnType<typeof accuracy>>> {
    const { signal, ...how } = check(accuracyOptions, options, 'IsolatedModel.evaluate');
    const given = on instanceof Domain ? await on[kReport]() : check(samples, on, 'samples');
    return { report: await this.#process.call('evaluate', [given, how], signal) } as Awaited<
      ReturnType<typeof accuracy>
    >;
  }

  /** Ends the process, also in a call, which then rejects with ERR_DISPOSED; a second call does nothing. */
  async dispose(): Promise<void> {
    await this.#process.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
