import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Tells the user one line. */
export type Say = (message: string) => void;

/** The user's cache folder for what Espalier fetches. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'espalier');
}

/** Fills `target` once: `fill` works in a folder beside it, which is renamed when everything is there. */
export async function fetchInto(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  if (existsSync(target)) return;
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(`${target}.part-`);
  try {
    await fill(folder);
    await rename(folder, target).catch((cause) => {
      // Another process was faster: its copy is as good as ours.
      if (!existsSync(target)) throw cause;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** The last line that a failed command wrote, or the error's own message. */
export function reason(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return stderr?.trim().split('\n').at(-1) || message.split('\n', 1).join();
}
