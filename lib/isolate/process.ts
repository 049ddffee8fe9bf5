import type { ChildProcess } from 'node:child_process';
import { EspalierError, expected } from '../errors.js';
import { launch, residentMB } from './launch.js';
import { exceeded, type Limit, type Limits } from './limits.js';
import { isReply, type Request, unpack } from './protocol.js';

// Between two looks at the child's memory. An address-space limit is no alternative: Node reserves far more
// addresses than it ever uses.
const kWatchMs = 20;

interface Pending {
  id: number;
  call: Request['call'];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The process of one isolated model, and the one call that it works on. */
export class IsolatedProcess {
  readonly #file: string;
  readonly #limits: Limits;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #watch: NodeJS.Timeout;
  #pending: Pending | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #serial = 0;
  #closed: string | undefined;

  static async start(file: string, limits: Limits): Promise<IsolatedProcess> {
    return new IsolatedProcess(file, limits, await launch(file));
  }

  private constructor(file: string, limits: Limits, child: ChildProcess) {
    this.#file = file;
    this.#limits = limits;
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('exit', () => resolve()));
    child.on('message', (message) => this.#receive(message));
    child.once('error', (cause) => this.#lost(`could not be started: ${cause.message}`));
    child.once('exit', (code, signal) => this.#lost(`ended by ${signal ?? `itself with code ${code}`}`));
    this.#watch = setInterval(() => this.#checkMemory(), kWatchMs).unref();
    this.#hold(false);
  }

  /** One call, after those before it; its time starts when they are done. */
  async call(call: Request['call'], args: unknown[], signal?: AbortSignal): Promise<unknown> {
    const turn = this.#last.then(
      () => this.#run(call, args, signal),
      () => this.#run(call, args, signal),
    );
    this.#last = turn.catch(() => {});
    return await turn;
  }

  async close(why = 'was disposed'): Promise<void> {
    this.#end(this.#gone(why), why);
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      this.#child.ref();
      await this.#ended;
    }
  }

  async #run(call: Request['call'], args: unknown[], signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#closed !== undefined) throw this.#gone(this.#closed);
    const id = ++this.#serial;
    const { seconds } = this.#limits;
    const timer = setTimeout(() => this.#exceed('seconds'), seconds * 1000);
    // A forward that runs cannot be stopped, its process can.
    const abort = () => this.#end(signal?.reason, 'was aborted in a call');
    signal?.addEventListener('abort', abort, { once: true });
    this.#hold(true);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending = { id, call, resolve, reject };
        this.#send({ id, call, args }, reject);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#pending = undefined;
      this.#hold(false);
    }
  }

  #send(request: Request, reject: (error: unknown) => void): void {
    try {
      this.#child.send(request, (error) => {
        if (error) this.#lost(`could not be reached: ${error.message}`);
      });
    } catch (cause) {
      reject(expected('values that can be sent to another process', request.call, cause));
    }
  }

  #receive(message: unknown): void {
    const pending = this.#pending;
    if (pending === undefined || !isReply(message, pending.id)) return;
    if ('error' in message) pending.reject(unpack(message.error));
    else pending.resolve(message.value);
  }

  #checkMemory(): void {
    const { pid } = this.#child;
    const used = pid === undefined ? undefined : residentMB(pid);
    if (used !== undefined && used > this.#limits.memoryMB) this.#exceed('memoryMB');
  }

  #exceed(limit: Limit): void {
    const call = this.#pending?.call ?? 'the time after a call';
    this.#end(exceeded(this.#file, call, limit, this.#limits), `was ended at limits.${limit}`);
  }

  #lost(how: string): void {
    const during = this.#pending === undefined ? '' : ` in ${this.#pending.call}`;
    const error = new EspalierError(
      'ERR_MODEL_RUN',
      `the process of the isolated model ${this.#file} ${how}${during}: the model crashed it, or something else ended it; the file cannot be relied on`,
      { details: { code: this.#child.exitCode, signal: this.#child.signalCode } },
    );
    this.#end(error, `is closed: its process ${how}`);
  }

  #end(error: unknown, why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    clearInterval(this.#watch);
    this.#child.kill('SIGKILL');
    this.#pending?.reject(error);
  }

  #gone(why: string): EspalierError {
    return new EspalierError(
      'ERR_DISPOSED',
      `the isolated model ${this.#file} ${why}: isolate the file again`,
    );
  }

  // A process with nothing to do does not keep the parent's event loop alive.
  #hold(busy: boolean): void {
    const what = busy ? 'ref' : 'unref';
    this.#child[what]();
    this.#child.channel?.[what]();
  }
}
