import * as z from 'zod';
import { describeFields } from '../schema/descriptor.js';

/** The flags that make a fresh model; what `Model.create` then checks. */
export const creationFields = describeFields(
  z.strictObject({
    architecture: z.enum(['lenet5', 'convnet', 'vgg11', 'resnet20', 'resnet18']).describe('What to create.'),
    classes: z
      .int()
      .min(2)
      .optional()
      .describe("How many classes it tells apart; the domain's where it is not given."),
    inChannels: z.int().min(1).default(3).describe('Channels of its images.'),
    inputSize: z
      .int()
      .min(1)
      .default(32)
      .meta({ unit: 'pixels' })
      .describe('Height and width of its images.'),
    widths: z.array(z.int().min(1)).optional().describe("Channels of the blocks of 'convnet'."),
  }),
);
