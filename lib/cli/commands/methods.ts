import type { Command } from 'commander';
import { blocksToText } from '../../report/text.js';
import type { Library } from '../library.js';
import { kebab } from '../usage.js';

export function addMethods(command: Command, { methods }: Library): void {
  command
    .description('Lists the methods.')
    .option('--json', 'With inputs, options and outputs, as JSON.')
    .action(({ json }: { json?: boolean }) => {
      process.stdout.write(json ? `${JSON.stringify(methods.map(plain), null, 2)}\n` : list(methods));
    });
}

const plain = ({ name, summary, source, inputs, options, outputs }: Library['methods'][number]) => ({
  name,
  summary,
  source,
  inputs,
  options,
  outputs,
});

function list(methods: Library['methods']): string {
  const entries = methods.map(({ name, summary }) => ({
    label: name.split('.').map(kebab).join(' '),
    value: summary,
  }));
  return blocksToText([{ kind: 'facts', title: 'Methods', entries }]);
}
