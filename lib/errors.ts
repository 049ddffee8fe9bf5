import type { Model } from './model.js';

/** Every code that an error of Espalier carries; the table with causes and remedies is in the README. */
export type ErrorCode =
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_BINDING_NOT_FOUND'
  | 'ERR_LIBTORCH_NOT_FOUND'
  | 'ERR_LIBTORCH_ABI'
  | 'ERR_PLATFORM_UNSUPPORTED'
  | 'ERR_MODEL_LOAD'
  | 'ERR_MODEL_UNSAFE'
  | 'ERR_MODEL_UNSUPPORTED'
  | 'ERR_MODEL_RUN'
  | 'ERR_MODEL_SAVE'
  | 'ERR_DATA_INVALID'
  | 'ERR_IO'
  | 'ERR_CHECKPOINT_INVALID'
  | 'ERR_CHECKPOINT_MISMATCH'
  | 'ERR_DIVERGED'
  | 'ERR_TARGET_UNREACHABLE'
  | 'ERR_LIMIT_EXCEEDED'
  | 'ERR_DEVICE_UNAVAILABLE'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DISPOSED'
  | 'ERR_INTERNAL';

/** What `details` holds, for the codes that promise something. */
export interface KnownDetails {
  /** `checkpoint` and `model` are of right before the step. */
  ERR_DIVERGED: { step: number; layer?: string; samples?: number[]; checkpoint?: string; model?: Model };
}

export type Details<Code extends ErrorCode> = Code extends keyof KnownDetails
  ? KnownDetails[Code]
  : { readonly [key: string]: unknown };

/** What every error of Espalier carries besides its message. */
export interface ErrorFacts<Code extends ErrorCode = ErrorCode> {
  readonly code: Code;
  readonly details?: Details<Code>;
  readonly cause?: unknown;
}

interface ErrorExtras<Code extends ErrorCode> {
  details?: Details<Code>;
  cause?: unknown;
}

// Shared by every copy of the package in one process, unlike a class.
const kBrand = Symbol.for('espalier.error');

function equip<Code extends ErrorCode>(error: Error, name: string, code: Code, options: ErrorExtras<Code>) {
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  Object.defineProperty(error, kBrand, { value: true });
  Object.assign(error, { code }, options.details === undefined ? {} : { details: options.details });
}

const causeOf = (options: { cause?: unknown }) =>
  options.cause === undefined ? undefined : { cause: options.cause };

export class EspalierError<Code extends ErrorCode = ErrorCode> extends Error implements ErrorFacts<Code> {
  declare readonly code: Code;
  declare readonly details?: Details<Code>;
  constructor(code: Code, message: string, options: ErrorExtras<Code> = {}) {
    super(message, causeOf(options));
    equip(this, 'EspalierError', code, options);
  }
}

/** An argument of the wrong type: `ERR_INVALID_ARG_TYPE`. */
export class EspalierTypeError extends TypeError implements ErrorFacts<'ERR_INVALID_ARG_TYPE'> {
  declare readonly code: 'ERR_INVALID_ARG_TYPE';
  declare readonly details?: Details<'ERR_INVALID_ARG_TYPE'>;
  constructor(message: string, options: ErrorExtras<'ERR_INVALID_ARG_TYPE'> = {}) {
    super(message, causeOf(options));
    equip(this, 'EspalierTypeError', 'ERR_INVALID_ARG_TYPE', options);
  }
}

/** An argument of the right type outside its range: `ERR_OUT_OF_RANGE`. */
export class EspalierRangeError extends RangeError implements ErrorFacts<'ERR_OUT_OF_RANGE'> {
  declare readonly code: 'ERR_OUT_OF_RANGE';
  declare readonly details?: Details<'ERR_OUT_OF_RANGE'>;
  constructor(message: string, options: ErrorExtras<'ERR_OUT_OF_RANGE'> = {}) {
    super(message, causeOf(options));
    equip(this, 'EspalierRangeError', 'ERR_OUT_OF_RANGE', options);
  }
}

export type AnyEspalierError = EspalierError | EspalierTypeError | EspalierRangeError;

/** Whether `error` comes from Espalier; with a code, whether it is that error. */
export function isEspalierError(error: unknown): error is AnyEspalierError;
export function isEspalierError<Code extends ErrorCode>(
  error: unknown,
  code: Code,
): error is Error & ErrorFacts<Code>;
export function isEspalierError(error: unknown, code?: ErrorCode): boolean {
  if (!(error instanceof Error) || !(kBrand in error)) return false;
  return code === undefined || (error as unknown as ErrorFacts).code === code;
}

/** The error class that belongs to a code. */
export function makeError(
  code: ErrorCode,
  message: string,
  options: ErrorExtras<ErrorCode> = {},
): AnyEspalierError {
  if (code === 'ERR_INVALID_ARG_TYPE') return new EspalierTypeError(message, options);
  if (code === 'ERR_OUT_OF_RANGE') return new EspalierRangeError(message, options);
  return new EspalierError(code, message, options);
}

/** The one sentence form of argument errors: "expected X for NAME, received Y". */
export function expected(what: string, name: string, received: unknown): EspalierTypeError {
  return new EspalierTypeError(`expected ${what} for ${name}, received ${show(received)}`);
}

/** The same for a value of the right type outside its range. */
export function outOfRange(what: string, name: string, received: unknown): EspalierRangeError {
  return new EspalierRangeError(`expected ${what} for ${name}, received ${show(received)}`);
}

const kLongestShown = 60;

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value.length > kLongestShown ? `${value.slice(0, kLongestShown)}...` : value}'`;
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name}`.trim();
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== 'Object' ? `an instance of ${name}` : 'an object';
}
