import * as z from 'zod';

/** What pruning left: the part that the reports of pruning methods share. */
export const sparsityFigures = z.strictObject({
  sparsity: z.number().describe('Share of zeros in the parameters that may be pruned.'),
  layers: z
    .array(
      z.strictObject({
        path: z.string().describe('Of the parameter.'),
        weights: z.int().describe('How many it has.'),
        zeros: z.int().describe('How many are zero.'),
        sparsity: z.number().describe('Share of zeros.'),
        threshold: z.number().nullable().describe('Least magnitude kept; null where nothing is.'),
      }),
    )
    .describe('One entry a pruned parameter.'),
  totals: z
    .strictObject({
      weights: z.int().describe('In all pruned parameters.'),
      zeros: z.int().describe('In all pruned parameters.'),
    })
    .describe('Sums over the layers.'),
});
