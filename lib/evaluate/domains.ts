import * as z from 'zod';
import type { Domain } from '../domain.js';
import type { Model } from '../model.js';
import { classificationFigures, evaluationOptions } from '../schema/evaluation.js';
import { oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Every model on every domain: the matrix that a claim about domains rests on. Each cell is what
// evaluate.accuracy measures.
const method = defineMethod({
  name: 'evaluate.domains',
  summary: 'Measures every model on the report data of every domain.',
  source: 'Wilson 1927 (interval); Guo et al. 2017 (calibration)',
  inputs: {
    models: oneOrList('Model').describe('The models: the rows of the matrix.'),
    domains: oneOrList('Domain').describe('The domains: its columns.'),
  },
  options: evaluationOptions.extend({
    labels: z
      .array(z.string())
      .optional()
      .describe("What the models are called in the report, in their order; 'model 1', ... by default."),
  }),
  outputs: {},
  report: z.strictObject({
    models: z.array(z.string()).describe('The rows.'),
    domains: z.array(z.string()).describe('The columns.'),
    cells: z.array(z.array(classificationFigures)).describe('By model and domain.'),
  }),
});

export { method as domainsMethod };

export type DomainsOptions = OptionsOf<typeof method>;

/**
 * Measures every model on every domain's report data.
 *
 * @throws ERR_DATA_INVALID for a domain without report data or with more classes than a model
 */
export function domains(models: Model | Model[], domains: Domain | Domain[], options: DomainsOptions = {}) {
  return method.start({ models, domains }, options);
}
