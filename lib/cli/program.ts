import { createRequire } from 'node:module';
import { Command } from 'commander';
import { addCommands } from './commands/index.js';
import { tellFailure } from './failure.js';
import type { Library } from './library.js';
import { addMethod } from './methodCommand.js';
import { kebab } from './usage.js';

const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string };

// What a family's name alone means.
const defaults = new Set(['evaluate.domains']);

/** Runs a command line; the exit code. */
export async function runCli(argv: readonly string[], library: Library): Promise<number> {
  leaveQuietly();
  process.exitCode = 0;
  try {
    await makeProgram(library).parseAsync(hyphenated(argv, library), { from: 'user' });
    return process.exitCode;
  } catch (error) {
    const has = (flag: string) => argv.includes(flag);
    return tellFailure(error, { json: has('--json'), verbose: has('--verbose') || !!process.env.DEBUG });
  }
}

/** Every command, the methods' own made from their schemas. */
export function makeProgram(library: Library): Command {
  const program = new Command('espalier')
    .description('Prunes TorchScript models, and controls where, and by whom, they can be used.')
    .version(version)
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .showSuggestionAfterError();
  for (const [family, methods] of byFamily(library)) {
    const parent = program
      .command(family)
      .summary(methods.map(({ name }) => kebab(name.slice(family.length + 1))).join(', '))
      .helpGroup('Methods:');
    const alone = methods
      .find(({ name }) => defaults.has(name))
      ?.name.split('.')
      .map(kebab)
      .join(' ');
    if (alone !== undefined) parent.description(`'espalier ${family}' alone is 'espalier ${alone}'.`);
    for (const method of methods) {
      const name = kebab(method.name.slice(family.length + 1));
      addMethod(parent.command(name, { isDefault: defaults.has(method.name) }), method, library);
    }
  }
  addCommands(program, library);
  return program;
}

// A method may be called as in TypeScript: `authorize nonTransferablePruning`.
function hyphenated(argv: readonly string[], { methods }: Library): string[] {
  const [family = '', name = '', ...rest] = argv;
  const isMethod = methods.some((method) => method.name === `${family}.${name}`);
  return isMethod ? [family, kebab(name), ...rest] : [...argv];
}

function byFamily({ methods }: Library) {
  const families = new Map<string, Library['methods'][number][]>();
  for (const method of methods) {
    const family = method.name.split('.', 1)[0] as string;
    families.set(family, [...(families.get(family) ?? []), method]);
  }
  return families;
}

// `espalier methods | head -1` is no failure.
function leaveQuietly(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
