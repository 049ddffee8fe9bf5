import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findSample } from '../../lib/data/find.js';
import { Dataset, Domain, type Model } from '../../lib/index.js';
import { fromPython, writtenByPython } from '../reproduce/reproduction.js';
import { timed } from '../trial.js';

const [kDigit, kSize, kMargin] = [28, 32, 2];
const kSeed = 1;

/** How many images; the same bytes as bench/pytorch/digits.py has. */
interface Counts {
  fit: number;
  select: number;
}
const kUsual: Counts = { fit: 4096, select: 1024 };

/** Source and target, and a network that was trained on the source, as bench/pytorch starts with it. */
export async function digits(net: string, threads: number) {
  const [source, target] = [await samples('mnist', kUsual), await samples('mnist-m', kUsual)];
  return {
    source: await domain(source, kUsual),
    target: await domain(target, kUsual),
    model: await withFolder((folder) => fromPython('trained-net', folder, net, threads)),
    digest: createHash('sha256').update(source.data).update(target.data).digest('hex'),
  };
}

/** One domain, and a network with fresh weights, the same as bench/pytorch makes. */
export async function digitsWithFresh(net: string, counts: Counts) {
  const source = await samples('mnist', counts);
  return {
    source: await domain(source, counts),
    model: await withFolder((folder) => freshNet(folder, net)),
    digest: createHash('sha256').update(source.data).digest('hex'),
  };
}

type Fresh = Awaited<ReturnType<typeof digitsWithFresh>>;
interface Steps {
  net: string;
  steps: number;
  batchSize: number;
  /** Images of the evaluation at the end. */
  select: number;
}

/** Milliseconds of steps: those of a run with one more, less those of a run of one, which hold all else. */
export async function stepsOf<Result>(
  { net, steps, batchSize, select }: Steps,
  run: (fresh: Fresh) => PromiseLike<Result>,
): Promise<Result & { ms: number; digest: string }> {
  const one = await digitsWithFresh(net, { fit: batchSize, select });
  const all = await digitsWithFresh(net, { fit: (steps + 1) * batchSize, select });
  await run(one); // warms up
  const once = await timed(() => run(one));
  const { ms, result } = await timed(() => run(all));
  return { ...result, ms: ms - once.ms, digest: all.digest };
}

const freshNet = (folder: string, net: string, seed = kSeed) => fromPython('fresh-net', folder, net, seed);
export const writeNet = (folder: string, net: string) => writtenByPython('fresh-net', folder, net, kSeed);

/** The file of a chain of so many small layers, while it is used. */
export const writeChain = <Result>(layers: number, use: (file: string) => Promise<Result>) =>
  withFolder(async (folder) => use(await writtenByPython('chain-net', folder, layers)));

/** Networks with fresh weights of these seeds. */
export const freshNets = (net: string, seeds: number[]) =>
  withFolder(async (folder) => {
    const models: Model[] = [];
    for (const seed of seeds) models.push(await freshNet(folder, net, seed));
    return models;
  });

interface Samples {
  name: string;
  data: Uint8Array;
  labels: number[];
}

const channelsOf: { [name: string]: number } = { mnist: 1, 'mnist-m': 3 };

/** 3 x 32 x 32, of digits with one channel or three. */
async function samples(name: string, { fit, select }: Counts): Promise<Samples> {
  const channels = channelsOf[name] ?? 1;
  const { folder } = await findSample(name);
  const count = fit + select;
  const images = readNpy(path.join(folder, 'fit-images.npy'), count * channels * kDigit * kDigit);
  const data = new Uint8Array(count * 3 * kSize * kSize);
  for (let plane = 0; plane < count * 3; plane++) {
    const of = channels === 3 ? plane : Math.floor(plane / 3);
    for (let y = 0; y < kDigit; y++) {
      const row = images.subarray((of * kDigit + y) * kDigit, (of * kDigit + y + 1) * kDigit);
      data.set(row, (plane * kSize + y + kMargin) * kSize + kMargin);
    }
  }
  return { name, data, labels: [...readNpy(path.join(folder, 'fit-labels.npy'), count)] };
}

/** The first bytes of an array of bytes. */
function readNpy(file: string, length: number): Uint8Array {
  const kLengthAt = 8;
  const kPrefix = 10;
  const handle = fs.openSync(file, 'r');
  try {
    const prefix = Buffer.alloc(kPrefix);
    fs.readSync(handle, prefix, 0, kPrefix, 0);
    const bytes = new Uint8Array(length);
    fs.readSync(handle, bytes, 0, length, kPrefix + prefix.readUInt16LE(kLengthAt));
    return bytes;
  } finally {
    fs.closeSync(handle);
  }
}

async function domain({ name, data, labels }: Samples, { fit, select }: Counts): Promise<Domain> {
  const pixels = 3 * kSize * kSize;
  const part = (from: number, to: number) =>
    Dataset.from({
      data: data.subarray(from * pixels, to * pixels),
      shape: [to - from, 3, kSize, kSize],
      labels: labels.slice(from, to),
      classes: 10,
    });
  return await Domain.open({ name, fit: await part(0, fit), select: await part(fit, fit + select) });
}

async function withFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
  try {
    return await use(folder);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
