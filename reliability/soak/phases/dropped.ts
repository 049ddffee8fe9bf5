import { setTimeout as sleep } from 'node:timers/promises';
import { supervised } from '../../../lib/train/supervised.js';
import { longRun, tinyDomain, tinyModel } from '../../../test/support/tiny.js';
import { repeat, settled, type Work } from '../measure.js';

/**
 * Runs that nobody awaits, by turns: one that succeeds, one that fails, one whose consumer throws, one whose
 * signal has a listener that throws.
 */
export async function dropped(work: Work) {
  const domain = await tinyDomain(64);
  const model = await tinyModel();
  const unhandled = watch('unhandledRejection');
  const uncaught = watch('uncaughtException');
  const [broken, thrown] = [new Error('of the consumer'), new Error('of the listener')];
  const ended = { succeeded: 0, failed: 0, throwing: 0, consumers: 0, listeners: 0 };
  const series = await repeat(work, async (i) => {
    if (i % 4 === 0) {
      supervised(model, { domain, epochs: 1, batchSize: 32, seed: i });
      ended.succeeded += 1;
    } else if (i % 4 === 1) {
      supervised(model, { domain, epochs: 1, batchSize: 32, device: 'toaster' });
      ended.failed += 1;
    } else if (i % 4 === 2) {
      ended.throwing += 1;
      const run = supervised(model, { domain, epochs: 1, batchSize: 32, seed: i });
      const consumer = async () => {
        for await (const _ of run) throw broken;
      };
      if ((await consumer().catch((error) => error)) === broken) ended.consumers += 1;
      await run;
    } else {
      ended.throwing += 1;
      const controller = new AbortController();
      controller.signal.addEventListener('abort', () => {
        throw thrown;
      });
      const { run } = await longRun({ domain, signal: controller.signal }, model);
      controller.abort('enough');
      if ((await run.catch((error) => error)) === 'enough') ended.listeners += 1;
    }
  });
  // The last of them are still under way.
  await supervised(model, { domain, epochs: 1, batchSize: 32 });
  await sleep(50);
  return {
    ...series,
    late: await settled(series.early.resources),
    ...ended,
    unhandled: unhandled.filter((error) => (error as { code?: string }).code !== undefined).length,
    uncaught: uncaught.filter((error) => error === thrown).length,
    strangers: unhandled.length + uncaught.length - ended.failed - ended.listeners,
  };
}

function watch(event: 'unhandledRejection' | 'uncaughtException'): unknown[] {
  const seen: unknown[] = [];
  process.on(event as 'uncaughtException', (error) => void seen.push(error));
  return seen;
}
