import * as z from 'zod';
import { EspalierError } from '../errors.js';

/** What a call of an isolated model may use. */
export const limitOptions = z.strictObject({
  seconds: z.number().gt(0).max(86_400).default(60),
  memoryMB: z.int().min(1).max(1_048_576).default(4096),
});

export type Limits = z.output<typeof limitOptions>;
export type Limit = keyof Limits;

/** ERR_LIMIT_EXCEEDED of the limit that a call ran into. */
export function exceeded(file: string, call: string, limit: Limit, limits: Limits): EspalierError {
  const set = limit === 'seconds' ? `${limits.seconds} s` : `${limits.memoryMB} MB`;
  const did = limit === 'seconds' ? 'ran longer' : 'took more memory';
  return new EspalierError(
    'ERR_LIMIT_EXCEEDED',
    `the isolated model ${file} ${did} than limits.${limit} (${set}) in ${call}, and its process was ended: if its maker is trusted, isolate it again with a larger limits.${limit}`,
    { details: { limit, [limit]: limits[limit], call } },
  );
}
