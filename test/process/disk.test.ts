import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild, runCommand } from '../support/child.js';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

// A disk that is full, a folder that is read-only, a limit on files: a typed error, and what was there stays.

const child = path.join(root, 'dist/test/process/children/disk.js');
const kSaved = ['model', 'mask', 'key', 'report'] as const;
const kDeadline = { deadlineMs: 50_000 };
const kSlow = { timeoutMs: 120_000 };

type Outcomes = { [name: string]: string };
type Child = Awaited<ReturnType<typeof runChild>>;

function outcomesOf({ code, signal, stdout, stderr }: Child): Outcomes {
  assert.is(signal, null, stderr);
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as Outcomes;
}

function contentsOf(folder: string): Map<string, string> {
  const names = fs.readdirSync(folder).sort();
  return new Map(names.map((name) => [name, fs.readFileSync(path.join(folder, name)).toString('base64')]));
}

// What a first child wrote is there to the byte after a second one could not write.
async function refuses(
  folder: string,
  words: RegExp,
  begin: () => Promise<Child>,
  saved: readonly string[] = kSaved,
): Promise<void> {
  const before = contentsOf(folder);
  assert.ok(before.has('run.checkpoint') && before.has('run.checkpoint.1') && before.has('opener.key'));
  const outcomes = outcomesOf(await begin());
  for (const name of ['stop', ...saved]) {
    assert.match(outcomes[name] as string, /^ERR_IO: /, name);
    assert.match(outcomes[name] as string, words, name);
  }
  assert.is(outcomes.continue, 'done');
  const warnings = JSON.parse(outcomes.warnings as string) as string[];
  assert.is(warnings.length, 1, 'said once');
  assert.match(warnings[0] as string, /^a checkpoint was not written: /);
  assert.match(outcomes.table as string, /a checkpoint was not written/);
  assert.equal([...contentsOf(folder)], [...before]);
}

// A file system of so many bytes in the folder, for as long as the body runs.
async function withDisk(folder: string, bytes: number, body: () => Promise<void>): Promise<boolean> {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  try {
    await body();
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
  return true;
}

function fill(file: string): void {
  const descriptor = fs.openSync(file, 'w');
  try {
    for (;;) fs.writeSync(descriptor, Buffer.alloc(4096));
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOSPC');
  } finally {
    fs.closeSync(descriptor);
  }
}

test(
  'a full disk, and one that became read-only',
  async () => {
    const folder = temporaryFolder();
    const mounted = await withDisk(folder, 1 << 20, async () => {
      const first = outcomesOf(await runChild(child, [folder], kDeadline));
      for (const name of ['stop', 'continue', ...kSaved]) assert.is(first[name], 'done', name);
      fill(path.join(folder, 'filler'));
      await refuses(folder, /No space left on device|ENOSPC/, () => runChild(child, [folder], kDeadline));
      execFileSync('mount', ['-o', 'remount,ro', folder]);
      await refuses(folder, /Read-only file system|EROFS/, () => runChild(child, [folder], kDeadline));
    });
    if (!mounted) test.skip('a full disk: mounting a small one is not permitted here');
  },
  kSlow,
);

test(
  'a folder that does not permit it',
  async () => {
    if (process.getuid?.() === 0)
      return test.skip('a folder without permission: the superuser may write everywhere');
    const folder = temporaryFolder();
    outcomesOf(await runChild(child, [folder], kDeadline));
    fs.chmodSync(folder, 0o555);
    try {
      await refuses(folder, /Permission denied|EACCES/, () => runChild(child, [folder], kDeadline));
    } finally {
      fs.chmodSync(folder, 0o755);
    }
  },
  kSlow,
);

test(
  'a limit on the size of files',
  async () => {
    const folder = temporaryFolder();
    outcomesOf(await runChild(child, [folder], kDeadline));
    // Blocks of 1024 bytes; what is larger raises SIGXFSZ, which must not end the process.
    const line = `ulimit -f 1 && exec "$0" "$@"`;
    const limited = () => runCommand('bash', ['-c', line, process.execPath, child, folder], kDeadline);
    // The mask is smaller.
    await refuses(folder, /File too large|EFBIG/, limited, ['model', 'key', 'report']);
  },
  kSlow,
);

test.run();
