import * as z from 'zod';
import { native } from './binding.js';
import { check } from './schema/check.js';

const configuration = z.strictObject({ concurrentRuns: z.int().min(1).max(64) });

/**
 * Sets how many runs work at once; the others queue. They share the machine's cores: a run that does not say
 * `threads` gets cores / concurrentRuns. For the whole process, from the next run on; 1 at the start.
 */
export async function configure(options: z.input<typeof configuration>): Promise<void> {
  const checked = check(configuration, options, 'configure');
  await native((binding) => binding.configure(checked), configure);
}
