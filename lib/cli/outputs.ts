import { access, constants, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkReportPath } from '../report/index.js';
import { UsageError } from './usage.js';

/** Throws before a long run what would go wrong after it. */
export async function checkOutputs(files: readonly string[], report: string | undefined): Promise<void> {
  if (report !== undefined) checkReportPath(report, '--report');
  for (const file of files) {
    const folder = dirname(file);
    const facts = await stat(folder).catch(() => undefined);
    if (!facts?.isDirectory())
      throw new UsageError(`${file} cannot be written: there is no folder ${folder}`);
    await access(folder, constants.W_OK).catch(() => {
      throw new UsageError(`${file} cannot be written: the folder ${folder} does not permit it`);
    });
    if ((await stat(file).catch(() => undefined))?.isDirectory()) {
      throw new UsageError(`${file} cannot be written: it is a folder`);
    }
  }
}

export const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

/** The newest checkpoint and the older ones beside it. */
export async function removeCheckpoints(path: string, keep: number): Promise<void> {
  const older = Array.from({ length: Math.max(0, keep - 1) }, (_, i) => `${path}.${i + 1}`);
  for (const file of [path, ...older]) await rm(file, { force: true });
}
