import type * as z from 'zod';
import type { Presentation } from '../blocks.js';
import type { AnyReport } from '../report.js';

/** Shows figures of one shape; undefined for any other, which then fall to the generic presentation. */
export type Presenter = (figures: unknown, report: AnyReport) => Presentation | undefined;

export function presenter<Schema extends z.ZodType>(
  schema: Schema,
  present: (figures: z.output<Schema>, report: AnyReport) => Presentation,
): Presenter {
  return (figures, report) => {
    const parsed = schema.safeParse(figures);
    return parsed.success ? present(parsed.data, report) : undefined;
  };
}
