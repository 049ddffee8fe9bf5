/** How far a run is. */
export interface Progress {
  method: string;
  phase: string;
  step: number;
  steps: number;
  /** Of the whole run, in [0, 1]. */
  fraction: number;
  elapsedMs: number;
  etaMs: number | null;
  samplesPerSecond: number;
  /** loss, sourceAccuracy, sparsity, ... */
  metrics: Record<string, number>;
}

/** What the work behind a Run is given. */
export interface RunContext {
  /** Aborted when the run is cancelled. Work that stops because of it rejects with any error. */
  readonly signal: AbortSignal;
  readonly report: (progress: Progress) => void;
}

const ignore = () => {};

/**
 * A long operation. It starts when it is made; await it for its result, iterate over it for its progress.
 *
 * - Each iterator gets the newest progress, always the last one, and skips what came between; a late one
 *   starts at the newest. `break` ends the iteration, not the run.
 * - If the run fails, iterators throw the same error, which counts as handled. A failed run that nobody awaits
 *   or iterates is an unhandled rejection, as any promise is.
 * - `cancel()`, or the signal that it was started with, stops it within a batch (at once while it is queued)
 *   and rejects with the reason.
 */
export class Run<Result> implements Promise<Result>, AsyncIterable<Progress> {
  readonly [Symbol.toStringTag] = 'Run';
  readonly #promise: Promise<Result>;
  readonly #controller = new AbortController();
  readonly #iterations = new Set<Iteration>();
  #newest: { readonly progress: Progress } | undefined;
  #end: { error?: unknown; failed: boolean } | undefined;
  #awaited = false;

  /** Calls `work` at once; what it throws rejects. */
  constructor(work: (context: RunContext) => Promise<Result>, signal?: AbortSignal) {
    const abort = () => this.cancel(signal?.reason);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    this.#promise = new Promise<Result>((resolve, reject) => {
      this.#start(work).then(
        (result) => {
          signal?.removeEventListener('abort', abort);
          this.#finish({ failed: false });
          resolve(result);
        },
        (error: unknown) => {
          signal?.removeEventListener('abort', abort);
          this.#finish({ failed: true, error });
          reject(error);
        },
      );
    });
  }

  /** Stops the run; it rejects with `reason` (an AbortError by default). Afterwards it does nothing. */
  cancel(reason?: unknown): void {
    if (this.#end === undefined) this.#controller.abort(reason);
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is a promise
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.#awaited = true;
    return this.#promise.then(onFulfilled, onRejected);
  }

  catch<Rejected = never>(
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Result | Rejected> {
    return this.then(undefined, onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Result> {
    this.#awaited = true;
    return this.#promise.finally(onFinally);
  }

  [Symbol.asyncIterator](): AsyncIterator<Progress, void, void> {
    const iteration: Iteration = { seen: undefined, wake: ignore };
    return {
      next: () => this.#next(iteration),
      return: async () => {
        this.#leave(iteration);
        return { done: true, value: undefined };
      },
    };
  }

  async #start(work: (context: RunContext) => Promise<Result>): Promise<Result> {
    const { signal } = this.#controller;
    signal.throwIfAborted();
    return await work({ signal, report: (progress) => this.#publish(progress) });
  }

  #publish(progress: Progress): void {
    this.#newest = { progress };
    for (const iteration of this.#iterations) iteration.wake();
  }

  #finish(end: { error?: unknown; failed: boolean }): void {
    this.#end = end;
    // Whoever iterates is about to be thrown the error.
    if (end.failed && this.#iterations.size > 0) this.#promise.catch(ignore);
    for (const iteration of this.#iterations) iteration.wake();
  }

  async #next(iteration: Iteration): Promise<IteratorResult<Progress, void>> {
    if (iteration.seen === 'end') return { done: true, value: undefined };
    this.#iterations.add(iteration);
    while (this.#newest === iteration.seen && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        iteration.wake = resolve;
      });
    }
    if (this.#newest !== undefined && this.#newest !== iteration.seen) {
      iteration.seen = this.#newest;
      return { done: false, value: this.#newest.progress };
    }
    iteration.seen = 'end';
    this.#iterations.delete(iteration);
    if (this.#end?.failed) {
      this.#awaited = true;
      this.#promise.catch(ignore);
      throw this.#end.error;
    }
    return { done: true, value: undefined };
  }

  // An iteration that ends early was not thrown the error: unless somebody else is, it must not get lost.
  #leave(iteration: Iteration): void {
    iteration.seen = 'end';
    iteration.wake();
    const active = this.#iterations.delete(iteration);
    if (active && this.#end?.failed && !this.#awaited && this.#iterations.size === 0) {
      Promise.reject(this.#end.error);
    }
  }
}

interface Iteration {
  /** The progress that it yielded last. */
  seen: { readonly progress: Progress } | 'end' | undefined;
  wake: () => void;
}
