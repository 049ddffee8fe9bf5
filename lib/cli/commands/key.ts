import type { Command } from 'commander';
import { checkOutputs, exists } from '../outputs.js';
import { UsageError } from '../usage.js';

export function addKey(command: Command): void {
  command
    .description("Makes a secret key, for an owner's pattern or that of his licensees.")
    .argument('<file>', 'Where it is written, such as owner.key; a file that exists is left alone.')
    .option('--verbose', 'Show the stack of an error.')
    .action(async (file: string) => {
      await checkOutputs([file], undefined);
      if (await exists(file)) {
        throw new UsageError(
          `${file} exists already, and a key cannot be made again: name another file, or remove that one`,
        );
      }
      const { Key } = await import('../../key.js');
      const key = await Key.create();
      await key.save(file);
      process.stderr.write(`Saved ${file}. Keep it: nothing else holds the secret.\n`);
      process.stdout.write(`${key.digest}\n`);
    });
}
