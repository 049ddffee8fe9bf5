import os from 'node:os';

/** Of the machine that figures come from; `more` is what one kind of them asks for besides. */
export const machine = <More extends object>(more: More) => ({
  cpu: os.cpus()[0]?.model ?? 'unknown',
  cores: os.availableParallelism(),
  node: process.version,
  ...more,
});

export const today = () => new Date().toISOString().slice(0, 10);

/** What was typed for them. */
export const commandOf = (script: string, argv: readonly string[]) =>
  [`npm run ${script}`, ...(argv.length > 0 ? ['--', ...argv] : [])].join(' ');
