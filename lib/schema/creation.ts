import * as z from 'zod';

/** What `Model.create` makes; the command line takes its flags from here. */
export const creationOptions = z.strictObject({
  architecture: z.enum(['lenet5', 'convnet', 'vgg11', 'resnet20', 'resnet18']).describe('What to create.'),
  classes: z.int().min(2).describe('How many classes it tells apart.'),
  inChannels: z.int().min(1).default(3).describe('Channels of its images.'),
  inputSize: z.int().min(1).default(32).meta({ unit: 'pixels' }).describe('Height and width of its images.'),
  widths: z.array(z.int().min(1)).optional().describe("Channels of the blocks of 'convnet'."),
  normalize: z
    .strictObject({
      mean: z.array(z.number()).describe('Subtracted from each channel.'),
      std: z.array(z.number().gt(0)).describe('What each channel is then divided by.'),
    })
    .optional()
    .describe('Normalisation of the images, which becomes part of the model.'),
  seed: z.int().min(0).describe('Of the fresh weights.'),
});
