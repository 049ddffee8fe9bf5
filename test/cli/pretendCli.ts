import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Library } from '../../lib/cli/library.js';
import { runCli } from '../../lib/cli/program.js';
import { type ErrorCode, makeError } from '../../lib/errors.js';
import { accuracyMethod } from '../../lib/evaluate/accuracy.js';
import { domainsMethod } from '../../lib/evaluate/domains.js';
import { magnitudeMethod } from '../../lib/prune/magnitude.js';
import { type Progress, Run } from '../../lib/run.js';
import type { AnyMethod } from '../../lib/schema/method.js';
import { supervisedMethod } from '../../lib/train/supervised.js';
import { envelope } from '../report/samples.js';

// The command line over the true schemas, with methods that compute nothing: they report what they were given.
// PRETEND_STEPS: how many steps of 20 ms; PRETEND_ERROR: the code that a run fails with.

type Options = { [name: string]: unknown; signal: AbortSignal; checkpoint?: { path: string } };

function pretend(method: AnyMethod): AnyMethod {
  const start = (inputs: object, given: object = {}) => {
    const { signal, ...options } = given as Options;
    return new Run(async (context) => {
      const steps = Number(process.env.PRETEND_STEPS ?? 3);
      for (let step = 1; step <= steps; step++) {
        context.report(progressOf(method.name, step, steps));
        await sleep(20);
        if (context.signal.aborted) {
          if (options.checkpoint) await writeFile(options.checkpoint.path, `step ${step}`);
          throw context.signal.reason;
        }
      }
      if (process.env.PRETEND_ERROR)
        throw makeError(process.env.PRETEND_ERROR as ErrorCode, 'so it was asked');
      const save = (name: string) => ({ save: (path: string) => writeFile(path, name) });
      const outputs = Object.keys(method.outputs).map((name) => [name, save(name)]);
      return { ...Object.fromEntries(outputs), report: envelope(method.name, { inputs, options }) };
    }, signal);
  };
  return { ...method, start: start as AnyMethod['start'] };
}

const progressOf = (method: string, step: number, steps: number): Progress => ({
  method,
  phase: 'fit',
  step,
  steps,
  fraction: step / steps,
  elapsedMs: 20 * step,
  etaMs: 20 * (steps - step),
  samplesPerSecond: 1000,
  metrics: { loss: 1 / step },
});

const library: Library = {
  methods: [supervisedMethod, magnitudeMethod, accuracyMethod, domainsMethod].map(pretend),
  samples: ['mnist', 'optdigits'],
  saves: () => true,
  open: async (noun, path, options) => ({ noun, path, ...options }),
  create: async (creation) => ({ created: creation }),
  imagesOf: async (models) => (models.length === 0 ? undefined : { channels: 1, size: 28 }),
  sample: async (name, images) => ({ sample: name, classes: 10, images }),
  domain: async (description) => ({ description }),
};

runCli(process.argv.slice(2), library).then((code) => {
  process.exitCode = code;
});
