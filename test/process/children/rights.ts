// What the process of an isolated model may do: tries each thing, and sends how it ended.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

function outcomeOf(action: () => unknown): string {
  try {
    action();
    return 'allowed';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

process.once('message', ({ folder }: { folder: string }) => {
  process.send?.({
    readsModel: outcomeOf(() => fs.readFileSync(path.join(folder, 'tiny.pt'))),
    readsElsewhere: outcomeOf(() => fs.readFileSync('/etc/hostname')),
    readsHome: outcomeOf(() => fs.readdirSync(os.homedir())),
    writesModel: outcomeOf(() => fs.writeFileSync(path.join(folder, 'written'), '')),
    writesTemporary: outcomeOf(() => fs.writeFileSync(path.join(os.tmpdir(), 'written'), '')),
    removes: outcomeOf(() => fs.rmSync(path.join(folder, 'tiny.pt'))),
    startsProcesses: outcomeOf(() => {
      const { error } = spawnSync(process.execPath, ['--version']);
      if (error) throw error;
    }),
    startsWorkers: outcomeOf(() => new Worker('', { eval: true })),
    environment: Object.keys(process.env).sort(),
  });
  process.disconnect();
});
