import { CommanderError } from 'commander';
import { isEspalierError } from '../errors.js';
import { writeLine } from './terminal.js';
import { exitCodes, UsageError } from './usage.js';

export interface FailureOptions {
  json: boolean;
  verbose: boolean;
}

/** Tells what went wrong, in one message, and returns the exit code. */
export function tellFailure(error: unknown, { json, verbose }: FailureOptions): number {
  // Commander has told its own already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const { code, message } = describe(error);
  if (json) writeLine({ type: 'error', code, message });
  process.stderr.write(`${code === undefined ? 'error' : code}: ${message}\n`);
  if (verbose && error instanceof Error) process.stderr.write(`${traceOf(error)}\n`);
  return isUsage(error) ? exitCodes.usage : exitCodes.failed;
}

function describe(error: unknown): { code?: string; message: string } {
  if (isEspalierError(error)) return { code: error.code, message: error.message };
  if (error instanceof UsageError) return { message: error.message };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'ERR_INTERNAL', message: `${message} (--verbose shows where)` };
}

const isUsage = (error: unknown) =>
  error instanceof UsageError ||
  isEspalierError(error, 'ERR_INVALID_ARG_TYPE') ||
  isEspalierError(error, 'ERR_OUT_OF_RANGE');

function traceOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${traceOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
