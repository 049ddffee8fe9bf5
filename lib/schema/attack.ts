import * as z from 'zod';
import { handle } from './handle.js';
import { transferOptions } from './transfer.js';

/** Where an attacker trains, and on how much. */
export const attackSamples = z.strictObject({
  domain: handle('Domain').describe('Attacked with its fit data, measured on its report data.'),
  count: z
    .int()
    .min(1)
    .optional()
    .describe('Samples that the attacker holds; all of the fit data by default.'),
  fraction: z.number().gt(0).max(1).optional().describe('The same as a share of the fit data, rounded down.'),
});

/** Where an attacker is measured who trains on authorised data alone, and what he trains on. */
export const sourceSamples = z.strictObject({
  domain: handle('Domain').describe(
    'Where the attack is measured, on its report data; none of it is trained on.',
  ),
  source: handle('Domain').describe('The authorised domain: its fit data is trained on.'),
  count: attackSamples.shape.count,
  fraction: attackSamples.shape.fraction,
});

const { maskHeld, head, batchNorm, layers, ...training } = transferOptions.shape;

/** How an attacker trains, without where he starts. */
export const attackTraining = training;
export const attackStart = { maskHeld, head, batchNorm, layers };

const { steps, ...updates } = training;

/** The same without how long. */
export const attackUpdates = updates;

export const answers = z.strictObject({
  accuracy: z.number().describe('Share of right answers.'),
  interval: z.array(z.number()).describe('Wilson interval of the accuracy at 95 %.'),
  right: z.int().describe('Right answers.'),
  samples: z.int().describe('How many were measured.'),
});

export const attackCost = z.strictObject({
  images: z.int().describe('That the training saw, repetitions counted.'),
  labels: z.int().describe('Different labelled samples that it needed.'),
  steps: z.int().describe('Of all learning rates.'),
  seconds: z.number().describe('Of the training.'),
});

/** What every attack reports. */
export const attackFigures = z.strictObject({
  samples: z.int().describe('How many the attacker held.'),
  before: answers.describe('The given model on report data.'),
  after: answers.describe('The attacked one on report data.'),
  cost: attackCost.describe('What the attack took.'),
});

/** What an attack that trains reports besides. */
export const trainedAttackFigures = attackFigures.extend({
  learningRate: z.number().describe('The one taken.'),
  selectAccuracy: z
    .number()
    .nullable()
    .describe('On select data with it; null where there was one learning rate only.'),
});

/** What an attack that trains on authorised data alone reports besides. */
export const sourceAttackFigures = trainedAttackFigures.extend({
  source: z
    .strictObject({
      before: answers.describe('The given model.'),
      after: answers.describe('The attacked one.'),
    })
    .describe('On report data of the source.'),
});
