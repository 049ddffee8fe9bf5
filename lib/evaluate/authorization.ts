import * as z from 'zod';
import type { Model } from '../model.js';
import { answers } from '../schema/attack.js';
import { handle, oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

const attacks = [
  'fine-tune',
  'release-mask',
  'fresh-head',
  'fresh-head-released',
  'fresh-batch-norm',
  'fast',
  'sgd',
  'source-repair',
  'redensify',
  'retrain-head',
  'linear-probe',
  'nearest-neighbour',
  'batch-norm-adaptation',
] as const;

const course = z.strictObject({
  samples: z.int().describe('Of the target that were held.'),
  labels: z.int().describe('Different labelled samples that it needed.'),
  images: z.int().describe('That it saw by the last reading.'),
  seconds: z.number().describe('Of the training.'),
  readings: z
    .array(
      z.strictObject({
        steps: z.int().describe('Of training by then.'),
        accuracy: answers.describe('On report data of the domain.'),
      }),
    )
    .describe('Along the steps; one for what is no fine-tuning.'),
  costFactor: z
    .number()
    .nullable()
    .describe(
      'Steps at the first reading as good as scratch after `steps`, over those; null: none, or scratch itself learns too little from so many samples.',
    ),
});

const curve = z.strictObject({
  attack: z.enum(attacks).describe('How.'),
  courses: z.array(course).describe('By samples, ascending.'),
  areas: z
    .array(
      z.strictObject({
        steps: z.int().describe('Of both.'),
        ln: z.number().describe('Area over the natural logarithm of the samples.'),
      }),
    )
    .describe('Between the learning curve and that of scratch; empty for one number of samples.'),
});

const change = z.strictObject({
  before: answers.describe('The unprotected model.'),
  after: answers.describe('The protected one.'),
  lost: z.number().describe('Accuracy before less that after.'),
  interval: z.array(z.number()).describe('Of that, at 95 % (Agresti and Min 2005, matched pairs).'),
  share: z.number().nullable().describe('Of the accuracy before; null where that is 0.'),
});

// What a buyer gets out of a protected model, by which attack and for how much, against training from scratch.
// The curves are those of Ding et al. 2024, arXiv 2410.08015; the grid over steps, the cost factor and the
// verdict are ours.
const method = defineMethod({
  name: 'evaluate.authorization',
  summary: 'Attacks a protected model in many ways, and says what each costs against training from scratch.',
  source: 'Ding et al. 2024, arXiv 2410.08015 (learning curves); the grid and the verdict are our own',
  inputs: {
    original: handle('Model').describe('The model before it was protected.'),
    protected: handle('Model').describe('The model that is given away.'),
  },
  options: z.strictObject({
    source: handle('Domain').describe(
      'Where the model is to keep working; its fit data trains the controls.',
    ),
    target: handle('Domain').describe(
      'Where it is attacked: fit data is drawn from, report data measured on.',
    ),
    others: oneOrList('Domain')
      .optional()
      .describe('Domains that the protection never saw: fine-tuned there as well.'),
    counts: z
      .array(z.int().min(1))
      .optional()
      .describe(
        'Numbers of samples that the attacker holds; by default 15, 60, 250, 1000 and 4000, as far as there are so many.',
      ),
    steps: z
      .int()
      .min(1)
      .max(1000000)
      .default(150)
      .meta({ unit: 'steps' })
      .describe('Of training from scratch, which an attack must match.'),
    stepFactors: z
      .array(z.number().gt(0).max(1000))
      .default([0.2, 0.5, 1, 2, 5, 10])
      .describe('Multiples of `steps` after which fine-tuning is measured; 1 is always among them.'),
    batchSize: z
      .int()
      .min(1)
      .max(1048576)
      .default(32)
      .meta({ unit: 'samples' })
      .describe('Of every training on the target.'),
    learningRate: z
      .number()
      .gt(0)
      .default(1e-3)
      .describe("Of Adam, for scratch and attacks; 'fast' takes 3 times, 'sgd' 10 times as much."),
    attacks: z.array(z.enum(attacks)).optional().describe('Which to try; all by default.'),
    reportSamples: z
      .int()
      .min(1)
      .optional()
      .meta({ unit: 'samples' })
      .describe(
        'Report data of a domain that attacks are measured on, by default all: fewer save time and widen the intervals.',
      ),
  }),
  outputs: {},
  report: z.strictObject({
    verdict: z
      .strictObject({
        outcome: z
          .enum(['unknown', 'holds', 'delays', 'fails'])
          .describe(
            "'fails': an attack has what scratch has for no more steps; 'delays': for more; 'holds': no attack of the grid has it; 'unknown': scratch itself learns too little to compare.",
          ),
        cheapest: z
          .strictObject({
            attack: z.enum(attacks).describe('How.'),
            samples: z.int().describe('Held by the attacker.'),
            steps: z.int().describe('That he trained.'),
            accuracy: z.number().describe('That he got.'),
            scratch: z.number().describe('What training from scratch gives with the same samples.'),
            costFactor: z.number().describe('His steps over those of scratch.'),
          })
          .nullable()
          .describe('The attack that reaches scratch in the fewest steps; null where none does.'),
        sourceDrop: z.number().describe('Accuracy that protection cost on the source.'),
        comparable: z
          .int()
          .describe('Numbers of samples from which scratch learns more than twice the share of a guess.'),
      })
      .describe('What follows from the rest.'),
    binding: z
      .strictObject({
        source: change.describe('Without any training, on report data of the source.'),
        target: change.describe('The same on the target.'),
        areaHeld: z
          .number()
          .nullable()
          .describe("Of 'fine-tune', as `areas`, after `steps`; null where it was not tried."),
        areaReleased: z.number().nullable().describe("Of 'release-mask'; without zeros that of 'fine-tune'."),
        data: z
          .strictObject({
            source: z.int().describe('Images of the source, fit and select.'),
            target: z.int().describe('Images of the targets.'),
            targetLabels: z.boolean().describe('Whether labels of theirs were read.'),
          })
          .nullable()
          .describe('What the owner needed, by the manifest; null where it does not tell.'),
        seconds: z
          .number()
          .nullable()
          .describe('Of the protecting run with its controls; null where it was resumed or nothing tells.'),
        revocable: z
          .boolean()
          .nullable()
          .describe(
            'Whether what was taken can be given back, by a key (authorize.applyMask); null where nothing is known of the method.',
          ),
      })
      .describe('What this way to bind a model keeps, takes and needs.'),
    method: z.string().nullable().describe('That protected the model, by its manifest.'),
    sparsity: z.number().describe('Of the weights that have zeros.'),
    steps: z.int().describe('Of scratch.'),
    scratch: z.array(course).describe('The original with fresh weights, by samples.'),
    original: curve.describe('The unprotected model, fine-tuned.'),
    attacks: z.array(curve).describe('The protected model, attacked.'),
    leftOut: z
      .array(
        z.strictObject({
          attack: z.enum(attacks).describe('Which.'),
          reason: z.string().describe('Why.'),
        }),
      )
      .describe('Attacks that say nothing of a model without zeros.'),
    controls: z
      .array(
        z.strictObject({
          control: z
            .enum(['magnitude', 'terms-off'])
            .describe('Magnitude pruning, or the protecting run with every protecting term off.'),
          notRun: z.string().nullable().describe('Why it could not run; null where it did.'),
          sparsity: z.number().describe('Over the same weights.'),
          areaHeld: z.number().nullable().describe('As `areas`, after `steps`, mask held.'),
          areaReleased: z
            .number()
            .nullable()
            .describe('The same with the mask released; without zeros the same.'),
        }),
      )
      .describe('The original pruned or trained alike and not protected.'),
    unseen: z
      .array(
        z.strictObject({
          domain: z.string().describe('Its name.'),
          areaOriginal: z
            .number()
            .nullable()
            .describe('As `areas`, after `steps`, of the unprotected model.'),
          areaHeld: z.number().nullable().describe('The same of the protected one, mask held.'),
        }),
      )
      .describe('Domains that the protection never saw.'),
    matrix: z
      .strictObject({
        models: z.array(z.string()).describe('The rows.'),
        domains: z.array(z.string()).describe('The columns.'),
        cells: z.array(z.array(answers)).describe('By model and domain.'),
      })
      .describe('Accuracies without any training, on report data.'),
    layers: z
      .array(
        z.strictObject({
          path: z.string().describe('Of the weight.'),
          weights: z.int().describe('How many it has.'),
          zeros: z.int().describe('How many are zero.'),
        }),
      )
      .describe('One entry a weight with zeros.'),
  }),
});

export { method as authorizationMethod };

export type AuthorizationOptions = OptionsOf<typeof method>;

/**
 * Attacks `protectedModel` on the target domain in many ways and compares each with training from scratch on the
 * same samples, with `original`, and with controls at equal sparsity that were not protected.
 *
 * @throws ERR_DATA_INVALID for a domain that lacks fit or report data or has other classes than the models,
 *   ERR_OUT_OF_RANGE for more samples than there are, ERR_INVALID_ARG_TYPE for one domain as source and target,
 *   ERR_MODEL_UNSUPPORTED for a frozen model
 */
export function authorization(original: Model, protectedModel: Model, options: AuthorizationOptions) {
  return method.start({ original, protected: protectedModel }, options);
}
