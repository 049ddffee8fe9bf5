import { creationOptions } from '../schema/creation.js';
import { describeFields } from '../schema/descriptor.js';

const { classes } = creationOptions.shape;

/** The flags that make a fresh model; its seed is that of the run. */
export const creationFields = describeFields(
  creationOptions.omit({ seed: true }).extend({
    classes: classes
      .optional()
      .describe(`${classes.description?.replace('.', '')}; the domain's by default.`),
  }),
);
