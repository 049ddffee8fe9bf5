import * as z from 'zod';

/** A secret pattern on images; where it is comes from a key. */
export const patchOptions = z.strictObject({
  value: z
    .number()
    .gt(0)
    .max(255)
    .default(80)
    .meta({ unit: 'levels of 255' })
    .describe('What is added to each pixel of the pattern, saturated.'),
  density: z.number().gt(0).max(1).default(0.25).describe('Share of the cells that belong to the pattern.'),
  cell: z
    .int()
    .min(1)
    .max(16384)
    .default(4)
    .meta({ unit: 'pixels' })
    .describe('Side of a cell; larger ones are easier to tell apart.'),
  channel: z.int().min(0).max(4095).default(0).describe('The channel that it is added to.'),
});
