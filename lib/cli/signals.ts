import { exitCodes } from './usage.js';

type Name = 'SIGINT' | 'SIGTERM';

/** What a run that a signal stopped rejects with. */
export class Interruption extends Error {
  constructor(readonly signalName: Name) {
    super(`stopped by ${signalName}`);
  }

  get exitCode(): number {
    return exitCodes[this.signalName];
  }
}

/** While `work` runs, Ctrl-C and SIGTERM abort its signal; a second one ends the process at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (name: Name) => {
    if (controller.signal.aborted) process.exit(exitCodes[name]);
    controller.abort(new Interruption(name));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
