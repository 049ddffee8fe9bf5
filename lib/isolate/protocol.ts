import { type ErrorCode, isEspalierError, makeError } from '../errors.js';

/** What the parent asks of the child, one at a time. */
export interface Request {
  id: number;
  call: 'load' | 'inspect' | 'forward' | 'evaluate';
  args: unknown[];
}

export interface SentError {
  code: ErrorCode;
  message: string;
  details?: { [key: string]: unknown };
}

export type Reply = { id: number; value: unknown } | { id: number; error: SentError };

/** An error as it crosses to the parent: its class is made there anew. */
export function pack(error: unknown): SentError {
  if (!isEspalierError(error)) return { code: 'ERR_INTERNAL', message: String(error) };
  const { code, message, details } = error;
  return { code, message, ...(details === undefined ? {} : { details: { ...details } }) };
}

export function unpack(sent: SentError): Error {
  const code = /^ERR_[A-Z_]+$/.test(sent?.code) ? sent.code : 'ERR_INTERNAL';
  return makeError(code, String(sent?.message), sent?.details === undefined ? {} : { details: sent.details });
}

/** Whether it is an answer to request `id`: the other side runs somebody else's program. */
export function isReply(message: unknown, id: number): message is Reply {
  if (typeof message !== 'object' || message === null) return false;
  return (message as Reply).id === id && ('value' in message || 'error' in message);
}
