import * as z from 'zod';

export const checkpointOptions = z
  .strictObject({
    path: z.string().describe('File of the newest checkpoint; older ones are at path.1, path.2, ...'),
    everySeconds: z
      .number()
      .gt(0)
      .optional()
      .meta({ unit: 'seconds' })
      .describe('Time between checkpoints; 60 where neither this nor everySteps is given.'),
    everySteps: z
      .int()
      .min(1)
      .optional()
      .meta({ unit: 'steps' })
      .describe('Training steps between checkpoints.'),
    keep: z.int().min(1).max(100).default(2).describe('How many checkpoints stay on disk.'),
    onWriteError: z
      .enum(['stop', 'continue'])
      .default('stop')
      .describe('What a checkpoint that cannot be written does to the run.'),
  })
  .describe('Where and how often the run saves itself.');

/** The options of every method besides its own, as native code knows them. */
export const runOptions = z.strictObject({
  device: z.string().default('cpu').describe("Where it computes: 'cpu', 'cuda' or 'cuda:1'."),
  seed: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(0)
    .describe('Start of every random draw; the same seed gives the same result.'),
  threads: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .meta({ unit: 'threads' })
    .describe(
      'Threads of one operation; the cores of the machine, shared by the concurrent runs, where it is not given.',
    ),
  checkpoint: checkpointOptions.optional().describe('Where and how often the run saves itself.'),
  resume: z
    .string()
    .optional()
    .describe(
      'Checkpoint to go on from, or where it is damaged the one before it; a checkpoint of another run is refused.',
    ),
});

/** Those that only JavaScript knows. */
export const signalOption = z.strictObject({
  signal: z
    .custom<AbortSignal>((value) => value instanceof AbortSignal)
    .meta({ noun: 'AbortSignal' })
    .optional(),
});

export type CheckpointOptions = z.input<typeof checkpointOptions>;
export type RunOptions = z.input<typeof runOptions> & z.input<typeof signalOption>;
