import * as z from 'zod';

/** What became of the source of a method that binds a model to it; `domain` is its name. */
export const sourceFigures = <Name extends z.ZodType>(domain: Name) =>
  z.strictObject({
    domain,
    before: z.number().describe('Accuracy of the model that was given.'),
    after: z.number().describe('Accuracy of the one that is returned.'),
    floor: z.number().describe('Least that was asked for.'),
    held: z.boolean().describe('Whether it holds.'),
    restoredStep: z.int().describe('Step whose iterate is returned.'),
  });

/** An accuracy that is null without select data. */
export const maybeAccuracy = z.number().nullable();

/** What became of the targets. */
export const targetFigures = z.array(
  z.strictObject({
    domain: z.string().describe('Its name.'),
    before: maybeAccuracy.describe('Accuracy of the model that was given; null without select data.'),
    after: maybeAccuracy.describe('Accuracy of the one that is returned.'),
    drop: maybeAccuracy.describe('Share of the accuracy before that is gone; null where that was 0.'),
  }),
);
