import { show } from '../errors.js';
import { nearest } from '../schema/nearest.js';

/** What a process that has ended says to its shell. */
export const exitCodes = { done: 0, failed: 1, usage: 2, SIGINT: 130, SIGTERM: 143 } as const;

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {}

/** "expected a number > 0 for --sparsity, received 'x' (did you mean 'y'?)". */
export function misused(
  what: string,
  name: string,
  received: unknown,
  known: readonly string[] = [],
): UsageError {
  const meant = typeof received === 'string' ? nearest(received, known) : undefined;
  const hint = meant === undefined ? '' : ` (did you mean '${meant}'?)`;
  return new UsageError(
    `expected ${what} for ${name}, received ${received === undefined ? 'nothing' : show(received)}${hint}`,
  );
}

/** "fineTune" as "fine-tune", "nonTransferablePruning" as "non-transferable-pruning". */
export function kebab(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

/** An argument as a shell takes it back. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
